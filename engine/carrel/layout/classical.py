"""The line finder that needs no model: ink, ridges, strands, outlines, order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink, find_ink
from carrel.layout.order import in_reading_order
from carrel.layout.outline import body_of, outlines
from carrel.layout.ridges import RidgeMap, peaks, ridge_map, trace
from carrel.layout.strands import Strand, cut, from_ridges, is_writing, join, long_enough, separators, without_echoes
from carrel.layout.types import FoundLine, FoundRegion

WEAKEST = 0.25
SMALLEST_SIDE_PX = 24


def _strands(ink: Ink, grid: RidgeMap) -> list[Strand]:
    strengths = np.concatenate([s for _, s in peaks(grid.response, 1e-3)])
    if not len(strengths):
        return []
    unit = ink.x_height_px
    threshold = WEAKEST * float(np.percentile(strengths, 90))
    barrier = separators(ink)
    strands = from_ridges(trace(grid.response, threshold, reach_rows=2.0, gap_columns=6), grid)
    pieces = [p for s in strands for p in cut(s, ink.mask, barrier, unit) if is_writing(p, ink.mask, unit)]
    pieces = without_echoes(long_enough(pieces, unit, 0.5), unit)
    return long_enough(without_echoes(join(pieces, barrier, unit), unit), unit)


def _line(
    baseline: NDArray[np.float64], polygon: NDArray[np.float64], x_height_px: float, scale: float, size: tuple[int, int]
) -> FoundLine:
    """Working px to px of the page, within the page."""
    limit = np.array([size[1] - 1, size[0] - 1], dtype=np.float64)
    place = [np.clip(points / scale, 0.0, limit).astype(np.float32) for points in (baseline, polygon)]
    return FoundLine(place[0], place[1], x_height_px / scale)


def find_regions_classically(gray: NDArray[np.uint8], dpi: float | None) -> tuple[FoundRegion, ...]:
    """Find lines by connected ink and smoothed ridges; see `carrel.layout.find_regions`."""
    if min(gray.shape) < SMALLEST_SIDE_PX:
        return ()
    ink = find_ink(gray)
    if not ink.mask.any():
        return ()
    bodies = [body_of(strand, ink) for strand in _strands(ink, ridge_map(ink))]
    found = [
        _line(baseline, polygon, body.x_height_px, ink.scale, (gray.shape[0], gray.shape[1]))
        for body, (baseline, polygon) in zip(bodies, outlines(bodies, ink), strict=True)
    ]
    return in_reading_order(found)
