"""The line finder that needs no model: ink, ridges, strands, outlines, order."""

from __future__ import annotations

import numpy as np

from carrel.layout.ink import Ink
from carrel.layout.lines.candidates import (
    Strand,
    cut,
    from_ridges,
    is_writing,
    join,
    long_enough,
    separators,
    without_echoes,
)
from carrel.layout.lines.page_edges import without_facing_page
from carrel.layout.lines.polygons import body_of, found_lines
from carrel.layout.lines.ridges import RidgeMap, peaks, ridge_map, trace
from carrel.layout.page_ink import PageInk
from carrel.layout.stamps.zones import in_order_with_stamps
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion

WEAKEST = 0.25


def _strands(ink: Ink, grid: RidgeMap) -> list[Strand]:
    strengths = np.concatenate([s for _, s in peaks(grid.response, 1e-3)])
    if not len(strengths):
        return []
    unit = ink.x_height_px
    threshold = WEAKEST * float(np.percentile(strengths, 90))
    barrier = separators(ink)
    strands = from_ridges(trace(peaks(grid.response, threshold), reach_rows=2.0, gap_columns=6), grid)
    pieces = [p for s in strands for p in cut(s, ink.mask, barrier, unit) if is_writing(p, ink.mask, unit)]
    pieces = without_echoes(long_enough(pieces, unit, 0.5), ink.mask, unit)
    return long_enough(without_echoes(join(pieces, barrier, unit), ink.mask, unit), unit)


def find_regions_classically(page: PageInk) -> tuple[FoundRegion, ...]:
    """Find lines by connected ink and smoothed ridges; see `carrel.layout.find_regions`."""
    gray = page.gray
    if min(gray.shape) < SMALLEST_SIDE_PX:
        return ()
    ink = page.ink
    if not ink.mask.any():
        return ()
    bodies = [body_of(strand, ink) for strand in _strands(ink, ridge_map(ink))]
    lines = found_lines(bodies, ink, (gray.shape[0], gray.shape[1]))
    return in_order_with_stamps(without_facing_page(lines, gray.shape[1]), page)
