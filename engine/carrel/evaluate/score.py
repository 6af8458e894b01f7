"""Errors counted: characters, words, lines, order; for all documents, each document, each kind of writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from carrel.evaluate.distance import align, character_errors, word_errors
from carrel.evaluate.document import Document, TextLine
from carrel.evaluate.matching import Match, lines_out_of_order, match_lines
from carrel.evaluate.normalize import ALL, AS_IS, Normalization
from carrel.page import WritingKind

LONGEST_CONFUSION = 3  # characters


@dataclass(frozen=True, slots=True)
class Counts:
    """Errors and what they are measured against; the rates may exceed 1 where there is more than the ground truth."""

    characters: int = 0
    character_errors: int = 0
    words: int = 0
    word_errors: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.characters + other.characters,
            self.character_errors + other.character_errors,
            self.words + other.words,
            self.word_errors + other.word_errors,
        )

    @property
    def cer(self) -> float:
        """Character error rate; 0 of nothing, unless something was read there."""
        return rate(self.character_errors, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate; 0 of nothing, unless something was read there."""
        return rate(self.word_errors, self.words)


def rate(errors: int, total: int) -> float:
    """Return ``errors`` for each of ``total``; errors against nothing count as 1."""
    return errors / total if total else float(errors > 0)


def count(ground_truth: str, hypothesis: str, normalization: Normalization = AS_IS) -> Counts:
    """Compare two texts."""
    ground_truth, hypothesis = normalization.apply(ground_truth), normalization.apply(hypothesis)
    errors = character_errors(ground_truth, hypothesis)
    return Counts(
        len(ground_truth), errors, len(ground_truth.split()), word_errors(ground_truth, hypothesis) if errors else 0
    )


@dataclass(frozen=True, slots=True)
class LineScore:
    """Lines that belong together: ``counts`` by the name of the normalization."""

    document: str
    match: Match
    ground_truth: str
    hypothesis: str
    writing: WritingKind
    counts: dict[str, Counts]
    confidence: float | None = None
    """The least of the lines that were read; None where nothing says."""


@dataclass(frozen=True, slots=True)
class DocumentScore:
    """One document: its lines, and its whole text in the order it was read."""

    name: str
    lines: list[LineScore]
    in_order: Counts
    missed_lines: int
    extra_lines: int
    split_or_merged: int
    out_of_order: int

    def total(self, normalization: str = AS_IS.name) -> Counts:
        """Return the sum of the lines' counts."""
        return sum((line.counts[normalization] for line in self.lines), Counts())


def score_document(ground_truth: Document, hypothesis: Document) -> DocumentScore:
    """Compare a document line by line, wherever the lines stand, and as a whole in reading order."""
    matches = match_lines(ground_truth, hypothesis)
    lines = [
        _score_line(ground_truth, hypothesis, match) for match in matches if _has_text(ground_truth, hypothesis, match)
    ]
    return DocumentScore(
        name=ground_truth.name,
        lines=lines,
        in_order=count(ground_truth.text, hypothesis.text),
        missed_lines=sum(bool(line.ground_truth and not line.hypothesis) for line in lines),
        extra_lines=sum(bool(line.hypothesis and not line.ground_truth) for line in lines),
        split_or_merged=sum(len(line.match.ground_truth) + len(line.match.hypothesis) > 2 for line in lines),
        out_of_order=lines_out_of_order([line.match for line in lines]),
    )


def _has_text(ground_truth: Document, hypothesis: Document, match: Match) -> bool:
    left = any(ground_truth.lines[index].text for index in match.ground_truth)
    return left or any(hypothesis.lines[index].text for index in match.hypothesis)


def _score_line(ground_truth: Document, hypothesis: Document, match: Match) -> LineScore:
    left = [ground_truth.lines[index] for index in match.ground_truth]
    right = [hypothesis.lines[index] for index in match.hypothesis]
    texts = _joined(left), _joined(right)
    counts = {normalization.name: count(*texts, normalization) for normalization in ALL}
    known = [line.confidence for line in right if line.confidence is not None]
    return LineScore(ground_truth.name, match, *texts, _writing(left + right), counts, min(known, default=None))


def _joined(lines: list[TextLine]) -> str:
    return " ".join(line.text for line in lines if line.text)


def _writing(lines: Sequence[TextLine]) -> WritingKind:
    """The first kind that is known, the ground truth's before the hypothesis's."""
    for line in lines:
        if line.writing != "unknown":
            return line.writing
    return "unknown"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All documents of one hypothesis."""

    documents: list[DocumentScore] = field(default_factory=list[DocumentScore])

    @property
    def lines(self) -> list[LineScore]:
        """The lines of all documents."""
        return [line for document in self.documents for line in document.lines]

    def total(self, normalization: str = AS_IS.name) -> Counts:
        """Return the sum over all documents."""
        return sum((document.total(normalization) for document in self.documents), Counts())

    def in_order(self) -> Counts:
        """Return the sum over all documents read as a whole, so that wrong order counts."""
        return sum((document.in_order for document in self.documents), Counts())

    def by_writing(self) -> dict[str, Counts]:
        """Return counts for each kind of writing that occurs."""
        kinds: dict[str, Counts] = {}
        for line in self.lines:
            kinds[line.writing] = kinds.get(line.writing, Counts()) + line.counts[AS_IS.name]
        return dict(sorted(kinds.items()))


def confusions(lines: Sequence[LineScore]) -> Counter[tuple[str, str]]:
    """Return what was taken for what, most frequent first by ``most_common``; the empty text stands for nothing."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.ground_truth and line.hypothesis and line.counts[AS_IS.name].character_errors:
            ground_truth, hypothesis = AS_IS.apply(line.ground_truth), AS_IS.apply(line.hypothesis)
            found.update(pair for pair in differences(ground_truth, hypothesis) if _is_short(pair))
    return found


def _is_short(pair: tuple[str, str]) -> bool:
    return pair[0] != pair[1] and max(map(len, pair)) <= LONGEST_CONFUSION


def differences(ground_truth: str, hypothesis: str) -> list[tuple[str, str]]:
    """Return both texts cut into pieces that are equal and pieces that differ, in turn; joined they give the texts again."""
    pieces: list[tuple[str, str]] = []
    was_same: bool | None = None
    for left, right in align(ground_truth, hypothesis):
        pair = ("" if left is None else ground_truth[left], "" if right is None else hypothesis[right])
        same = pair[0] == pair[1]
        if same == was_same:
            pieces[-1] = (pieces[-1][0] + pair[0], pieces[-1][1] + pair[1])
        else:
            pieces.append(pair)
        was_same = same
    return pieces
