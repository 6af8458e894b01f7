"""Two columns that white space does not part from top to bottom: a heading runs over both, or lines reach across."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.types import Boxes

MIN_COLUMN_LINES = 5
"""Each column has at least as many lines."""
MAX_CROSSING_SHARE = 0.2
"""Lines over both columns are at most this share of those of the shorter one."""
MIN_COLUMN_X_HEIGHTS = 12.0
"""Columns of prose are wider than this, in x-heights: names before speeches and numbers are not."""
MIN_SHARED_HEIGHT = 0.6
"""The columns stand next to each other over at least this share of the height of all."""
MAX_OVERHANG = 0.2
"""A line that reaches over the cut by less than this share of its length, and of the median line's, belongs to its own column."""

Flags = NDArray[np.bool_]


def split_crossed_columns(boxes: Boxes, x_height: float) -> list[Flags] | None:
    """Divide lines into two columns and of what runs over both, in reading order; return None where there are no two columns.

    ``boxes`` ``(n, 4)`` are left, top, right, bottom. Each part is bool (n,). A line over both columns comes after what
    stands over it and before what stands under it.
    """
    found = _best_cut(boxes, x_height)
    if found is None:
        return None
    first, second = found
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    parts: list[Flags] = []
    above = -np.inf
    for below in [*np.unique(middle[~first & ~second]), np.inf]:
        band = (middle >= above) & (middle < below)
        parts += [first & band, second & band, ~first & ~second & (middle == below)]
        above = below
    return [part for part in parts if part.any()]


def _best_cut(boxes: Boxes, x_height: float) -> tuple[Flags, Flags] | None:
    """Which lines make the left and the right column where the fewest lines cross, None where these are no columns."""
    if len(boxes) < 2 * MIN_COLUMN_LINES:
        return None
    left, top, right, bottom = boxes.T
    width = right - left
    cuts = np.unique(np.concatenate((left, right)))[:, None]
    overhang = MAX_OVERHANG * np.minimum(width, median(width))
    first, second = right - overhang <= cuts, left + overhang >= cuts  # (cuts, n)
    fewest = np.minimum(first.sum(axis=1), second.sum(axis=1))
    crossing = (~first & ~second).sum(axis=1)
    wide = np.minimum(_mean_width(first, width), _mean_width(second, width)) > MIN_COLUMN_X_HEIGHTS * x_height
    possible = (fewest >= MIN_COLUMN_LINES) & (crossing <= MAX_CROSSING_SHARE * fewest) & wide
    if not possible.any():
        return None
    over = np.minimum(right - cuts, cuts - left).clip(0.0).sum(axis=1)
    best = int(np.lexsort((over, crossing, ~possible))[0])
    chosen = first[best], second[best]
    return chosen if _beside(top, bottom, *chosen) else None


def _mean_width(chosen: Flags, width: NDArray[np.float64]) -> NDArray[np.float64]:
    return chosen @ width / np.maximum(1, chosen.sum(axis=1))


def _beside(top: NDArray[np.float64], bottom: NDArray[np.float64], first: Flags, second: Flags) -> bool:
    """Whether the columns stand next to each other over most of the height that they take together."""
    shared = min(bottom[first].max(), bottom[second].max()) - max(top[first].min(), top[second].min())
    return bool(shared >= MIN_SHARED_HEIGHT * (bottom.max() - top.min()))
