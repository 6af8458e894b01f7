"""Ink that no line covers: what a reader of the text would never know of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import at_working_size, find_ink
from carrel.layout.rules import without_long_rules
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion, Points

SMALLEST_LETTER = 0.15
STRIP = (0.2, 0.03)
"""Ink longer than the first share of a side of the page and thinner than the second is an edge, a fold or a rule."""


def uncovered_ink(gray: NDArray[np.uint8], regions: Sequence[FoundRegion]) -> float:
    """Share of a page's ink that lies in no line's polygon.

    Borders, edges of paper, rulings and specks too small for a letter are no ink.

    Parameters
    ----------
    gray
        ``(h, w)`` uint8, illumination flattened (paper near 255, ink dark): the image that was searched.
    regions
        What was found on it.

    Returns
    -------
    float
        In [0, 1]; 0 for a page without ink.
    """
    written, outside = _ink_and_uncovered(gray, [line.polygon for region in regions for line in region.lines])
    return float(np.count_nonzero(outside)) / max(1, np.count_nonzero(written))


def uncovered_mask(gray: NDArray[np.uint8], polygons: Sequence[Points]) -> NDArray[np.bool_]:
    """Where the ink lies that no polygon ``(m, 2)`` holds; as `uncovered_ink`, at a resolution of its own."""
    return _ink_and_uncovered(gray, polygons)[1]


def _ink_and_uncovered(
    gray: NDArray[np.uint8], polygons: Sequence[Points]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Writing, and writing outside all polygons, ``(h, w)`` at working resolution."""
    if min(gray.shape) < SMALLEST_SIDE_PX:
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    small, scale = at_working_size(gray)
    ink = find_ink(without_long_rules(small))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    letters = (stats[:, cv2.CC_STAT_AREA] >= SMALLEST_LETTER * ink.x_height_px**2) & ~_is_strip(
        stats.astype(np.int32), ink.mask.shape
    )
    letters[0] = False
    written = letters[labels.astype(np.int32)]
    covered = np.zeros(ink.mask.shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(covered, [np.rint(polygon * scale).astype(np.int32)], (1,))
    return written, written & (covered == 0)


def _is_strip(stats: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    width, height = stats[:, cv2.CC_STAT_WIDTH] / shape[1], stats[:, cv2.CC_STAT_HEIGHT] / shape[0]
    return ((width > STRIP[0]) & (height < STRIP[1])) | ((height > STRIP[0]) & (width < STRIP[1]))
