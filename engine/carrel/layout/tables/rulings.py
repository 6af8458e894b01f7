"""Rulings drawn or printed on a page, and the tables that upright ones make."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Mask, components_kept

MIN_DARKNESS = 14.0
"""Least darkness of a ruling against the paper on both its sides."""
BLACKHAT_PX = 9
WINDOW = 5.0
FILLED = 0.78
GAP = 0.03
TALLEST_STROKE = 0.1
LONG = 0.3
MAX_RULING_PX = 6.0
UNEVEN = 0.12
MIN_RELATIVE_DARKNESS = 0.55
"""Short rulings lighter than this share of the usual darkness of the long ones are shadows, folds or from the back."""
SAME_RULING_X_HEIGHTS = 1.5
MIN_RULINGS = 4
MIN_SPAN = 0.35
MIN_SQUARED_RULINGS = 14
SQUARE_X_HEIGHTS = 3.5
"""Paper with so many upright rulings that lie so near to each other, in x-heights, is squared, not a table."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A ruled table, working px: its upright ``rulings`` ``(h, w)`` uint8 and ``box`` (left, top, right, bottom)."""

    rulings: Mask
    box: tuple[float, float, float, float]

    def box_at(self, scale: float) -> tuple[float, float, float, float]:
        """Scale the box to px of a page of which one px is ``scale`` working px."""
        left, top, right, bottom = self.box
        return left / scale, top / scale, right / scale, bottom / scale

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Tell whether a point lies in the table, at least ``margin`` px from its edge."""
        left, top, right, bottom = self.box
        return left + margin <= x <= right - margin and top + margin <= y <= bottom - margin


def upright_rulings(gray: NDArray[np.uint8], x_height_px: float) -> Mask:
    """Find long thin upright strokes of a flattened page ``(h, w)`` uint8 at working resolution; 1 on the ruling.

    A ruling is darker than what lies to both its sides over at least ``TALLEST_STROKE`` of the height of the page, at most
    1 px in 30 aslant from one part to the next, with gaps of a few per cent.
    """
    window = max(48, round(WINDOW * x_height_px))
    across = cv2.getStructuringElement(cv2.MORPH_RECT, (BLACKHAT_PX, 1))
    thin = (cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, across) > MIN_DARKNESS).astype(np.uint8)
    fat = cv2.dilate(thin, np.ones((1, 3), np.uint8))
    filled = cv2.boxFilter(fat, cv2.CV_32F, (1, window), borderType=cv2.BORDER_CONSTANT) > FILLED
    height, gap = gray.shape[0], max(3, round(GAP * gray.shape[0]))
    rows = np.flatnonzero(filled.any(axis=1))
    if not len(rows) or np.ptp(rows) + window // 2 + 2 * gap <= TALLEST_STROKE * height:  # no stroke can be tall enough
        return np.zeros(gray.shape, np.uint8)
    runs = np.minimum(fat, cv2.dilate(filled.astype(np.uint8), np.ones((window // 2, 1), np.uint8)))
    closed = cv2.morphologyEx(runs, cv2.MORPH_CLOSE, np.ones((gap, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed.astype(np.uint8), connectivity=8)
    tall = stats[:, cv2.CC_STAT_HEIGHT] > TALLEST_STROKE * height
    return components_kept(closed.astype(np.uint8, copy=False), labels.astype(np.int32, copy=False), tall)


def without_long_rulings(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the page at working resolution with paper in place of rulings that run over a good part of it, either way.

    ``gray`` itself where there are none.
    """
    upright = _long_and_thin(upright_rulings(gray, 0.0))
    across = _long_and_thin(upright_rulings(np.ascontiguousarray(gray.T), 0.0)).T
    if not (upright.any() or across.any()):
        return gray
    rulings = cv2.dilate(upright | np.ascontiguousarray(across), np.ones((3, 3), np.uint8))
    return np.where(rulings > 0, 255, gray).astype(np.uint8)


def _long_and_thin(rulings: Mask) -> Mask:
    """The rulings over ``LONG`` of the page that are no thicker than rulings are: rows of dense small writing are."""
    if not rulings.any():
        return rulings
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    length = stats[:, cv2.CC_STAT_HEIGHT]
    kept = (length > LONG * rulings.shape[0]) & (stats[:, cv2.CC_STAT_AREA] < MAX_RULING_PX * length)
    return components_kept(rulings, labels.astype(np.int32, copy=False), kept)


def find_table(gray: NDArray[np.uint8], rulings: Mask, x_height_px: float) -> Table | None:
    """Find the ruled table of a page at working resolution among its `upright_rulings`; return None where they make none.

    A table has at least ``MIN_RULINGS`` long rulings that begin and end together, over a good part of the page; a frame,
    a margin and a gutter have fewer, squared paper has many more.
    """
    if not rulings.any():
        return None
    height, width = rulings.shape
    _, labels, stats, centers = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    long = np.flatnonzero(stats[1:, cv2.CC_STAT_HEIGHT] > LONG * height) + 1
    if len(long) < MIN_RULINGS or _is_squared(centers[long, 0], x_height_px):
        return None
    top, bottom = stats[long, cv2.CC_STAT_TOP], stats[long, cv2.CC_STAT_TOP] + stats[long, cv2.CC_STAT_HEIGHT]
    even = np.maximum(np.abs(top - median(top)), np.abs(bottom - median(bottom))) < UNEVEN * height
    places = np.sort(centers[long[even], 0])
    gaps = np.diff(places)
    if (
        1 + int((gaps > SAME_RULING_X_HEIGHTS * x_height_px).sum()) < MIN_RULINGS
        or places[-1] - places[0] < MIN_SPAN * width
    ):
        return None
    left, wide = stats[long[even], cv2.CC_STAT_LEFT], stats[long[even], cv2.CC_STAT_WIDTH]
    box = (float(left.min()), float(top[even].min()), float((left + wide).max()), float(bottom[even].max()))
    labels = labels.astype(np.int32)
    kept = _inside(stats.astype(np.int32), box)
    darkness = np.bincount(labels.ravel(), 255.0 - gray.ravel(), len(stats)) / np.maximum(1, stats[:, cv2.CC_STAT_AREA])
    short = stats[:, cv2.CC_STAT_HEIGHT] <= LONG * height
    kept &= ~(short & (darkness < MIN_RELATIVE_DARKNESS * median(darkness[long[even]])))
    return Table((rulings & kept[labels]).astype(np.uint8), box)


def _is_squared(places: NDArray[np.float64], x_height_px: float) -> bool:
    """Whether rulings at these places are those of squared paper."""
    return len(places) >= MIN_SQUARED_RULINGS and median(np.diff(np.sort(places))) < SQUARE_X_HEIGHTS * x_height_px


def _inside(stats: NDArray[np.int32], box: tuple[float, ...]) -> NDArray[np.bool_]:
    """Which rulings stand mostly between the top and the bottom of the table and its first and last ruling."""
    left, top, width, height = stats[:, :4].T
    shared = np.minimum(top + height, box[3]) - np.maximum(top, box[1])
    kept = (shared > 0.5 * height) & (left + width > box[0]) & (left < box[2])
    kept[0] = False
    return kept
