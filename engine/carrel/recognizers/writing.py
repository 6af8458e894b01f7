"""Printed or handwritten: a small network over a line image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Backend
from carrel.image.ink import to_ink
from carrel.models.folders import Model

MAX_WIDTH_PX = 1024
"""Columns that are looked at, after scaling: the writing of a line does not change along it."""


class WritingClassifier:
    """Tells print from handwriting with a ``writing`` model, whose network gives the probability of handwriting."""

    def __init__(self, model: Model, backend: Backend) -> None:
        manifest: Any = model.manifest
        self._backend = backend
        self._height_px: int = manifest["input"]["height_px"]
        self._margin_px: int = manifest["input"]["margin_px"]
        self._multiple_px: int = manifest["input"]["width_multiple_px"]

    def probability_printed(self, crop: NDArray[np.uint8]) -> float:
        """Probability in [0, 1] that a line crop, uint8 ``(height, width)``, is print."""
        ink = to_ink(crop, self._height_px, self._margin_px, self._multiple_px)[..., :MAX_WIDTH_PX]
        return 1.0 - float(self._backend.run(ink).ravel()[0])
