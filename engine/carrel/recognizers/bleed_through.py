"""Bleed-through: writing of the other side of the paper, whose mirror image is read clearly better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carrel.recognizers.spread import Spread
from carrel.recognizers.types import Reading, Recognition, Recognizer

MAX_CONFIDENCE = 0.7
"""A written line that is read with more confidence is not mirrored."""
MAX_PRINTED_CONFIDENCE = 0.9
"""A printed line that is read with more confidence is not mirrored."""
SAMPLE_LINES = 3
MIN_MIRRORED_CONFIDENCE = 0.45
MIN_CONFIDENCE_GAIN = 0.1
"""The mirror image of bleed-through is read with more than the first, and by more than the second better than the line."""
MIN_ASPECT = 3.0
"""Lines that are shorter, in heights, are read alike either way."""
REFUSAL = "bleed-through from the other side of the paper"


def refuse_bleed_through(
    crops: Sequence[NDArray[np.uint8]], readings: Sequence[Reading], recognizer: Recognizer, spread: Spread
) -> list[Reading]:
    """Return the readings with bleed-through refused; what was read of it is kept among ``others``.

    Parameters
    ----------
    crops
        Lines, uint8 ``(height, width)``, ink dark.
    readings
        Their readings; only handwriting that ``recognizer`` read is looked at.
    recognizer
        Reads the mirror images, all in one call.
    """
    doubtful = [k for k, (crop, r) in enumerate(zip(crops, readings, strict=True)) if _is_doubtful(crop, r, recognizer)]
    return _refused(readings, _mirrored(crops, readings, doubtful, recognizer, spread))


def refuse_printed_bleed_through(
    crops: Sequence[NDArray[np.uint8]], readings: Sequence[Reading], recognizer: Recognizer, spread: Spread
) -> list[Reading]:
    """Return the readings with print of the other side refused, as `refuse_bleed_through` does with writing.

    ``recognizer`` is that of print. It reads the mirror images of a few doubtful lines first: poor print costs no more.
    What counts is what it read itself: another one may be surer of nonsense.
    """
    doubtful = [
        k
        for k, (crop, reading) in enumerate(zip(crops, readings, strict=True))
        if 0.0 < _own_confidence(reading, recognizer) < MAX_PRINTED_CONFIDENCE
        and crop.shape[1] >= MIN_ASPECT * crop.shape[0]
        and reading.writing.kind != "handwritten"
    ]
    sample = sorted(doubtful, key=lambda k: -crops[k].shape[1])[:SAMPLE_LINES]
    if len(sample) < SAMPLE_LINES:
        return list(readings)
    half = SAMPLE_LINES // 2 + 1  # without one among these there is no majority
    found = _mirrored(crops, readings, sample[:half], recognizer, spread)
    if found:
        found += _mirrored(crops, readings, sample[half:], recognizer, spread)
    if 2 * len(found) <= SAMPLE_LINES:
        return list(readings)
    rest = [k for k in doubtful if k not in sample]
    return _refused(readings, found + _mirrored(crops, readings, rest, recognizer, spread))


def _mirrored(
    crops: Sequence[NDArray[np.uint8]],
    readings: Sequence[Reading],
    lines: Sequence[int],
    recognizer: Recognizer,
    spread: Spread,
) -> list[int]:
    """Those of the lines, given by their indices, whose mirror images are read clearly better."""
    if not lines:
        return []
    read = recognizer.read([np.ascontiguousarray(crops[k][:, ::-1]) for k in lines], spread)
    own = [_own_confidence(readings[k], recognizer) for k in lines]
    least = [max(MIN_MIRRORED_CONFIDENCE, confidence + MIN_CONFIDENCE_GAIN) for confidence in own]
    return [k for k, mirror, bound in zip(lines, read, least, strict=True) if mirror.confidence > bound]


def _own_confidence(reading: Reading, recognizer: Recognizer) -> float:
    """The confidence of what a recognizer read in a line; 0 where it read nothing."""
    tried = {reading.recognizer: reading.recognition, **dict(reading.others)}
    return tried[recognizer.name].confidence if recognizer.name in tried else 0.0


def _refused(readings: Sequence[Reading], lines: Sequence[int]) -> list[Reading]:
    checked = list(readings)
    for k in lines:
        line = readings[k]
        others = ((line.recognizer, line.recognition), *line.others)
        refused = Recognition("", 0.0, reason=REFUSAL)
        checked[k] = replace(line, recognition=refused, recognizer="", others=others, bleed_through=True)
    return checked


def _is_doubtful(crop: NDArray[np.uint8], reading: Reading, recognizer: Recognizer) -> bool:
    written = reading.recognizer == recognizer.name and reading.writing.kind == "handwritten"
    long = crop.shape[1] >= MIN_ASPECT * crop.shape[0]
    return written and long and reading.recognition.confidence < MAX_CONFIDENCE
