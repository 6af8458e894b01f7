"""Light writing that no line covers: what a search for dark ink passes over."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import median_level
from carrel.layout.ink import Mask
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion
from carrel.page import Region

SIDE_PX = 1000
"""Longer side of the copy of a page that is searched."""
_GROUND_PX = 31  # wider than any stroke
_LEAST_STEP, _NOISE_STEPS = 6.0, 6.0  # gray levels, and times the usual step between a px and its ground
_MIN_LETTERS = 4  # holes for a binder are fewer
_LETTER_PX = (4, 8)  # least height and area
_LARGEST_LETTER = (0.3, 0.2)  # shares of the page's width and height
_MIN_LIGHTER_RATIO = (
    2.0  # light to dark px; 37 pages of archives are below 0.4, pages of light writing above 10; 2026-11
)


def uncovered_light_ink(gray: NDArray[np.uint8], regions: Sequence[FoundRegion | Region]) -> float:
    """Measure the share of the ink of a page of mostly light writing that lies in no line.

    Parameters
    ----------
    gray
        The page as it was scanned, uint8 ``(h, w)``: flattened pages have lost what is lighter than their paper.
    regions
        What was found on it, in px of ``gray``.

    Returns
    -------
    float
        In [0, 1]; 0 for a page whose ink is mostly dark.
    """
    light, dark_px = _light_and_dark(gray, regions)
    if cv2.countNonZero(light) <= _MIN_LIGHTER_RATIO * dark_px:  # then its letters are no more
        return 0.0
    light_px = cv2.countNonZero(_letters(light))
    return light_px / (light_px + dark_px) if light_px > _MIN_LIGHTER_RATIO * dark_px else 0.0


def light_letters(gray: NDArray[np.uint8], regions: Sequence[FoundRegion | Region]) -> Mask:
    """Mark light letters outside all lines, uint8 0 or 1 on a copy of the page with sides of at most `SIDE_PX`."""
    return _letters(_light_and_dark(gray, regions)[0])


def _light_and_dark(gray: NDArray[np.uint8], regions: Sequence[FoundRegion | Region]) -> tuple[Mask, int]:
    """What is lighter than its ground outside all lines, 0 or 1 on the smaller copy, and how many px are darker."""
    scale = min(1.0, SIDE_PX / max(gray.shape))
    if scale * min(gray.shape) < SMALLEST_SIDE_PX:
        return np.zeros((1, 1), np.uint8), 0
    size = (round(gray.shape[1] * scale), round(gray.shape[0] * scale))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    ground = cv2.medianBlur(small, _GROUND_PX)
    step = max(_LEAST_STEP, _NOISE_STEPS * median_level(cv2.absdiff(small, ground).astype(np.uint8)))
    light = (cv2.subtract(small, ground) > step).astype(np.uint8)
    for line in (line for region in regions for line in region.lines):
        cv2.fillPoly(light, [np.rint(np.asarray(line.polygon, np.float32) * scale).astype(np.int32)], (0,))
    dark_px = int(np.count_nonzero(cv2.subtract(ground, small) > step))
    return light, dark_px


def _letters(light: Mask) -> Mask:
    height, width = light.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(light, connectivity=8)
    wide, high, area = (stats[:, i] for i in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    kept = (high >= _LETTER_PX[0]) & (area >= _LETTER_PX[1])
    kept &= (wide < _LARGEST_LETTER[0] * width) & (high < _LARGEST_LETTER[1] * height)
    kept[0] = False
    if np.count_nonzero(kept) < _MIN_LETTERS:
        kept[:] = False
    return kept.astype(np.uint8)[labels] if count > 1 else np.zeros_like(light)
