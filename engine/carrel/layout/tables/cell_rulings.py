"""Upright rulings between cells: those that lines do not write across."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink, Mask, components_kept
from carrel.layout.lines.polygons import Baseline

WRITTEN_ACROSS = 0.5
"""A ruling that more than this share of the lines over it write across is a shadow, a fold or from the back of the paper."""
SHORT_HEIGHT, MAX_LINES_OVER_SHORT = 0.6, 5
"""A ruling below this share of the height of the tallest that more lines run over is none: strokes of dense writing that
stand over each other."""
MIN_LINES_OVER = 4
WORD_GAP_X_HEIGHTS = 0.5
"""Ink on both sides of a ruling and nearer to it than this, in x-heights, is of one word."""
EDGE_PX = 2
"""Ink so near to a ruling is the ruling's."""


def keep_separating_rulings(baselines: list[Baseline], rulings: Mask, ink: Ink) -> Mask:
    """Drop from ``rulings`` ``(h, w)``, 0 or 1, those that most of the lines which run over them write across."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    labels = labels.astype(np.int32, copy=False)
    over, across = lines_over(baselines, labels, len(stats), ink)
    height = stats[:, cv2.CC_STAT_HEIGHT]
    strokes = (height < SHORT_HEIGHT * height[1:].max(initial=0)) & (over > MAX_LINES_OVER_SHORT)
    return components_kept(rulings, labels, ~strokes & ~_are_shadows(over, across))


def are_written_across(baselines: list[Baseline], labels: NDArray[np.int32], count: int, ink: Ink) -> NDArray[np.bool_]:
    """Tell for each of ``count`` rulings, numbered in ``labels`` ``(h, w)`` with 0 for none, whether most lines over it write across."""
    return _are_shadows(*lines_over(baselines, labels, count, ink))


def _are_shadows(over: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (over >= MIN_LINES_OVER) & (across > WRITTEN_ACROSS * over)


def lines_over(baselines: list[Baseline], labels: NDArray[np.int32], count: int, ink: Ink) -> NDArray[np.int64]:
    """Count the lines that run over each of ``count`` rulings, and those of them that write across, ``(2, count)``."""
    over, across = lines = np.zeros((2, count), np.int64)
    for baseline in baselines:
        x, rows = _small_letter_pixels(baseline, labels.shape)
        inked, crossed = ink.mask[rows, x].max(axis=0) > 0, labels[rows, x]
        for ruling in np.flatnonzero(np.bincount(crossed[crossed > 0])):  # `np.unique` would load numpy.ma
            over[ruling] += 1
            across[ruling] += _is_one_word(inked, np.flatnonzero((crossed == ruling).any(axis=0)), baseline.x_height_px)
    return lines


def _small_letter_pixels(baseline: Baseline, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns ``(k,)`` and rows ``(r, k)`` of the small letters of a line."""
    offsets = np.arange(-round(0.9 * baseline.x_height_px), 0)[:, None]
    rows = np.clip(np.rint(baseline.y).astype(np.int64)[None, :] + offsets, 0, shape[0] - 1)
    return np.clip(np.rint(baseline.x).astype(np.int64), 0, shape[1] - 1), rows


def _is_one_word(inked: NDArray[np.bool_], ruling: NDArray[np.int64], x_height_px: float) -> bool:
    """Whether there is ink close to both sides of the columns of a ruling, along one line."""
    near = max(1, round(WORD_GAP_X_HEIGHTS * x_height_px))
    before, after = max(0, int(ruling[0]) - EDGE_PX), int(ruling[-1]) + EDGE_PX + 1
    return bool(inked[max(0, before - near) : before].any() and inked[after : after + near].any())
