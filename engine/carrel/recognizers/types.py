"""Inputs and outputs of recognizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from carrel.page import Writing
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread


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


@dataclass(frozen=True, slots=True)
class Reading:
    """A line's recognition, the name of its recognizer, the line's kind of writing, and what else was recognized.

    ``bleed_through`` marks writing of the other side of the paper: it is refused, and what was read is in ``others``.
    """

    recognition: Recognition
    recognizer: str
    writing: Writing
    others: tuple[tuple[str, Recognition], ...] = ()
    bleed_through: bool = False


class Recognizer(Protocol):
    """A reader of line crops, uint8 ``(height, width)``, ink dark; one recognition a crop, in their order.

    ``spread`` says in how many threads, and calls what may stop the work. `read` may itself be called from several
    threads at once.
    """

    @property
    def name(self) -> str: ...

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]: ...


@runtime_checkable
class PageRecognizer(Protocol):
    """A recognizer that looks at the lines of a page first: ``crops`` are those that it will most likely read."""

    def for_page(self, crops: Sequence[NDArray[np.uint8]]) -> Recognizer: ...


def words_of(characters: Sequence[CharacterSpan]) -> tuple[WordSpan, ...]:
    """Split characters at spaces; the confidence of a word is the product of its characters' confidences."""
    words: list[WordSpan] = []
    current: list[CharacterSpan] = []
    for character in [*characters, CharacterSpan(" ", 1.0, 0.0, 0.0)]:
        if character.text != " ":
            current.append(character)
        elif current:
            confidence = float(np.prod([c.confidence for c in current]))
            text = "".join(c.text for c in current)
            left_px, right_px = min(c.left_px for c in current), max(c.right_px for c in current)
            words.append(WordSpan(text, confidence, left_px, right_px, tuple(current)))
            current = []
    return tuple(words)
