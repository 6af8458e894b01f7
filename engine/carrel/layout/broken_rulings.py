"""Upright rulings that are not connected: rows of dots, dashes and broken strokes over each other, with white to both sides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.components import Components, Mask

MAX_WIDTH_X_HEIGHTS, MAX_WIDTH_PX = 0.45, 4  # of a stroke, or so many px
MAX_DOT_X_HEIGHTS = 0.65  # either side
MAX_GAP_X_HEIGHTS, MIN_PIECES = 1.6, 12  # between dots or dashes
MIN_STROKE_X_HEIGHTS = 2.2  # height: letters are less tall
MIN_STROKES, MAX_BREAK_SHARE = 5, 0.12  # of the page's height, from stroke to stroke
MIN_FILLED_SHARE = 0.25  # of a broken ruling, by its strokes
MIN_HEIGHT_SHARE = 0.12  # of the page
BAND_PX = 5.0  # that holds the middles of all pieces: rulings are straight
WHITE_X_HEIGHTS = 0.35  # to both sides
MAX_OTHER_SHARE = 0.05  # of a ruling's height, with other ink on it or so near
BESIDE_X_HEIGHTS, MAX_IN_STEP = 20.0, 1.6
"""Small pieces with so much more ink beside them, so far to both sides, than beside the gaps between them stand in the rows of
lines: a column of ones."""
EDGE_PX, PAPER = 1, 255

Flags = NDArray[np.bool_]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BrokenRulings:
    """Upright rulings that are not connected.

    Parameters
    ----------
    pieces
        Which components of the page are theirs, bool (k,).
    boxes
        Left, top, right and bottom of these, int32 (n, 4).
    drawn
        The rulings, ``(h, w)`` uint8, 0 or 1.
    """

    pieces: Flags
    boxes: NDArray[np.int32]
    drawn: Mask

    def erased(self, gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
        """Return a page, of which one px is ``scale`` px of the rulings, with paper in their place."""
        cleared = gray.copy()
        for left, top, right, bottom in self.boxes:
            sides = [(max(0, int(low - EDGE_PX)), int(high + EDGE_PX)) for low, high in ((left, right), (top, bottom))]
            across, down = (slice(int(low / scale), int(np.ceil(high / scale))) for low, high in sides)
            cleared[down, across] = PAPER
        return cleared


def find_broken_rulings(parts: Components, x_height_px: float) -> BrokenRulings | None:
    """Find the upright rulings of a deskewed page that are no connected strokes; None where there are none, as on most."""
    width, height = parts.stats[:, cv2.CC_STAT_WIDTH], parts.stats[:, cv2.CC_STAT_HEIGHT]
    narrow = width <= max(MAX_WIDTH_PX, MAX_WIDTH_X_HEIGHTS * x_height_px)
    narrow |= np.maximum(width, height) <= MAX_DOT_X_HEIGHTS * x_height_px
    narrow[0] = False
    tall = narrow & (height > MIN_STROKE_X_HEIGHTS * x_height_px)
    small = _stacks(narrow, parts, MIN_PIECES, MAX_GAP_X_HEIGHTS * x_height_px)
    broken = _stacks(tall, parts, MIN_STROKES, MAX_BREAK_SHARE * parts.shape[0])
    filled = [stack for stack in broken if height[stack].sum() >= MIN_FILLED_SHARE * _length(stack, parts)]
    rulings = [stack for stack in small + filled if _length(stack, parts) > MIN_HEIGHT_SHARE * parts.shape[0]]
    return _drawn(rulings, narrow, parts, x_height_px) if rulings else None


def _stacks(chosen: Flags, parts: Components, least: int, gap: float) -> list[Index]:
    """Components that stand over each other, top to bottom: ``least`` and more, none more than ``gap`` below the last."""
    left, top, width, height, _ = parts.stats.T
    index = np.flatnonzero(chosen)
    found: list[Index] = []
    for offset in (0.0, 0.5):  # what lies across the edge of a band lies inside another one
        band = ((left + width / 2)[index] / BAND_PX + offset).astype(np.int64)
        order = np.lexsort((top[index], band))
        stacked = index[order]
        apart = (np.diff(band[order]) != 0) | (top[stacked[1:]] - (top + height)[stacked[:-1]] > gap)
        edges = np.concatenate(([0], np.flatnonzero(apart) + 1, [len(stacked)]))
        for run in np.flatnonzero(np.diff(edges) >= least):
            found.append(stacked[edges[run] : edges[run + 1]])
    return found


def _length(stack: Index, parts: Components) -> int:
    top, height = parts.stats[stack, cv2.CC_STAT_TOP], parts.stats[stack, cv2.CC_STAT_HEIGHT]
    return int((top + height).max() - top.min())


def _drawn(rulings: list[Index], narrow: Flags, parts: Components, x_height_px: float) -> BrokenRulings | None:
    """Draw the rulings that hardly any other ink touches, and that are no letters of lines."""
    mask, pieces, drawn = parts.mask(), np.zeros(len(narrow), bool), np.zeros(parts.shape, np.uint8)
    for stack in rulings:
        box = _box(stack, parts, WHITE_X_HEIGHTS * x_height_px)
        own = np.flatnonzero(narrow & _inside(parts, box))
        if _other_share(mask, own, parts, box) <= MAX_OTHER_SHARE and not _are_in_step(mask, own, parts, x_height_px):
            pieces[own] = True
            _draw(drawn, stack, parts, mask)
    if not pieces.any():
        return None
    corners = parts.stats[pieces, :2]
    return BrokenRulings(pieces, np.concatenate((corners, corners + parts.stats[pieces, 2:4]), 1), drawn)


def _box(stack: Index, parts: Components, aside: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of components, with so much to both sides."""
    left, top, width, height, _ = parts.stats[stack].T
    first, last = int(left.min()) - round(aside), int((left + width).max()) + round(aside)
    return max(0, first), int(top.min()), min(parts.shape[1], last), int((top + height).max())


