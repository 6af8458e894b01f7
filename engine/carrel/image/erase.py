"""Strokes that are no writing, painted over with what lies on both their sides: scratches, streaks, squares of paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Geometry

Gray = NDArray[np.uint8]
EDGE_SHARE = 0.2  # of the darkness of a stroke: less is paper
INK_SHARE = 0.2  # of the darkness of a stroke by which ink is darker
MIN_DARKNESS = 4  # gray levels of a stroke
CLEAR_RATIO = 1.6  # to the usual darkness of a stroke
BLOCK_ROWS = 64  # of a stroke that are looked at together: how dark it is changes along a page
SHIFT_PX = 3  # by which a stroke may lie beside its points
NEAR_ROWS, MIN_RUN_ROWS = 3, 6  # ink that crosses a stroke goes on so near beside it, or so far along it


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A long thin stroke: ``points`` ``(k, 2)`` float, k >= 2, px along its middle, and how wide it is at most, px."""

    points: NDArray[np.floating]
    width_px: float

    def on_scan(self, geometry: Geometry) -> Stroke:
        """Return the stroke in px of the scan."""
        ends = self.points[[0, -1]] + (0.5, 0.5)
        grown = np.hypot(*np.diff(geometry.to_scan(ends), axis=0)[0]) / np.hypot(*np.diff(ends, axis=0)[0])
        return Stroke(geometry.curve_to_scan(self.points), self.width_px * float(grown))


def erase_strokes(gray: Gray, strokes: Iterable[Stroke]) -> Gray:
    """Return a page, uint8 ``(h, w)``, without the strokes: each px across one is as light as the lighter of its two sides.

    What crosses a stroke goes on under it, and what is darker than the stroke stays. Nothing becomes darker.
    """
    erased = gray.copy()
    for stroke in strokes:
        x, y = stroke.points.astype(np.float64).T
        if np.ptp(y) >= np.ptp(x):
            _erase_upright(erased, x, y, stroke.width_px)
        else:
            _erase_upright(erased.T, y, x, stroke.width_px)
    return erased


def _erase_upright(gray: Gray, x: NDArray[np.float64], y: NDArray[np.float64], width_px: float) -> None:
    """Paint over one upright stroke in place."""
    height = gray.shape[0]
    order = np.argsort(y, kind="stable")
    rows = np.arange(max(0, int(np.floor(y.min()))), min(height, int(np.ceil(y.max())) + 1))
    blocks = -(-len(rows) // BLOCK_ROWS)
    rows = np.minimum(rows[0] + np.arange(blocks * BLOCK_ROWS), rows[-1]).reshape(blocks, BLOCK_ROWS)
    middle = np.rint(np.interp(rows, y[order], x[order])).astype(np.int64)
    reach = int(np.ceil(width_px / 2)) + 1
    _, _, usual = _window(gray, rows, middle, reach + SHIFT_PX)
    nearest = _nearest_clear(usual.max(axis=1) - usual.min(axis=1))
    middle += _centres(usual)[nearest, None]
    columns, found, usual = _window(gray, rows, middle, reach)
    usual = usual[nearest]
    paper, darkest = usual.max(axis=1), usual.min(axis=1)  # (blocks,)
    contrast = (paper - darkest)[:, None]
    is_stroke = usual < paper[:, None] - np.maximum(EDGE_SHARE * contrast, MIN_DARKNESS)
    is_stroke[:, 1:-1] |= is_stroke[:, 2:] | is_stroke[:, :-2]  # the blurred edge
    is_stroke[:, [0, -1]] = False
    between = np.maximum(found[..., :1], found[..., -1:])  # ink at one side alone ends there
    is_ink = found < (usual - INK_SHARE * contrast)[:, None]
    is_ink &= _goes_on(
        is_ink.any(axis=2), found[..., [0, -1]].min(axis=2) < (paper - INK_SHARE * contrast[:, 0])[:, None]
    )[..., None]
    painted = is_stroke[:, None] & ~is_ink
    gray[rows[..., None], columns] = np.where(painted, np.maximum(found, between), found).astype(np.uint8)


def _nearest_clear(contrast: NDArray[np.float32]) -> NDArray[np.int64]:
    """Number of the nearest block in which a stroke is clear, (blocks,): not beyond its end, not hidden by dense writing."""
    usual = float(np.sort(contrast)[len(contrast) // 4])  # of dense writing it is more
    clear = np.flatnonzero((contrast >= usual / CLEAR_RATIO) & (contrast <= usual * CLEAR_RATIO))
    return clear[np.abs(np.arange(len(contrast))[:, None] - clear).argmin(axis=1)]


def _centres(usual: NDArray[np.float32]) -> NDArray[np.int64]:
    """How far the darkness of a stroke lies to the right of the middle of each profile ``(blocks, n)``, whole px."""
    darkness = usual.max(axis=1, keepdims=True) - usual
    darkness = np.maximum(darkness - 0.5 * darkness.max(axis=1, keepdims=True), 0.0)
    offsets = np.arange(usual.shape[1]) - usual.shape[1] // 2
    return np.rint(darkness @ offsets / np.maximum(darkness.sum(axis=1), 1e-6)).astype(np.int64)


def _window(
    gray: Gray, rows: NDArray[np.int64], middle: NDArray[np.int64], reach: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Columns and levels ``(blocks, rows, 2 reach + 1)`` around the middle of a stroke, and the median levels of each block."""
    columns = np.clip(middle[..., None] + np.arange(-reach, reach + 1), 0, gray.shape[1] - 1)
    found = gray[rows[..., None], columns].astype(np.float32)
    return columns, found, np.sort(found, axis=1)[:, BLOCK_ROWS // 2]


def _goes_on(ink: NDArray[np.bool_], beside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell in which rows ``(blocks, rows)`` the ink on a stroke goes on beside it, or along it: it is no mere crossing."""
    import cv2

    near = np.ones((2 * NEAR_ROWS + 1, 1), np.uint8)
    flat_ink, flat_beside = (part.reshape(-1, 1).astype(np.uint8) for part in (ink, beside))
    along = cv2.morphologyEx(flat_ink, cv2.MORPH_OPEN, np.ones((MIN_RUN_ROWS, 1), np.uint8))
    return np.logical_or(cv2.dilate(flat_beside, near), along).reshape(ink.shape)
