"""Handwriting: a CTC network over a line image, decoded greedily.

The network's input is ink: paper 0, the line's darkest ink 1 (`to_ink`), as in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Backend
from carrel.decode.greedy import greedy
from carrel.decode.types import Decoded
from carrel.recognizers.types import CharacterSpan, Recognition, words_of
from carrel.store.models import Model

MIN_CONTRAST = 24.0
MAX_WIDTH_PX = 8192
"""A crop that is wider after scaling is no line of writing."""


def to_ink(gray: NDArray[np.uint8], height_px: int, margin_px: int) -> NDArray[np.float32]:
    """Scale a line to ``height_px`` and normalize it: paper (the 80th percentile) 0, the darkest 1 % 1.

    Returns float32 ``(1, 1, height_px, width)`` in [0, 1], with ``margin_px`` of paper on both sides and ``width`` a
    multiple of 4.
    """
    import cv2

    width = max(1, round(gray.shape[1] * height_px / gray.shape[0]))
    interpolation = cv2.INTER_AREA if height_px < gray.shape[0] else cv2.INTER_LINEAR
    scaled = cv2.resize(gray, (width, height_px), interpolation=interpolation)
    cumulated = np.cumsum(np.bincount(scaled.ravel(), minlength=256))
    ink_level, paper_level = np.searchsorted(cumulated, np.array((0.01, 0.8)) * scaled.size)
    contrast = np.float32(max(float(paper_level - ink_level), MIN_CONTRAST))
    ink = np.clip((np.float32(paper_level) - scaled.astype(np.float32)) / contrast, 0.0, 1.0)
    right = margin_px + -(width + 2 * margin_px) % 4
    return np.pad(ink, ((0, 0), (margin_px, right)))[None, None].astype(np.float32)


class CtcRecognizer:
    """Reads handwriting with the network of a model folder.

    Parameters
    ----------
    model
        A ``recognition`` model.
    backend
        The network of one of its files.
    """

    name = "ctc"

    def __init__(self, model: Model, backend: Backend) -> None:
        manifest: Any = model.manifest
        self._backend = backend
        self._alphabet: str = manifest["alphabet"]
        self._blank: int = manifest["blank"]
        self._stride_px: int = manifest["stride_px"]
        self._height_px: int = manifest["input"]["height_px"]
        self._margin_px: int = manifest["input"]["margin_px"]
        self._temperature: float = manifest["calibration"]["temperature"]

    def logits_of(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of one line, float32 ``(t, classes)``."""
        return self._backend.run(to_ink(crop, self._height_px, self._margin_px))[0]

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[Recognition]:
        return [self._read_one(crop) for crop in crops]

    def _read_one(self, crop: NDArray[np.uint8]) -> Recognition:
        height, width = crop.shape
        if width * self._height_px > MAX_WIDTH_PX * height:
            return Recognition("", 0.0, reason="wider than any line of writing")
        decoded = greedy(self.logits_of(crop), blank=self._blank, temperature=self._temperature)
        return self._recognition(decoded, px_per_frame=self._stride_px * height / self._height_px, height_px=height)

    def _recognition(self, decoded: Decoded, px_per_frame: float, height_px: int) -> Recognition:
        margin = self._margin_px * height_px / self._height_px
        characters = [
            CharacterSpan(
                self._alphabet[c - 1], p, max(0.0, start * px_per_frame - margin), end * px_per_frame - margin
            )
            for c, p, start, end in zip(
                decoded.classes, decoded.probabilities, decoded.starts, decoded.ends, strict=True
            )
        ]
        text = "".join(c.text for c in characters).strip()
        reason = "" if text else "no text in it"
        return Recognition(text, decoded.confidence if text else 0.0, words_of(characters), reason)
