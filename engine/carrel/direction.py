"""Direction of text: which way a word runs, and its letters from logical order to that on the page and back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

_LEFTWARDS = ("R", "AL")
_FORWARDS = ("L", "EN", "AN")
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")


def is_right_to_left(text: str) -> bool:
    """Tell whether the first strongly directed character of ``text`` runs from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in (*_LEFTWARDS, "L"):
            return direction != "L"
    return False


def mostly_right_to_left(texts: Iterable[str]) -> bool:
    """Tell whether more letters of ``texts`` run from right to left than from left to right."""
    directions = Counter(unicodedata.bidirectional(character) for text in texts for character in text)
    return sum(directions[direction] for direction in _LEFTWARDS) > directions["L"]


def reordered(clusters: Sequence[str]) -> list[str]:
    """Return the clusters of a word that runs leftwards in the order of the page, or from there in logical order.

    It is what the Unicode Bidirectional Algorithm (UAX 9) does to a word: all is reversed and brackets are mirrored, but
    numbers and Latin letters in it keep their order. Done twice, nothing has changed.
    """
    turned: list[str] = []
    for backwards, members in groupby(
        clusters, key=lambda cluster: unicodedata.bidirectional(cluster[0]) not in _FORWARDS
    ):
        group = list(members)
        turned = ([cluster.translate(_MIRRORED) for cluster in reversed(group)] if backwards else group) + turned
    return turned


def clusters(text: str) -> list[str]:
    """Return ``text`` cut into letters with the marks, joiners and selectors that belong to them."""
    found: list[str] = []
    for character in text:
        joins = unicodedata.category(character) in ("Mn", "Me", "Mc") or character in _JOINERS
        if found and (joins or found[-1].endswith("\u200d")):
            found[-1] += character
        else:
            found.append(character)
    return found


_JOINERS = "\u200c\u200d"


def logical_word(seen: str) -> str:
    """Return a word whose letters are given from left to right in logical order; words that run rightwards are as they
    are."""
    return "".join(reordered(clusters(seen))) if is_right_to_left(seen) else seen
