"""Other readings of single words, from other readings of their line."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

MOST_READINGS = 6
MOST_WORDS = 2
"""A word may be read as so many, or so many as one."""


def readings_of_words(words: Sequence[str], alternatives: Sequence[str]) -> list[list[str]]:
    """Return for each word what stands in its place in other readings of the line, in their order, none twice.

    Parameters
    ----------
    words
        Those of the line as it was read.
    alternatives
        Other readings of the whole line.
    """
    found: list[dict[str, None]] = [{} for _ in words]
    for alternative in alternatives:
        other = alternative.split()
        matcher = SequenceMatcher(None, words, other, autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            if kind == "replace":
                for index, reading in _pairs(a, other[c:d], b - a):
                    found[index][reading] = None
    return [
        [reading for reading in own if reading != word][:MOST_READINGS] for word, own in zip(words, found, strict=True)
    ]


def _pairs(first: int, other: Sequence[str], count: int) -> list[tuple[int, str]]:
    """Words from ``first`` on and what was read instead: one for one, or one word as several."""
    if len(other) == count:
        return [(first + k, reading) for k, reading in enumerate(other)]
    return [(first, " ".join(other))] if count == 1 and len(other) <= MOST_WORDS else []
