"""Ink that no line covers: what a reader of the text would never know of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink, Mask, find_ink
from carrel.layout.light_ink import light_letters, uncovered_light_ink
from carrel.layout.page_ink import PageInk
from carrel.layout.tables.rulings import without_long_rulings
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion
from carrel.page import STAMP_ZONE, Region

SMALLEST_LETTER = 0.15
STRIP = (0.2, 0.03)
"""Ink longer than the first share of a side of the page and thinner than the second is an edge, a fold or a ruling."""
LITTLE = 0.01
"""Where no more than this share of the ink is left over and no ruling was seen among it, rulings are not looked for again."""


def measure_uncovered(page: PageInk, regions: Sequence[FoundRegion]) -> float:
    """Measure the share of a page's ink that lies in no line's polygon and in no stamp.

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
    written, outside = _ink_and_uncovered(page, regions)
    return _share(outside, written)


def mark_uncovered(gray: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Mark the ink that no line and no stamp covers; as `measure_uncovered`, at a resolution of its own. Light letters are marked
    on a page that holds mostly those."""
    outside = _ink_and_uncovered(PageInk(gray), regions)[1]
    if uncovered_light_ink(gray, regions):
        light = light_letters(gray, regions)
        light = cv2.resize(light, outside.shape[::-1], interpolation=cv2.INTER_NEAREST)
        outside = np.maximum(outside, light, dtype=np.uint8)
    return outside.view(bool)


def _ink_and_uncovered(page: PageInk, regions: Sequence[FoundRegion | Region]) -> tuple[Mask, Mask]:
    """Writing, and writing outside all lines and stamps, ``(h, w)`` uint8 0 or 1 at working resolution."""
    if min(page.gray.shape) < SMALLEST_SIDE_PX:
        return np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8)
    small, scale = page.small
    free = np.ones(small.shape, np.uint8)
    covering = [line.polygon for region in regions for line in region.lines]
    covering += [region.polygon for region in regions if region.kind == STAMP_ZONE]
    for polygon in covering:
        cv2.fillPoly(free, [np.rint(np.asarray(polygon, np.float32) * scale).astype(np.int32)], (0,))
    written = _written(page.ink)
    if not page.ink.whole or _share(written & free, written) > LITTLE:
        cleaned = without_long_rulings(small)
        written = written if cleaned is small else _written(find_ink(cleaned))
    return written, written & free


def _share(part: Mask, whole: Mask) -> float:
    return cv2.countNonZero(part) / max(1, cv2.countNonZero(whole))


def _written(ink: Ink) -> Mask:
    """Ink of the size of letters."""
    stats = ink.parts.stats
    letters = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_LETTER * ink.x_height_px**2
    return ink.parts.kept(letters & ~_is_strip(stats, ink.parts.shape)).mask()


def _is_strip(stats: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    width, height = stats[:, cv2.CC_STAT_WIDTH] / shape[1], stats[:, cv2.CC_STAT_HEIGHT] / shape[0]
    return ((width > STRIP[0]) & (height < STRIP[1])) | ((height > STRIP[0]) & (width < STRIP[1]))
