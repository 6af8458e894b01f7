"""Errors that return: what a person put right in one line, found in the lines that nobody has touched."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import msgspec

from carrel_desk.store.pages import Store

LEAST_CHARACTERS = 2
"""Of what was read wrong: a single letter is another word elsewhere."""
MOST_WORDS = 3
MOST_LINES = 100
_WORD = re.compile(r"\w+")


class Elsewhere(msgspec.Struct, frozen=True):
    """A line with the same error: its text as it was read, and as it would be."""

    page: str
    line: str
    text: str
    changed: str


class Returning(msgspec.Struct, frozen=True):
    """A text that was read, what a person made of it, and where it was read too."""

    wrong: str
    right: str
    lines: list[Elsewhere]


def word_changes(read: str, now: str) -> list[tuple[str, str]]:
    """Return the words that a person exchanged for others: what was read and what stands there now, none twice."""
    ours, theirs = list(_WORD.finditer(read)), list(_WORD.finditer(now))
    matcher = SequenceMatcher(None, [m[0] for m in ours], [m[0] for m in theirs], autojunk=False)
    found: list[tuple[str, str]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "replace" or max(b - a, d - c) > MOST_WORDS:
            continue
        pairs = [(k, k + 1, c + k - a, c + k - a + 1) for k in range(a, b)] if b - a == d - c else [(a, b, c, d)]
        found += [
            (read[ours[i].start() : ours[j - 1].end()], now[theirs[k].start() : theirs[m - 1].end()])
            for i, j, k, m in pairs
        ]
    return [pair for pair in dict.fromkeys(found) if len(pair[0]) >= LEAST_CHARACTERS]


def returning(store: Store, page: str, line: str) -> list[Returning]:
    """Return the errors that were put right in a line and that stand in lines which nobody has touched."""
    edit = store.edits.lines.get((page, line))
    read = next((entry.text for entry in store.pages[page].lines if entry.id == line), "")
    if edit is None or edit.text is None:
        return []
    found: list[Returning] = []
    for wrong, right in word_changes(read, edit.text):
        pattern = re.compile(rf"(?<!\w){re.escape(wrong)}(?!\w)")
        lines = [
            Elsewhere(other.id, entry.id, entry.text, pattern.sub(lambda _, r=right: r, entry.text))
            for other in store.pages.values()
            for entry in other.lines
            if wrong in entry.text and pattern.search(entry.text) and _untouched(store, other.id, entry.id)
        ]
        if lines:
            found.append(Returning(wrong, right, lines[:MOST_LINES]))
    return found


def _untouched(store: Store, page: str, line: str) -> bool:
    edit = store.edits.lines.get((page, line))
    return edit is None or (edit.text is None and not edit.done)
