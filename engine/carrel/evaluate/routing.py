"""The cost of sending every line to one recognizer, or to know each time which one is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from carrel.evaluate.document import Document, TextLine
from carrel.evaluate.score import Counts, count, score_document

AS_ROUTED = "as routed"
BEST_OF_ALL = "best of all"


@dataclass(frozen=True, slots=True)
class Route:
    """One way to read every line; ``lines`` counts those that the recognizer had read."""

    name: str
    counts: Counts
    lines: int


def compare_routes(pairs: Sequence[tuple[Document, Document]]) -> list[Route]:
    """Return routes for (ground truth, hypothesis) pairs whose hypothesis lines carry readings of several recognizers.

    Where a recognizer has not read a line, the line's chosen text stands. ``best of all`` takes for every line the
    reading nearest to the ground truth, which no routing can beat. Empty where no line has two readings.
    """
    lines = [line for _, hypothesis in pairs for line in hypothesis.lines]
    if not any(len(line.readings) > 1 for line in lines):
        return []
    names = sorted({name for line in lines for name in line.readings})
    routes = [Route(AS_ROUTED, _total(pairs, None), len(lines))]
    for name in names:
        routes.append(Route(name, _total(pairs, name), sum(name in line.readings for line in lines)))
    best = sum((_best(ground_truth, hypothesis) for ground_truth, hypothesis in pairs), Counts())
    return [*routes, Route(BEST_OF_ALL, best, sum(len(line.readings) > 1 for line in lines))]


def _total(pairs: Sequence[tuple[Document, Document]], name: str | None) -> Counts:
    routed = (
        (ground_truth, hypothesis if name is None else _routed(hypothesis, name)) for ground_truth, hypothesis in pairs
    )
    return sum((score_document(ground_truth, hypothesis).total() for ground_truth, hypothesis in routed), Counts())


def _routed(document: Document, name: str) -> Document:
    lines = tuple(replace(line, text=line.readings.get(name, line.text)) for line in document.lines)
    return replace(document, lines=lines)


def _best(ground_truth: Document, hypothesis: Document) -> Counts:
    """Counts with each matched line replaced by its best reading."""
    total = Counts()
    for score in score_document(ground_truth, hypothesis).lines:
        lines = [hypothesis.lines[index] for index in score.match.hypothesis]
        if len(lines) == 1:
            total += min(
                (count(score.ground_truth, text) for text in _readings(lines[0])), key=lambda c: c.character_errors
            )
        else:
            total += count(score.ground_truth, score.hypothesis)
    return total


def _readings(line: TextLine) -> list[str]:
    return [line.text, *line.readings.values()]
