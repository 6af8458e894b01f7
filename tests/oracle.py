"""Slow and obvious twins of the pixel kernels, straight from their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def flattened(gray: NDArray[np.uint8], gain: NDArray[np.float32], cell: int) -> NDArray[np.float64]:
    """``gray`` times the bilinear gain, not rounded, at most 255; float64, (h, w)."""
    height, width = gray.shape
    lit = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            down, across = (y + 0.5) / cell - 0.5, (x + 0.5) / cell - 0.5
            lit[y, x] = min(float(gray[y, x]) * _bilinear(gain, down, across), 255.0)
    return lit


def _bilinear(values: NDArray[Any], down: float, across: float) -> float:
    """The value at a place between the points of a grid; the edge holds outside."""
    rows, columns = values.shape
    total = 0.0
    for row in range(math.floor(down), math.floor(down) + 2):
        for column in range(math.floor(across), math.floor(across) + 2):
            weight = (1 - abs(down - row)) * (1 - abs(across - column))
            total += weight * float(values[min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)])
    return total


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
