"""What a recognizer takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CharacterSpan:
    """One character: its confidence in [0, 1] and the columns of the crop it covers, px."""

    text: str
    confidence: float
    left_px: float
    right_px: float


@dataclass(frozen=True, slots=True)
class WordSpan:
    """One word: its confidence in [0, 1] and the columns of the crop it covers, px."""

    text: str
    confidence: float
    left_px: float
    right_px: float
    characters: tuple[CharacterSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """The reading of one line.

    ``text`` is empty where nothing was read; ``reason`` then says why. ``alternatives`` are other texts with their
    confidences, better ones first. ``language`` is the one that the line was read in, empty where there was no choice.
    """

    text: str
    confidence: float
    words: tuple[WordSpan, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    language: str = ""


class Recognizer(Protocol):
    """Reads line crops, uint8 ``(height, width)``, ink dark. May be called from several threads at once."""

    @property
    def name(self) -> str: ...

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[Recognition]: ...


class PageRecognizer(Protocol):
    """Makes ready for the lines of one page: ``crops`` are those that it will most likely be asked to read."""

    @property
    def name(self) -> str: ...

    def for_page(self, crops: Sequence[NDArray[np.uint8]]) -> Recognizer: ...


def words_of(characters: Sequence[CharacterSpan]) -> tuple[WordSpan, ...]:
    """Split characters at spaces; a word is as sure as the product of its characters' confidences."""
    words: list[WordSpan] = []
    current: list[CharacterSpan] = []
    for character in [*characters, CharacterSpan(" ", 1.0, 0.0, 0.0)]:
        if character.text != " ":
            current.append(character)
        elif current:
            confidence = float(np.prod([c.confidence for c in current]))
            text = "".join(c.text for c in current)
            words.append(WordSpan(text, confidence, current[0].left_px, current[-1].right_px, tuple(current)))
            current = []
    return tuple(words)
