"""Visual order: Hebrew and Arabic whose letters or words are stored as they stand from left to right.

Unicode stores what is read first first. Some letters stand at the end of a word alone; where words begin with them, their
letters are reversed. Where the words of a line come from left to right, the words are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from carrel.direction import is_right_to_left
from carrel.formats.check.findings import Finding
from carrel.page import Line, Page, Word

_ENDING_ONLY = "\u05da\u05dd\u05df\u05e3\u05e5\u0629\u0649"  # final kaf, mem, nun, pe, tsadi; teh marbuta, alef maksura
_NOT_LAST = "<initial>"
_NOT_FIRST = "<final>"


def order_findings(page: Page) -> Iterator[Finding]:
    """Yield what stands in visual order on a page."""
    texts = [line.final_text for line in page.lines]
    words = [letters for text in texts for word in text.split() if len(letters := _letters(word)) > 1]
    begin, end = sum(map(_begins_as_it_ends, words)), sum(map(_ends_as_it_ends, words))
    if begin > end:
        told = next(word for word in words if _begins_as_it_ends(word))
        yield Finding(
            "text", f"{begin} words such as {told} begin with a letter that ends words: letters in visual order"
        )
    for line in page.lines:
        if _runs_rightwards(line):
            where = line.id or line.final_text[:40]
            yield Finding(where, "its words come from left to right: words in visual order; the first is the rightmost")


def _letters(word: str) -> str:
    """The letters of a word that runs leftwards, without marks and signs around it; "" of others."""
    kept = "".join(character for character in word if unicodedata.category(character).startswith("L"))
    return kept if all(map(is_right_to_left, kept)) else ""


def _begins_as_it_ends(word: str) -> bool:
    return _only_ends(word[0]) or _form(word[-1]) == _NOT_LAST


def _ends_as_it_ends(word: str) -> bool:
    return _only_ends(word[-1]) or _form(word[0]) == _NOT_LAST


def _only_ends(letter: str) -> bool:
    return letter in _ENDING_ONLY or _form(letter) == _NOT_FIRST


def _form(letter: str) -> str:
    """The form of a letter that is shaped already: <initial>, <medial>, <final>, <isolated>; "" of others."""
    return unicodedata.decomposition(letter).partition(" ")[0] if unicodedata.decomposition(letter)[:1] == "<" else ""


def _runs_rightwards(line: Line) -> bool:
    """Whether a level line of words that all run leftwards has them from left to right."""
    words = [word for word in line.words if _letters(word.text)]
    others = any(unicodedata.bidirectional(c) in ("L", "EN", "AN") for word in line.words for c in word.text)
    return len(words) > 1 and not others and _share_a_row(words) and _ascends(_middles(words))


def _share_a_row(words: Sequence[Word]) -> bool:
    return max(word.box.top for word in words) < min(word.box.bottom for word in words)


def _middles(words: Iterable[Word]) -> list[int]:
    return [word.box.left + word.box.right for word in words]


def _ascends(values: Sequence[int]) -> bool:
    return all(first < second for first, second in pairwise(values))