def _inside(parts: Components, box: tuple[int, int, int, int]) -> Flags:
    left, top, width, height, _ = parts.stats.T
    return (left >= box[0]) & (left + width <= box[2]) & (top >= box[1]) & (top + height <= box[3])


def _other_share(mask: Mask, own: Index, parts: Components, box: tuple[int, int, int, int]) -> float:
    """Share of the rows of a box with ink that is not of the components ``own``."""
    x, y = box[:2]
    rest = mask[y : box[3], x : box[2]].copy()
    for left, top, width, height, _ in parts.stats[own]:
        rest[top - y : top + height - y, left - x : left + width - x] = 0
    return float(rest.any(axis=1).mean())


def _are_in_step(mask: Mask, own: Index, parts: Components, x_height_px: float) -> bool:
    """Tell whether pieces stand where lines to both their sides have ink, and white between them where these have none."""
    left, top, right, bottom = _box(own, parts, BESIDE_X_HEIGHTS * x_height_px)
    beside = mask[top:bottom, left:right].sum(axis=1, dtype=np.int64)
    filled = np.zeros(bottom - top, bool)
    for _, y, _, height, _ in parts.stats[own]:
        filled[y - top : y - top + height] = True
    white = float(beside[~filled].mean()) if not filled.all() else np.inf
    return float(beside[filled].mean()) > MAX_IN_STEP * max(white, 1.0)


def _draw(drawn: Mask, stack: Index, parts: Components, mask: Mask) -> None:
    """Draw a stroke through pieces, from the first one's top to the last one's bottom, but not through other ink between them."""
    before: tuple[int, int] | None = None
    for k in stack[np.argsort(parts.stats[stack, cv2.CC_STAT_TOP])]:
        left, top, width, height, _ = (int(side) for side in parts.stats[k])
        x, bottom = left + width // 2, top + height
        if (
            before is not None
            and not mask[before[1] : top, min(x, before[0]) - EDGE_PX : max(x, before[0]) + EDGE_PX].any()
        ):
            cv2.line(drawn, before, (x, top), (1,), 2)
        cv2.line(drawn, (x, top), (x, bottom - 1), (1,), 2)
        before = x, bottom
