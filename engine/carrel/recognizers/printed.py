"""Print: the language of each page is detected, and that of each line where its words are of another.

Tesseract reads a line in one language better and in half the time than in two at once. The share of letters in words of
the language's dictionary decides: its confidence is nearly the same in the wrong language, which only misses the accents.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carrel.languages import english_name
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.tesseract import PrintReading, Tesseract, installed_languages
from carrel.recognizers.types import Recognition

Gray = NDArray[np.uint8]

SAMPLE_LINES = 3
"""Longest lines of a page from which its language is detected."""
KNOWN_SHARE = 0.95
"""Share of known letters from which no other language is tried; English read as French reaches 0.8, the other way 0.7."""
UNLIKELY_SHARE = 0.85
"""Share of known letters under which no more lines are tried in a language."""
FOREIGN_SHARE = 0.7
"""Share of known letters under which a line is tried in the other languages,"""
MIN_CONFIDENCE = 0.6
"""unless its confidence is less: in the wrong language print reaches 0.8, handwriting in none."""
MIN_SHARE_GAIN = 0.2
"""A line is of another language where this knows so many more of its letters, as a share."""

CLEAR_CONFIDENCE = 0.8
"""Confidence from which a line counts when it is asked whether a page fits its languages; and how many letters,"""
MIN_HINT_LETTERS = 150
UNKNOWN_SHARE = 0.7
"""and the share of known ones under which it does not: German, Dutch, Italian and Latin reach 0.2 to 0.62 in English,
pages in their own language 0.82 and more."""
_log = logging.getLogger(__name__)


class TesseractRecognizer:
    """A recognizer of printed lines.

    Parameters
    ----------
    languages
        Tesseract language codes to choose from, most likely first; one alone is used for every line.
    timeout_s
        A line that takes longer is refused.

    Raises
    ------
    ModelError
        A language is not installed.
    """

    name = "tesseract"

    def __init__(self, languages: Sequence[str], timeout_s: float) -> None:
        self._languages = tuple(languages)
        self._tesseract = Tesseract(self._languages, timeout_s)

    def for_page(self, crops: Sequence[Gray]) -> PageOfPrint:
        """Return what reads ``crops``, the printed lines of a page, once its language is detected."""
        return detect_language(self._tesseract, self._languages, crops)

    def read(self, crops: Sequence[Gray], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return self.for_page(crops).read(crops, spread)


def detect_language(tesseract: Tesseract, languages: tuple[str, ...], crops: Sequence[Gray]) -> PageOfPrint:
    """Detect the language of a page from its printed lines, the longest ones; what was read on the way is kept."""
    if len(languages) == 1 or not crops:
        return PageOfPrint(tesseract, languages)
    sample = sorted(crops, key=lambda crop: -crop.shape[1])[:SAMPLE_LINES]
    read: dict[str, list[PrintReading]] = {}
    for language in languages:
        read[language] = _tried(tesseract, sample, language)
        if known(read[language]) >= KNOWN_SHARE:
            break
    order = sorted(languages, key=lambda language: -known(read.get(language, ())))
    memory = {id(crop): reading for crop, reading in zip(sample, read[order[0]], strict=False)}
    return PageOfPrint(tesseract, tuple(order), memory)


def _tried(tesseract: Tesseract, sample: Sequence[Gray], language: str) -> list[PrintReading]:
    """Read lines in a language, up to the one with which it becomes unlikely to be theirs."""
    readings: list[PrintReading] = []
    for crop in sample:
        readings.append(tesseract.read(crop, language))
        if known(readings) < UNLIKELY_SHARE:
            break
    return readings


def known(readings: Sequence[PrintReading]) -> float:
    """Return the share in [0, 1] of known letters in lines, each weighted by the length of its text; 0 without text."""
    lengths = [len(reading.recognition.text) for reading in readings]
    return sum(r.known * n for r, n in zip(readings, lengths, strict=True)) / max(1, sum(lengths))


@dataclass(frozen=True)
class PageOfPrint:
    """The language of a page, and its lines: read in the first of ``languages``, in the others where that knows few words.

    ``memory`` holds readings in the first language by the identity of the crop, which the caller keeps.
    """

    tesseract: Tesseract
    languages: tuple[str, ...]
    memory: Mapping[int, PrintReading] = field(default_factory=dict[int, PrintReading])
    name: str = TesseractRecognizer.name

    def read(self, crops: Sequence[Gray], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        readings = spread.map(self._read_one, crops)
        if fits_no_language(readings):
            _log.warning(
                "print fits none of %s (installed: %s); name its language for better text",
                ", ".join(map(english_name, self.languages)),
                ", ".join(installed_languages()),
            )
        return [reading.recognition for reading in readings]

    def _read_one(self, crop: Gray) -> PrintReading:
        first, *others = self.languages
        best = self.memory.get(id(crop)) or self.tesseract.read(crop, first)
        if others and best.known < FOREIGN_SHARE and best.recognition.confidence >= MIN_CONFIDENCE:
            for other in (self.tesseract.read(crop, language) for language in others):
                best = other if other.known > best.known + MIN_SHARE_GAIN else best
        return best


def fits_no_language(readings: Sequence[PrintReading]) -> bool:
    """Tell whether a page's print is clear but mostly of words that its languages do not know."""
    clear = [reading for reading in readings if reading.recognition.confidence >= CLEAR_CONFIDENCE]
    letters = sum(len(reading.recognition.text) for reading in clear)
    return letters >= MIN_HINT_LETTERS and known(clear) < UNKNOWN_SHARE
