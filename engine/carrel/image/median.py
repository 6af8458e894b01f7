"""The median, without what `numpy.median` loads and does for masked arrays: that takes as long as a small network to load."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def median(values: ArrayLike) -> float:
    """Return the middle one of one or more values, or the mean of the two in the middle."""
    ordered = np.sort(np.asarray(values), axis=None)
    return float(ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]].mean())
