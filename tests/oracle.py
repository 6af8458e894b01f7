"""The slow and obvious twin of the pixel kernel, straight from its definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sauvola_threshold(gray: NDArray[np.uint8], window: int, k: float, spread: float) -> NDArray[np.float64]:
    """Threshold at every pixel, over the part of the window that lies on the page; float64, (h, w)."""
    height, width = gray.shape
    reach = window // 2
    threshold = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            seen = gray[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].astype(np.float64)
            threshold[y, x] = seen.mean() * (1 + k * (seen.std() / spread - 1))
    return threshold
