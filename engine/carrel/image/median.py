"""The median, without what `numpy.median` loads and does for masked arrays: that takes as long as a small network to load."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def median(values: ArrayLike) -> float:
    """The middle one of any number of values above 0, or the mean of the two in the middle."""
    ordered = np.sort(np.asarray(values), axis=None)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)
