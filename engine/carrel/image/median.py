"""The median, without what `numpy.median` loads and does for masked arrays: that takes as long as a small network to load."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def median(values: ArrayLike) -> float:
    """Return the middle one of one or more values, or the mean of the two in the middle."""
    ordered = np.sort(np.asarray(values), axis=None)
    return float(ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]].mean())


def row_medians(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the median of each row, ``(n, k)`` to ``(n,)``."""
    ordered, count = np.sort(values, axis=1), values.shape[1]
    return ordered[:, [(count - 1) // 2, count // 2]].mean(axis=1)
