"""Words broken over two lines."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from carrel.page import Line

HYPHENS = "-\u00ac\u00ad\u2010\u2011\u2e17"


class Part(NamedTuple):
    """Half of a broken word: ``kind`` as ALTO's SUBS_TYPE names it, ``whole`` the word put together."""

    kind: str
    whole: str


def broken_words(lines: tuple[Line, ...]) -> dict[tuple[int, int], Part]:
    """Return the halves of words that a hyphen breaks, by (line, word), both counted from 0.

    A word counts as broken when its line ends in a letter and a hyphen and the next line begins with a small letter.
    Every line's words are those of its final text.
    """
    parts: dict[tuple[int, int], Part] = {}
    for index, (line, following) in enumerate(pairwise(lines)):
        first, second = line.final_text.split()[-1:], following.final_text.split()[:1]
        last = len(line.final_text.split()) - 1
        if first and second and (index, last) not in parts and _is_broken(first[0], second[0]):
            whole = first[0][:-1] + second[0]
            parts[index, last] = Part("HypPart1", whole)
            parts[index + 1, 0] = Part("HypPart2", whole)
    return parts


def _is_broken(first: str, second: str) -> bool:
    return len(first) > 1 and first[-1] in HYPHENS and first[-2].isalpha() and second[0].islower()
