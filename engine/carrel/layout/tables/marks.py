"""Cells of single marks: lone digits, ditto marks and dashes that the segmenter leaves out, found by row and column."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline, cover_mask
from carrel.layout.types import Boxes

MAX_COVERED_SHARE = 0.3  # of a mark's ink by lines that were found
MIN_PART_X_HEIGHTS = 0.2  # larger side of connected ink: less is a speck
MIN_LONE_MARK_X_HEIGHTS = 0.45  # larger side of a mark, or of the largest part of one of many parts: less are dots
MIN_DITTO_X_HEIGHTS, MAX_DITTO_PARTS = 0.3, 3  # larger side of marks of two or three parts
MAX_MARK_X_HEIGHTS = 2.4  # height
ABOVE_X_HEIGHTS, BELOW_X_HEIGHTS = 1.7, 0.5  # of the row's baseline: where the ink of its marks lies
MARK_GAP_X_HEIGHTS = 1.0  # marks nearer to each other are of one cell
OWN_X_HEIGHTS = 1.8  # between the baselines of a mark and of a line over or under it: less is that line's
SAME_COLUMN_X_HEIGHTS = 1.6  # between the middles, or the edges, of cells of one column
MIN_IN_COLUMN = 3  # cells of a column of which no line is known
MIN_HIGH_X_HEIGHTS, MIN_SMALL_IN_COLUMN = 0.25, 4
"""Smaller marks are ditto marks where so many stand so high over their rows' baselines, in one column at one height."""
SAME_PLACE_X_HEIGHTS = 0.35


def find_marks(
    baselines: Sequence[Baseline], rows: NDArray[np.float64], ink: Ink, unit: float, *, repeated: bool = False
) -> list[Baseline]:
    """Find cells in known rows of a table that no line covers: digits, ditto marks, dashes.

    A mark is a cell where it stands over or under others or under cells that were found: a column.

    Parameters
    ----------
    baselines
        Lines that were found, working px.
    rows
        (r,): baselines of the rows, working px.
    ink
        Of the page.
    unit
        X-height, working px.
    repeated
        Take only marks that stand in a column of their like: between rulings, ink is left over at many places.
    """
    groups = _groups(_marks(baselines, ink, unit), rows, unit)
    if not len(groups):
        return []
    known = np.array([(b.x[0], b.x[-1]) for b in baselines if _is_in_row(b, rows, unit)]).reshape(-1, 2)
    spans = np.concatenate((groups[:, [0, 2]], known))
    close = SAME_COLUMN_X_HEIGHTS * unit
    kept: list[Baseline] = []
    for left, top, right, bottom, base, is_large in groups:
        if any(_belongs_to(b, left, right, base) for b in baselines):
            continue
        if (repeated or not is_large) and not _repeats(groups, (left + right) / 2, base - bottom, unit):
            continue
        middles = np.abs(spans.mean(axis=1) - (left + right) / 2) < close
        edges = (np.abs(spans[:, 0] - left) < close) | (np.abs(spans[:, 1] - right) < close)
        if (middles | edges).sum() >= MIN_IN_COLUMN and bottom - top < MAX_MARK_X_HEIGHTS * unit:
            x = np.arange(left - 0.1 * unit, max(right, left + 0.7 * unit) + 1.0)
            kept.append(Baseline(x, np.full(len(x), base), unit))
    return kept


def _repeats(groups: NDArray[np.float64], middle: float, above: float, unit: float) -> bool:
    """Tell whether a small mark stands in a column of marks as high over their rows as itself."""
    reach = SAME_PLACE_X_HEIGHTS * unit
    same = np.abs((groups[:, 0] + groups[:, 2]) / 2 - middle) < reach
    same &= np.abs(groups[:, 4] - groups[:, 3] - above) < reach
    return above > MIN_HIGH_X_HEIGHTS * unit and int(same.sum()) >= MIN_SMALL_IN_COLUMN


def _belongs_to(baseline: Baseline, left: float, right: float, base: float) -> bool:
    """Tell whether a mark in the row at ``base`` stands over or under letters of a line: an accent, a loop."""
    shared = min(right, float(baseline.x[-1])) - max(left, float(baseline.x[0]))
    apart = abs(float(np.interp((left + right) / 2, baseline.x, baseline.y)) - base)
    return shared > 0.3 * (right - left) and apart < OWN_X_HEIGHTS * baseline.x_height_px


def _is_in_row(baseline: Baseline, rows: NDArray[np.float64], unit: float) -> bool:
    return bool(np.abs(rows - float(baseline.y.mean())).min(initial=np.inf) < unit)


def _marks(baselines: Sequence[Baseline], ink: Ink, unit: float) -> Boxes:
    """Boxes ``(n, 4)`` of connected ink of the size of marks that no line covers."""
    inside = ink.parts.shares_within(cover_mask(list(baselines), ink.mask.shape))
    left, top, width, height = ink.parts.stats[:, : cv2.CC_STAT_AREA].astype(np.float64).T
    kept = (inside < MAX_COVERED_SHARE) & (np.maximum(width, height) > MIN_PART_X_HEIGHTS * unit)
    kept &= (height < MAX_MARK_X_HEIGHTS * unit) & (width < 6.0 * unit)
    kept[0] = False
    return np.stack((left, top, left + width, top + height), 1)[kept]


def _groups(marks: Boxes, rows: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Marks of a row that stand close together, ``(k, 6)``: left, top, right, bottom, the row's baseline, and whether they
    are large enough to be no specks."""
    found: list[tuple[float, ...]] = []
    for base in rows:
        middle = (marks[:, 1] + marks[:, 3]) / 2
        level = (middle > base - ABOVE_X_HEIGHTS * unit) & (middle < base + BELOW_X_HEIGHTS * unit)
        mine = marks[level][np.argsort(marks[level, 0])]
        if not len(mine):
            continue
        reach = np.maximum.accumulate(mine[:, 2])
        for part in np.split(mine, np.flatnonzero(mine[1:, 0] - reach[:-1] > MARK_GAP_X_HEIGHTS * unit) + 1):
            sides = (*part[:, :2].min(axis=0), *part[:, 2:].max(axis=0))
            found.append((*sides, base, float(_is_mark(part, unit))))
    return np.array(found).reshape(-1, 6)


def _is_mark(parts: Boxes, unit: float) -> bool:
    """Tell whether ink is large enough for a digit, a dash or ditto marks, and no row of dots."""
    if 1 < len(parts) <= MAX_DITTO_PARTS:
        return float((parts[:, 2:].max(axis=0) - parts[:, :2].min(axis=0)).max()) >= MIN_DITTO_X_HEIGHTS * unit
    return float((parts[:, 2:] - parts[:, :2]).max()) >= MIN_LONE_MARK_X_HEIGHTS * unit
