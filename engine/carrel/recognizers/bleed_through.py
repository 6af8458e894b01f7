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
    mirrored = recognizer.read([np.ascontiguousarray(crops[k][:, ::-1]) for k in doubtful], spread) if doubtful else []
    checked = list(readings)
    for k, mirror in zip(doubtful, mirrored, strict=True):
        line = readings[k]
        if mirror.confidence > max(MIN_MIRRORED_CONFIDENCE, line.recognition.confidence + MIN_CONFIDENCE_GAIN):
            others = ((line.recognizer, line.recognition), *line.others)
            refused = Recognition("", 0.0, reason=REFUSAL)
            checked[k] = replace(line, recognition=refused, recognizer="", others=others, bleed_through=True)
    return checked


def _is_doubtful(crop: NDArray[np.uint8], reading: Reading, recognizer: Recognizer) -> bool:
    written = reading.recognizer == recognizer.name and reading.writing.kind == "handwritten"
    long = crop.shape[1] >= MIN_ASPECT * crop.shape[0]
    return written and long and reading.recognition.confidence < MAX_CONFIDENCE
