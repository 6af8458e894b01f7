"""Classification of writing, printed or handwritten: a small network over a line image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network
from carrel.image.ink import to_ink
from carrel.models.folders import Model
from carrel.models.manifest import Writing
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread

MAX_WIDTH_PX = 1024
"""Columns that are looked at, after scaling: the writing of a line does not change along it."""


class WritingClassifier:
    """A classifier of print and handwriting with a ``writing`` model, whose network gives the probability of handwriting."""

    def __init__(self, model: Model, network: Network) -> None:
        self._network = network
        self._input = model.manifest_as(Writing).input

    def probability_printed(self, crop: NDArray[np.uint8]) -> float:
        """Return probability in [0, 1] that a line crop, uint8 ``(height, width)``, is print."""
        of = self._input
        ink = to_ink(crop, of.height_px, of.margin_px, of.width_multiple_px)[..., :MAX_WIDTH_PX]
        return 1.0 - float(self._network.run({"ink": ink})["handwritten"].ravel()[0])

    def classify(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> NDArray[np.float64]:
        """Return the probabilities of print and of handwriting of each crop, ``(n, 2)`` in [0, 1]."""
        printed = np.array(spread.map(self.probability_printed, crops), np.float64)
        return np.stack([printed, 1.0 - printed], axis=1)
