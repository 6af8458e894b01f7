"""Leaders: rows of dots between a title and its page or price, cut out of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline

MAX_DOT_X_HEIGHTS = 0.45  # either side
ABOVE_X_HEIGHTS, BELOW_X_HEIGHTS = 0.9, 0.3  # of the baseline: ink of a line
MIN_DOTS = 8  # in succession
MIN_STEP_WIDTHS = 1.8  # from dot to dot, in widths of a dot: crumbs of faint letters lie closer
MAX_STEP_SHARE = 0.3  # by which the middle four fifths of their distances differ from the median: type is even
MAX_SPACE_X_HEIGHTS = 2.5  # between dots
MIN_REST_X_HEIGHTS = 0.7  # of what stands before or behind


def without_leaders(baselines: Sequence[Baseline], ink: Ink) -> tuple[list[Baseline], Ink]:
    """Cut rows of dots out of lines and out of the ink; what stands before and behind become lines of their own."""
    stats = ink.parts.stats.astype(np.float64)
    left, top, width, height = stats[:, : cv2.CC_STAT_AREA].T
    right, bottom, largest = left + width, top + height, np.maximum(width, height)
    leader = np.zeros(len(stats), bool)
    largest_unit = max((baseline.x_height_px for baseline in baselines), default=0.0)
    small_boxes = np.stack([left, top, right, bottom])[:, largest < MAX_DOT_X_HEIGHTS * largest_unit]
    kept: list[Baseline] = []
    for baseline in baselines:
        unit = baseline.x_height_px
        if not _may_hold_leaders(baseline, small_boxes):
            kept.append(baseline)
            continue
        base = np.interp(left + width / 2, baseline.x, baseline.y)
        mine = (
            (right > baseline.x[0])
            & (left < baseline.x[-1])
            & (bottom > base - ABOVE_X_HEIGHTS * unit)
            & (top < base + BELOW_X_HEIGHTS * unit)
        )
        mine[0] = False
        order = np.flatnonzero(mine)[np.argsort(left[mine])]
        dots = (largest < MAX_DOT_X_HEIGHTS * unit) & (bottom > base - MAX_DOT_X_HEIGHTS * unit)
        spans = _leaders(left[order], right[order], dots[order], unit)
        for start, stop in spans:
            leader[order] |= dots[order] & (left[order] >= start) & (right[order] <= stop)
        rest = order[~leader[order]]
        kept += _cut(baseline, spans, left[rest], right[rest]) if spans else [baseline]
    if not leader.any():
        return kept, ink
    parts = ink.parts.kept(~leader)
    return kept, replace(ink, parts=parts, mask=parts.mask())


def _may_hold_leaders(baseline: Baseline, small: NDArray[np.float64]) -> bool:
    """Tell whether enough small ink, boxes ``(4, n)``, stands on a line."""
    left, top, right, bottom = small[:, (small[2] > baseline.x[0]) & (small[0] < baseline.x[-1])]
    base = np.interp((left + right) / 2, baseline.x, baseline.y)
    reach = MAX_DOT_X_HEIGHTS * baseline.x_height_px
    stands = (bottom > base - reach) & (top < base + BELOW_X_HEIGHTS * baseline.x_height_px)
    return int(stands.sum()) >= MIN_DOTS


def _leaders(
    left: NDArray[np.float64], right: NDArray[np.float64], dots: NDArray[np.bool_], unit: float
) -> list[tuple[float, float]]:
    """Where so many dots follow each other closely, with nothing between: spans of x."""
    spans: list[tuple[float, float]] = []
    near = np.concatenate(([False], (left[1:] - right[:-1] < MAX_SPACE_X_HEIGHTS * unit) & dots[1:] & dots[:-1]))
    starts = np.flatnonzero(dots & ~near)
    for start in starts:
        stop = start + 1
        while stop < len(dots) and near[stop]:
            stop += 1
        if stop - start >= MIN_DOTS and _is_even(left[start:stop], right[start:stop]):
            spans.append((float(left[start]), float(right[stop - 1])))
    return spans


def _is_even(left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    """Tell whether dots stand at even distances, well apart, as type does."""
    steps = np.sort(np.diff(left))
    tenth = len(steps) // 10
    middle = steps[tenth : len(steps) - tenth]
    usual = median(middle)
    even = float(np.abs(middle - usual).max()) <= MAX_STEP_SHARE * usual
    return even and usual >= MIN_STEP_WIDTHS * median(right - left)


def _cut(
    baseline: Baseline, spans: list[tuple[float, float]], left: NDArray[np.float64], right: NDArray[np.float64]
) -> list[Baseline]:
    """The parts of a line before, between and behind leaders, each as far as its ink, from ``left`` to ``right`` (n,), goes."""
    parts: list[Baseline] = []
    edges = [float(baseline.x[0]), *(x for span in spans for x in span), float(baseline.x[-1])]
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        held = (left >= start) & (right <= stop + baseline.x_height_px)
        if not held.any():
            continue
        first, last = max(start, float(left[held].min())), min(stop, float(right[held].max()))
        inside = (baseline.x >= first) & (baseline.x <= last)
        if last - first >= MIN_REST_X_HEIGHTS * baseline.x_height_px and inside.sum() > 1:
            parts.append(Baseline(baseline.x[inside], baseline.y[inside], baseline.x_height_px))
    return parts
