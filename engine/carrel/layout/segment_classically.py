"""Segmentation without a model: ink, ridges, candidates, polygons, order."""

from __future__ import annotations

import numpy as np

from carrel.layout.ink import Ink
from carrel.layout.lines.candidates import (
    Candidate,
    candidates_from_ridges,
    cut_candidate,
    find_separators,
    is_writing,
    join_candidates,
    long_enough,
    without_echoes,
)
from carrel.layout.lines.page_edges import without_facing_page
from carrel.layout.lines.polygons import as_found_lines, fit_baseline
from carrel.layout.lines.ridges import RidgeMap, compute_ridge_map, find_peaks, trace_ridges
from carrel.layout.page_ink import PageInk
from carrel.layout.stamps.zones import in_order_with_stamps
from carrel.layout.types import SMALLEST_SIDE_PX, FoundRegion

MIN_RIDGE_STRENGTH = 0.25  # of the 90th percentile of the page


def _candidates(ink: Ink, grid: RidgeMap) -> list[Candidate]:
    strengths = np.concatenate([s for _, s in find_peaks(grid.response, 1e-3)])
    if not len(strengths):
        return []
    unit = ink.x_height_px
    threshold = MIN_RIDGE_STRENGTH * float(np.percentile(strengths, 90))
    barrier = find_separators(ink)
    candidates = candidates_from_ridges(
        trace_ridges(find_peaks(grid.response, threshold), reach_rows=2.0, gap_columns=6), grid
    )
    parts = [p for s in candidates for p in cut_candidate(s, ink.mask, barrier, unit) if is_writing(p, ink.mask, unit)]
    parts = without_echoes(long_enough(parts, unit, 0.5), ink.mask, unit)
    return long_enough(without_echoes(join_candidates(parts, barrier, unit), ink.mask, unit), unit)


def segment_classically(page: PageInk) -> tuple[FoundRegion, ...]:
    """Segment a page by connected ink and smoothed ridges; see `carrel.layout.segment_page`."""
    gray = page.gray
    if min(gray.shape) < SMALLEST_SIDE_PX:
        return ()
    ink = page.ink
    if not ink.mask.any():
        return ()
    baselines = [fit_baseline(candidate, ink) for candidate in _candidates(ink, compute_ridge_map(ink))]
    lines = as_found_lines(baselines, ink, (gray.shape[0], gray.shape[1]))
    return in_order_with_stamps(without_facing_page(lines, gray.shape[1]), page)
