"""Which recognizer reads which line: print to Tesseract, handwriting to the CTC network, both where unsure.

Lines of one page are mostly of one kind, so what the other lines look like counts as the prior of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import holds_ink
from carrel.page import Writing
from carrel.recognizers.types import PageRecognizer, Recognition, Recognizer

Gray = NDArray[np.uint8]
Spread = Callable[..., Iterable[Any]]

SURE = 0.9
"""Above this probability of its writing a line goes to one recognizer alone."""
SURE_READING = 0.9
"""A line taken for handwriting that is read with this confidence is not read as print, however unsure its writing."""
DOUBTFUL_PRINT = 0.75
"""A printed line that Tesseract reads with less confidence is read by the other recognizer too."""
DOUBTFUL_HAND = 0.7
"""A written line that is read with less confidence may be mirrored: writing of the other side of the paper."""
MIRRORED, CLEARLY = 0.45, 0.1
"""It is where its mirror image is read with more than this confidence, and by so much more."""
LEAST_ASPECT = 3.0
"""Shorter lines, in heights, are read alike either way."""
PRIOR_LIMITS = (0.05, 0.95)
"""However alike the other lines are, one that differs clearly is believed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A line's reading, who read it, what the line is taken for, and what else was read.

    ``shows_through`` marks writing of the other side of the paper: it is refused, and what was read is in ``others``.
    """

    recognition: Recognition
    recognizer: str
    writing: Writing
    others: tuple[tuple[str, Recognition], ...] = ()
    shows_through: bool = False


@dataclass(frozen=True)
class Router:
    """Reads lines with two recognizers.

    ``probability_printed`` gives for a crop the probability in [0, 1] that it is print; ``writing`` other than "auto"
    sends every line to one recognizer.
    """

    printed: PageRecognizer
    handwritten: Recognizer
    probability_printed: Callable[[Gray], float]
    writing: Literal["auto", "printed", "handwritten"] = "auto"

    def read(self, crops: Sequence[Gray], threads: int) -> list[Reading]:
        """Readings of the crops of one page, in their order; the same whatever the number of threads."""
        with _spread(threads if len(crops) > 1 else 1) as spread:
            inked = list(spread(holds_ink, crops))
            printed = self._in_context(crops, inked, spread)
            lines = zip(crops, inked, printed, strict=True)
            print_reader = self.printed.for_page([crop for crop, ink, p in lines if ink and p >= 0.5])
            return list(spread(partial(self._read_one, print_reader), crops, inked, printed))

    def _in_context(self, crops: Sequence[Gray], inked: Sequence[bool], spread: Spread) -> list[float]:
        """Probability of print of each crop, given all."""
        if self.writing != "auto":
            return [float(self.writing == "printed")] * len(crops)
        alone = np.array(list(spread(self._alone, crops, inked)))
        lengths = np.array([crop.shape[1] / crop.shape[0] for crop in crops])
        return in_context(alone, lengths).tolist()

    def _alone(self, crop: Gray, inked: bool) -> float:
        return self.probability_printed(crop) if inked else 0.5

    def _read_one(self, print_reader: Recognizer, crop: Gray, inked: bool, printed: float) -> Reading:
        if not inked:  # Tesseract reads words on empty paper
            return Reading(Recognition("", 0.0, reason="no ink in it"), "", Writing("unknown", 0.5))
        if self.writing != "auto":
            recognizer = print_reader if self.writing == "printed" else self.handwritten
            return Reading(recognizer.read([crop])[0], recognizer.name, Writing(self.writing, 1.0))
        first, second = (print_reader, self.handwritten) if printed >= 0.5 else (self.handwritten, print_reader)
        reading = first.read([crop])[0]
        tried = {first.name: reading}
        if not reading.text or _wants_another(printed, reading.confidence):
            tried[second.name] = second.read([crop])[0]
        best = max(tried, key=lambda name: (bool(tried[name].text), tried[name].confidence))
        others = tuple((name, tried[name]) for name in tried if name != best and tried[name].text)
        reading = Reading(tried[best], best, _writing(printed), others)
        if not self._shows_through(crop, reading):
            return reading
        refused = Recognition("", 0.0, reason="shows through from the other side of the paper")
        return Reading(refused, "", reading.writing, ((best, tried[best]), *others), shows_through=True)

    def _shows_through(self, crop: Gray, reading: Reading) -> bool:
        """Whether a line is writing of the other side of the paper: its mirror image is read clearly better."""
        confidence, height_px = reading.recognition.confidence, crop.shape[0]
        if reading.recognizer != self.handwritten.name or reading.writing.kind != "handwritten":
            return False
        if confidence >= DOUBTFUL_HAND or crop.shape[1] < LEAST_ASPECT * height_px:
            return False
        mirrored = self.handwritten.read([np.ascontiguousarray(crop[:, ::-1])])[0]
        return mirrored.confidence > max(MIRRORED, confidence + CLEARLY)


def _wants_another(printed: float, confidence: float) -> bool:
    """Whether a line that is print with this probability, and was read as what is likelier, is read as the other, too."""
    unsure = max(printed, 1 - printed) < SURE
    return unsure or confidence < DOUBTFUL_PRINT if printed >= 0.5 else unsure and confidence < SURE_READING


@contextmanager
def _spread(threads: int) -> Generator[Spread]:
    """A ``map`` over so many threads."""
    if threads <= 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map


def in_context(probabilities: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities (n,) of one kind given what the other lines of the page are, by Bayes' rule.

    The prior of a line is the mean of the others, weighted by ``lengths`` (n,), and of one even line of mean length.
    """
    if len(probabilities) < 2:
        return probabilities
    even = float(lengths.mean())
    weighted = probabilities * lengths
    prior = (weighted.sum() - weighted + 0.5 * even) / (lengths.sum() - lengths + even)
    prior = np.clip(prior, *PRIOR_LIMITS)
    yes, no = probabilities * prior, (1.0 - probabilities) * (1.0 - prior)
    return yes / np.maximum(yes + no, 1e-12)


def languages_of(readings: Iterable[Reading]) -> tuple[str, ...]:
    """The languages that lines were read in, that of most characters first."""
    characters: Counter[str] = Counter()
    for recognition in (reading.recognition for reading in readings):
        characters[recognition.language] += len(recognition.text)
    return tuple(language for language, _ in characters.most_common() if language)


def _writing(printed: float) -> Writing:
    if max(printed, 1 - printed) < SURE:
        return Writing("unknown", round(max(printed, 1 - printed), 4))
    return Writing("printed", round(printed, 4)) if printed >= 0.5 else Writing("handwritten", round(1 - printed, 4))
