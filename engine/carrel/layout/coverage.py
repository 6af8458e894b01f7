"""Ink that no line covers: what a reader of the text would never know of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import components_kept, find_ink
from carrel.layout.page_ink import PageInk
from carrel.layout.rules import without_long_rules
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion, Points

SMALLEST_LETTER = 0.15
STRIP = (0.2, 0.03)
"""Ink longer than the first share of a side of the page and thinner than the second is an edge, a fold or a rule."""


def uncovered_ink(page: PageInk, regions: Sequence[FoundRegion]) -> float:
    """Share of a page's ink that lies in no line's polygon.

    Borders, edges of paper, rulings and specks too small for a letter are no ink.

    Parameters
    ----------
    page
        The image that was searched.
    regions
        What was found on it.

    Returns
    -------
    float
        In [0, 1]; 0 for a page without ink.
    """
    written, outside = _ink_and_uncovered(page, [line.polygon for region in regions for line in region.lines])
    return float(np.count_nonzero(outside)) / max(1, np.count_nonzero(written))


def uncovered_mask(gray: NDArray[np.uint8], polygons: Sequence[Points]) -> NDArray[np.bool_]:
    """Where the ink lies that no polygon ``(m, 2)`` holds; as `uncovered_ink`, at a resolution of its own."""
    return _ink_and_uncovered(PageInk(gray), polygons)[1]


def _ink_and_uncovered(page: PageInk, polygons: Sequence[Points]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Writing, and writing outside all polygons, ``(h, w)`` at working resolution."""
    if min(page.gray.shape) < SMALLEST_SIDE_PX:
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    small, scale = page.small
    cleaned = without_long_rules(small)
    ink = page.ink if cleaned is small else find_ink(cleaned)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    stats = stats.astype(np.int32, copy=False)
    letters = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_LETTER * ink.x_height_px**2
    letters &= ~_is_strip(stats, ink.mask.shape)
    written = components_kept(ink.mask, labels.astype(np.int32, copy=False), letters).view(bool)
    covered = np.zeros(ink.mask.shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(covered, [np.rint(polygon * scale).astype(np.int32)], (1,))
    return written, written & (covered == 0)


def _is_strip(stats: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    width, height = stats[:, cv2.CC_STAT_WIDTH] / shape[1], stats[:, cv2.CC_STAT_HEIGHT] / shape[0]
    return ((width > STRIP[0]) & (height < STRIP[1])) | ((height > STRIP[0]) & (width < STRIP[1]))
