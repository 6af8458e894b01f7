"""Which lines a person should look at, how long that takes, and what came of it.

The measure is the confidence that reading gave: calibrated, so that one line less its confidence is the chance that
something in it is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from carrel.evaluate.coverage import wrong_characters
from carrel.evaluate.document import Document, from_page
from carrel.evaluate.matching import match_lines
from carrel.evaluate.score import LONGEST_CONFUSION, differences
from carrel.page import Line, Page, needs_review

SECONDS_A_LINE = 12.0
"""To look at a line and correct it; an assumption until somebody times it."""


@dataclass(frozen=True, slots=True)
class Task:
    """A line to look at: ``region`` and ``line`` count from 0, as in the identifiers of ALTO and PAGE."""

    document: str
    region: int
    number: int
    line: Line
    expected_errors: float
    """Words that are probably wrong; 1 for a line that was not read."""

    @property
    def identity(self) -> str:
        """The line's name in a worksheet."""
        return f"{self.document}#r{self.region}l{self.number}"


def tasks_of(document: str, page: Page) -> list[Task]:
    """Every line of ``page``."""
    return [
        Task(document, region_index, line_index, line, expected_errors(line))
        for region_index, region in enumerate(page.regions)
        for line_index, line in enumerate(region.lines)
    ]


def expected_errors(line: Line) -> float:
    """Wrong words to be expected: one less its confidence for each word, or for the whole line without words."""
    if not line.text:
        return 1.0
    confidences = [word.confidence for word in line.words] or [line.confidence]
    return float(sum(1 - min(max(confidence, 0.0), 1.0) for confidence in confidences))


def worst_first(tasks: Iterable[Task], below: float) -> list[Task]:
    """Lines that were not read or whose confidence is under ``below``; those with most to correct first."""

    def key(task: Task) -> tuple[float, str]:
        return -wrong_characters(task.line.text, task.line.confidence), task.identity

    return sorted((task for task in tasks if needs_review(task.line, below)), key=key)


def disagreements(lines: Iterable[Line]) -> Counter[tuple[str, str]]:
    """Where another reading of the same line says something else: what stands and what else was read."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.text and line.alternatives and line.alternatives[0].text:
            found.update(_short_differences(line.text, line.alternatives[0].text))
    return found


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person made of a line."""

    task: Task
    text: str

    @property
    def changed(self) -> bool:
        """Whether anything was wrong."""
        return " ".join(self.text.split()) != " ".join(self.task.line.text.split())


def corrections(name: str, read: Page, corrected: Document) -> list[Correction]:
    """Lines of ``read`` with the text that ``corrected`` has for them: by place, else by text.

    Lines that the correction cut in two are joined; lines that it dropped or that run over several are left out.
    """
    document, tasks = from_page(name, read), tasks_of(name, read)
    found: list[Correction] = []
    for match in match_lines(corrected, document):
        text = " ".join(corrected.lines[index].text for index in match.truth if corrected.lines[index].text)
        if text and len(match.hypothesis) == 1:
            found.append(Correction(tasks[match.hypothesis[0]], text))
    return found


def recurring(made: Iterable[Correction]) -> Counter[tuple[str, str]]:
    """What people put right most often: the truth and what had been read."""
    found: Counter[tuple[str, str]] = Counter()
    for correction in made:
        if correction.changed and correction.task.line.text:
            found.update(_short_differences(correction.text, correction.task.line.text))
    return found


def _short_differences(left: str, right: str) -> list[tuple[str, str]]:
    pairs = differences(left, right)
    return [(a, b) for a, b in pairs if a != b and max(len(a), len(b)) <= LONGEST_CONFUSION]


def worksheet(tasks: Iterable[Task]) -> str:
    """The lines to look at as text to be edited: name, confidence and text between tabs."""
    rows = (f"{task.identity}\t{task.line.confidence:.2f}\t{' '.join(task.line.text.split())}" for task in tasks)
    return "\n".join((_WORKSHEET_HEAD, *rows)) + "\n"


_WORKSHEET_HEAD = "# Correct the text after the second tab. Delete the lines that you have not looked at."


def from_worksheet(text: str, tasks: Iterable[Task]) -> list[Correction]:
    """The lines that are left in an edited worksheet; those of other documents, and those emptied, are passed over."""
    known = {task.identity: task for task in tasks}
    rows = (row.split("\t", 2) for row in text.splitlines() if not row.startswith("#"))
    read = ((row[0].strip(), row[2].strip()) for row in rows if len(row) == 3)
    return [Correction(known[identity], corrected) for identity, corrected in read if corrected and identity in known]
