"""The queue of lines for a person to review first, and its results.

The measure is the confidence that recognition gave: calibrated, so that one less the confidence of a character is the
chance that it is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from carrel.evaluate.coverage import wrong_characters
from carrel.evaluate.score import LONGEST_CONFUSION, differences
from carrel.forms.zones import field_of
from carrel.page import Line, Page
from carrel.review.corrections import Change

LEAST_ERRORS = 0.5
"""Wrong characters expected in a line from which it is listed: about there, an error is as likely as none."""
LEAST_CONFIDENCE = 0.4
"""Of a line that a model can learn from: under the floor of what is read on blank paper and through the page, 0.22 to 0.29,
and some above it; not measured as a bound for learning."""


@dataclass(frozen=True, slots=True)
class Task:
    """A line of a document, and how many of its characters are expected to be wrong: infinite where it was not read. ``field``
    is that of a form which it is the value of."""

    document: str
    line: Line
    expected_errors: float
    field: str = ""


def tasks_of(document: str, page: Page) -> list[Task]:
    """Return every line of ``page`` that no person has seen."""
    return [
        Task(document, line, wrong_characters(line.text, line.confidence), (field_of(region.kind) or ("",))[0])
        for region in page.regions
        for line in region.lines
        if line.correction is None
    ]


def worst_first(tasks: Iterable[Task], least: float = LEAST_ERRORS) -> list[Task]:
    """Return lines in which at least so many wrong characters are expected, or that were not read, most first."""
    return sorted((task for task in tasks if task.expected_errors >= least), key=lambda task: -task.expected_errors)


def by_field(tasks: Iterable[Task], below: float) -> list[Task]:
    """Return the values of forms with less confidence than ``below``, field by field: all dates, then all names; the least
    confident of each first."""
    doubtful = [task for task in tasks if task.field and task.line.confidence < below]
    return sorted(doubtful, key=lambda task: (task.field, task.line.confidence))


def for_learning(tasks: Iterable[Task], least: float = LEAST_ERRORS) -> list[Task]:
    """Return lines that were read with errors expected, to be corrected first where a model shall learn from them.

    One of each page in turn, on each the ones with most expected errors first, so that the first lines are of all pages. Lines
    that were not read, or with less than `LEAST_CONFIDENCE`, come last: many of them are no lines, or cut badly.
    """
    pages: dict[str, list[Task]] = {}
    for task in sorted(worst_first(tasks, least), key=lambda task: task.line.confidence < LEAST_CONFIDENCE):
        pages.setdefault(task.document, []).append(task)
    turns = [(place, task) for own in pages.values() for place, task in enumerate(own)]
    order = sorted(turns, key=lambda turn: (turn[1].line.confidence < LEAST_CONFIDENCE, turn[0]))
    return [task for _, task in order]


def states(pages: Iterable[Page]) -> Counter[str]:
    """Count the lines that people corrected and confirmed."""
    return Counter(line.correction.state for page in pages for line in page.lines if line.correction)


def disagreements(lines: Iterable[Line]) -> Counter[tuple[str, str]]:
    """Count where another reading of the same line says something else: what stands and what else was read."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.text and line.alternatives and line.alternatives[0].text:
            found.update(_short_differences(line.text, line.alternatives[0].text))
    return found


def recurring(changes: Iterable[Change]) -> Counter[tuple[str, str]]:
    """Count what people put right most often: the right text and what had been read."""
    found: Counter[tuple[str, str]] = Counter()
    for change in changes:
        if change.differs and change.line.text:
            found.update(_short_differences(change.correction.text, change.line.text))
    return found


def _short_differences(left: str, right: str) -> list[tuple[str, str]]:
    pairs = differences(left, right)
    return [(a, b) for a, b in pairs if a != b and max(len(a), len(b)) <= LONGEST_CONFUSION]
