"""Rulings between columns of text: lines that run over one are cut, though so few rulings make no table."""

from __future__ import annotations

import cv2
import numpy as np

from carrel.image.median import median
from carrel.layout.ink import Ink, Mask, components_kept
from carrel.layout.lines.polygons import Baseline
from carrel.layout.tables.cell_rulings import lines_over
from carrel.layout.tables.rulings import LONG

NEAR_X_HEIGHTS = 4.0  # between a ruling and the lines that end or begin beside it
MIN_LINES_BESIDE = 5  # that end at its left, and that begin at its right
MIN_LINE_X_HEIGHTS = 12.0  # median length of both: cells are shorter
MAX_ACROSS_SHARE = 0.1  # of the lines over a ruling, with words written across it


def column_rulings(baselines: list[Baseline], rulings: Mask, ink: Ink) -> Mask:
    """Keep of upright ``rulings`` ``(h, w)``, 0 or 1, the long ones between columns: lines end at their left and begin at
    their right, and none is written across."""
    if not rulings.any():
        return rulings
    _, labels, stats, centers = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    labels = labels.astype(np.int32, copy=False)
    kept = stats[:, cv2.CC_STAT_HEIGHT] > LONG * rulings.shape[0]
    kept[0] = False
    for k in np.flatnonzero(kept):
        kept[k] = _is_between(baselines, float(centers[k, 0]))
    if not kept.any():
        return np.zeros_like(rulings)
    over, across = lines_over(baselines, labels, len(stats), ink)
    return components_kept(rulings, labels, kept & (across <= MAX_ACROSS_SHARE * over))


def _is_between(baselines: list[Baseline], x: float) -> bool:
    """Tell whether lines of text, too long for cells, end before ``x`` and begin behind it."""
    ending = [b for b in baselines if 0 < x - b.x[-1] < NEAR_X_HEIGHTS * b.x_height_px]
    starting = [b for b in baselines if 0 < b.x[0] - x < NEAR_X_HEIGHTS * b.x_height_px]
    return all(
        len(beside) >= MIN_LINES_BESIDE
        and median([float(b.x[-1] - b.x[0]) / b.x_height_px for b in beside]) >= MIN_LINE_X_HEIGHTS
        for beside in (ending, starting)
    )
