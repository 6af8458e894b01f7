"""Segmentation by the segmenter's maps; polygons still follow the ink."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.coarse_scale import add_coarse_scale
from carrel.layout.lines.fine_scale import segment_at_fine_scale
from carrel.layout.lines.heatmaps import PROBABLE, ScoredBaseline, find_baselines
from carrel.layout.lines.page_edges import without_facing_page, without_halved_lines
from carrel.layout.lines.polygons import Baseline, as_found_lines, cover_mask
from carrel.layout.page_ink import PageInk
from carrel.layout.stamps.zones import in_order_with_stamps
from carrel.layout.tables.rulings import Table, find_table
from carrel.layout.tables.split_cells import split_cells
from carrel.layout.types import FoundLine, FoundRegion, Heatmaps


def _baseline_of(found: ScoredBaseline, scale: float, ink: Ink) -> Baseline:
    """Scale px of the segmenter's input to those of the ink."""
    factor = ink.scale / scale
    candidate = found.candidate
    x = np.arange(candidate.x[0] * factor, candidate.x[-1] * factor + 1.0)
    base = np.interp(x, candidate.x * factor, candidate.y * factor)
    return Baseline(x, base, found.x_height_px * factor)


def segment_by_network(page: PageInk, heatmaps: Heatmaps) -> tuple[FoundRegion, ...]:
    """Segment a page with the network; see `carrel.layout.segment_page`."""
    lines, table = _lines(page, heatmaps)
    return in_order_with_stamps(lines, page, table.box_at(page.ink.scale) if table else None)


def _lines(page: PageInk, heatmaps: Heatmaps) -> tuple[list[FoundLine], Table | None]:
    gray = page.gray
    found, scale = find_baselines(gray, heatmaps)
    if not found:
        return [], None
    ink = page.ink
    found = add_coarse_scale(gray, found, heatmaps, scale, partial(_missed, found, scale, ink))
    baselines = [_baseline_of(f, scale, ink) for f in found]
    table = find_table(page.small[0], median([baseline.x_height_px for baseline in baselines]))
    baselines = [
        baseline
        for f, baseline in zip(found, baselines, strict=True)
        if f.probability >= PROBABLE or _in(table, baseline)
    ]
    if not baselines:
        return [], None
    baselines += segment_at_fine_scale(gray, ink, baselines, heatmaps, scale)
    if table is not None:
        baselines = split_cells(baselines, table, ink)
    lines = as_found_lines(baselines, ink, (gray.shape[0], gray.shape[1]))
    return without_halved_lines(without_facing_page(lines, gray.shape[1]), gray.shape[0]), table


def _missed(found: list[ScoredBaseline], scale: float, ink: Ink) -> float:
    """Measure the share of the ink that lies in no probable line."""
    covered = cover_mask([_baseline_of(f, scale, ink) for f in found if f.probability >= PROBABLE], ink.mask.shape)
    return 1.0 - cv2.countNonZero(ink.mask & covered) / max(1, cv2.countNonZero(ink.mask))


def _in(table: Table | None, baseline: Baseline) -> bool:
    return table is not None and table.holds(float(baseline.x.mean()), float(baseline.y.mean()))
