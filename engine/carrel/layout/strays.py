"""Long strokes that are no writing and no rulings of a table: squares and lines of paper, scratches, streaks of a scanner."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.erase import Stroke
from carrel.image.median import median
from carrel.layout.lines.polygons import Baseline
from carrel.layout.page_ink import PageInk
from carrel.layout.tables.cell_rulings import are_written_across
from carrel.layout.tables.rulings import LONG, upright_rulings
from carrel.layout.types import FoundRegion

MIN_SQUARES = 14  # upright rulings in a row: tables have fewer columns, or uneven ones
MAX_UNEVEN = 0.15  # of the usual distance between neighbours
MAX_MISSING = 2  # rulings between two neighbours
MIN_EVEN_SHARE = 0.75  # of the distances
MIN_SPAN_SHARE = 0.5  # of the width of the page
BAND_PX = 200  # rows in the middle of the page that are looked at first, working px
BEND = 3  # degree of the curve that a stroke is
PEAK_PX = 5  # within which the pixels of a stroke lie, working px
END_PX = 30  # by which strokes are longer than they were seen, working px
POINT_STEP_PX = 12  # along a stroke, working px


def find_squares(page: PageInk) -> list[Stroke]:
    """Find the printed squares of paper, or its lines where they run upright, px of the page; mostly none."""
    small, scale = page.small
    rest = max(0, (len(small) - BAND_PX) // 2)
    upright = _even_rulings(small) if _even_rulings(small[rest : len(small) - rest]) else []
    if not upright:
        return []
    across = [(points[:, ::-1], width) for points, width in _even_rulings(np.ascontiguousarray(small.T))]
    return [Stroke(points / scale, width / scale) for points, width in upright + across]


def find_streaks(page: PageInk, regions: Sequence[FoundRegion]) -> list[Stroke]:
    """Find upright strokes that words run across, px of the page: scratches of film, streaks of a dirty scanner."""
    rulings = page.rulings
    if not rulings.any():
        return []
    scale = page.small[1]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    baselines = [_baseline(line.baseline * scale, line.x_height_px * scale) for r in regions for line in r.lines]
    crossed = are_written_across(baselines, labels.astype(np.int32, copy=False), len(stats), page.ink)
    long = stats[:, cv2.CC_STAT_HEIGHT] > LONG * rulings.shape[0]
    found = _strokes(labels.astype(np.int32, copy=False), stats.astype(np.int32), crossed & long)
    return [Stroke(points / scale, width / scale) for points, width in found]


def _baseline(points: NDArray[np.float32], x_height: float) -> Baseline:
    order = np.argsort(points[:, 0], kind="stable")
    x = np.arange(points[:, 0].min(), points[:, 0].max() + 1.0)
    return Baseline(x, np.interp(x, points[order, 0], points[order, 1]), x_height)


def _even_rulings(gray: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
    """Points and width of the upright rulings of squared paper, working px; none where they are few or uneven."""
    rulings = upright_rulings(gray, 0.0)
    _, labels, stats, centers = cv2.connectedComponentsWithStats(rulings, connectivity=8)
    if len(stats) <= MIN_SQUARES:
        return []
    long = stats[1:, cv2.CC_STAT_HEIGHT] > LONG * gray.shape[0]
    if not _are_even(np.sort(centers[1:, 0][long]).astype(np.float64), gray.shape[1]):
        return []
    return _strokes(labels.astype(np.int32, copy=False), stats.astype(np.int32), np.ones(len(stats), bool))


def _are_even(places: NDArray[np.float64], width: int) -> bool:
    """Tell whether rulings stand at even distances over most of the page; a few may be missing."""
    if len(places) < MIN_SQUARES or np.ptp(places) < MIN_SPAN_SHARE * width:
        return False
    gaps = np.diff(places)
    steps = gaps / median(gaps)
    even = np.abs(steps - np.clip(np.rint(steps), 1.0, MAX_MISSING + 1)) < MAX_UNEVEN
    return bool(even.mean() >= MIN_EVEN_SHARE)


def _strokes(
    labels: NDArray[np.int32], stats: NDArray[np.int32], kept: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float64], float]]:
    """Points ``(k, 2)`` along the middles of upright components, and their widths."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for k in np.flatnonzero(kept[1:]) + 1:
        left, top, wide, tall = (int(value) for value in stats[k, :4])
        y, x = np.nonzero(labels[top : top + tall, left : left + wide] == k)
        parts.append((x + left, y + top))
    slope = median([_slope(x, y) for x, y in parts]) if parts else 0.0
    return [_stroke(x, y, slope) for x, y in parts]


def _slope(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """Slant of a component in px across per px down."""
    away = y - y.mean()
    return float(away @ x / (away @ away))


def _stroke(x: NDArray[np.int64], y: NDArray[np.int64], slope: float) -> tuple[NDArray[np.float64], float]:
    """Points along the pixels ``(n,)`` of a stroke of about this slope, and its width: what letters add to it lies aside."""
    offset = x - slope * y
    counts = np.bincount((offset - offset.min()).astype(np.int64))
    place = offset.min() + int(np.convolve(counts, np.ones(PEAK_PX), "same").argmax()) + 0.5
    near = np.abs(offset - place) <= PEAK_PX
    x, y = x[near], y[near]
    rows = np.bincount(y - y.min())
    curve = np.polyfit(y, x, BEND)
    at = np.arange(y.min() - END_PX, y.max() + END_PX + POINT_STEP_PX, POINT_STEP_PX, dtype=np.float64)
    inside = np.clip(at, y.min(), y.max())
    ends = (at - inside) * np.polyval(np.polyder(curve), inside)  # straight beyond what was seen
    return np.stack((np.polyval(curve, inside) + ends, at), 1), float(np.sort(rows[rows > 0])[(rows > 0).sum() // 2])
