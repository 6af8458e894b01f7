"""Worksheets: the lines to look at as a table that people edit, and what they made of it.

A row names the line, how many of its characters are expected to be wrong, its state and its text. People correct the
text, or write a state: ok where the line is right as it stands, none where there is no text. A row that nobody touched
says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from carrel.page import CorrectionState, Page
from carrel.review.corrections import Change, ReadBack, Who, change_of, folded
from carrel.review.queue import Task

COLUMNS = ("line", "expected errors", "state", "text")
HEAD = (
    "# carrel worksheet: " + ", ".join(COLUMNS) + "; a tab between them",
    "# Correct the text. Write ok as state where a line is right as it stands, none where there is no text.",
)
_OLD_HEAD = "# Correct the text after the second tab."
MOST_BYTES = 256 * 1024 * 1024  # of a worksheet with pictures
CONFIRMED = ("ok", "confirmed", "right", "yes", "x")
NO_TEXT = ("none", "empty", "no text")
_STATES: dict[str, CorrectionState | None] = {
    "": None,
    "corrected": None,
    **dict.fromkeys(CONFIRMED, "confirmed"),
    **dict.fromkeys(NO_TEXT, "corrected"),
}


class Row(NamedTuple):
    """A row that came back; ``where`` tells people which one it is."""

    where: str
    line: str
    state: str
    text: str


def name_of(task: Task) -> str:
    """Return a line's name in a worksheet."""
    return f"{task.document}#{task.line.id}"


def expected_errors_shown(task: Task) -> str:
    """Return the characters of a line that are expected to be wrong, for people."""
    return f"{task.expected_errors:.1f}" if math.isfinite(task.expected_errors) else "all"


def as_text(tasks: Iterable[Task]) -> str:
    """Write the lines to look at as text with tabs."""
    rows = ("\t".join((name_of(task), expected_errors_shown(task), "", folded(task.line.final_text))) for task in tasks)
    return "\n".join((*HEAD, *rows)) + "\n"


def is_worksheet(text: str) -> bool:
    """Tell whether ``text`` is a worksheet, with or without rows; the head may have been deleted."""
    if text.startswith((HEAD[0][: HEAD[0].index(":")], _OLD_HEAD)):
        return True
    return any(row.count("\t") >= 2 and "#" in row.partition("\t")[0] for row in text.splitlines())


def rows_of_text(text: str) -> Iterator[Row]:
    """Read the rows of a worksheet of text; one of three columns, as earlier versions wrote, has no state."""
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip() or row.startswith("# "):
            continue
        cells = row.split("\t", 3)
        where = f"row {number}"
        if len(cells) == 4:
            yield Row(where, cells[0].strip(), cells[2].strip(), cells[3])
        elif len(cells) == 3:
            yield Row(where, cells[0].strip(), "", cells[2])
        else:
            yield Row(where, "", "", row)


def changes_of(rows: Iterable[Row], pages: Mapping[str, Page], who: Who) -> ReadBack:
    """Match the rows of a worksheet with the lines of ``pages``, by name of document and id of line."""
    known = {(name, line.id): line for name, page in pages.items() for line in page.lines}
    changes: list[Change] = []
    unplaced: list[str] = []
    for row in rows:
        document, _, identity = row.line.rpartition("#")
        line = known.get((document, identity))
        word = row.state.lower()
        if line is None:
            unplaced.append(f"{row.where}: no line {row.line or row.text!r}")
        elif word not in _STATES:
            unplaced.append(f"{row.where}: state {row.state!r} is neither ok nor none")
        elif row.text.strip() or _STATES[word]:
            text = "" if word in NO_TEXT else row.text
            change = change_of(document, line, text, _STATES[word], who)
            changes += [change] if change else []
    return ReadBack(tuple(changes), tuple(unplaced))
