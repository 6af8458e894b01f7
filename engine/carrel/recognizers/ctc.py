"""Handwriting: a CTC network over a line image, decoded greedily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Backend
from carrel.decode.greedy import greedy
from carrel.decode.types import Decoded
from carrel.image.ink import to_ink
from carrel.recognizers.types import CharacterSpan, Recognition, words_of
from carrel.store.models import Model

MAX_WIDTH_PX = 8192
"""A crop that is wider after scaling is no line of writing."""


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
