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
from carrel.layout.lines.initials import part_initials, with_initials
from carrel.layout.lines.line_ends import with_line_ends
from carrel.layout.lines.page_edges import EDGE_SHARE, without_facing_page, without_halved_lines
from carrel.layout.lines.polygons import Baseline, as_found_lines, cover_mask
from carrel.layout.lines.upright_lines import add_upright_lines
from carrel.layout.page_ink import PageInk
from carrel.layout.pictures import without_lines_in_pictures
from carrel.layout.stamps.zones import in_order_with_stamps
from carrel.layout.tables.aligned import AlignedTable, find_aligned_table
from carrel.layout.tables.column_cuts import cut_at_columns
from carrel.layout.tables.column_gutters import cut_at_gutters
from carrel.layout.tables.column_rulings import column_rulings
from carrel.layout.tables.leaders import without_leaders
from carrel.layout.tables.marks import find_marks
from carrel.layout.tables.open_sides import with_open_sides
from carrel.layout.tables.rulings import Table, find_table
from carrel.layout.tables.split_cells import cut_at_rulings, holds_cells, separating, split_cells
from carrel.layout.types import Boxes, FoundLine, FoundRegion, Heatmaps, TableArea


def _baseline_of(found: ScoredBaseline, scale: float, ink: Ink) -> Baseline:
    """Scale px of the segmenter's input to those of the ink."""
    factor = ink.scale / scale
    candidate = found.candidate
    x = np.arange(candidate.x[0] * factor, candidate.x[-1] * factor + 1.0)
    base = np.interp(x, candidate.x * factor, candidate.y * factor)
    return Baseline(x, base, found.x_height_px * factor)


def segment_by_network(page: PageInk, heatmaps: Heatmaps) -> tuple[FoundRegion, ...]:
    """Segment a page with the network; see `carrel.layout.segment_page`."""
    lines, table, initials = _lines(page, heatmaps)
    lines, margins = add_upright_lines(page, lines, heatmaps, table)
    return (*with_initials(in_order_with_stamps(lines, page, table), initials), *margins)


def _lines(page: PageInk, heatmaps: Heatmaps) -> tuple[list[FoundLine], TableArea | None, Boxes]:
    """Find the lines of a page, the place of its table, and its initials, px of the page."""
    gray = page.without_broken_rulings
    found, scale = find_baselines(gray, heatmaps)
    if not found:
        return [], None, np.zeros((0, 4))
    ink = page.ink
    found = add_coarse_scale(gray, found, heatmaps, scale, partial(_missed, found, scale, ink))
    baselines = [_baseline_of(f, scale, ink) for f in found]
    unit = median([baseline.x_height_px for baseline in baselines])
    table = find_table(page.small[0], page.rulings, unit)
    if table is not None:
        table = with_open_sides(table, baselines, ink.mask.shape[1], unit)
    baselines = [
        baseline
        for f, baseline in zip(found, baselines, strict=True)
        if f.probability >= PROBABLE or _in(table, baseline)
    ]
    if not baselines:
        return [], None, np.zeros((0, 4))
    baselines = with_line_ends([*baselines, *segment_at_fine_scale(gray, ink, baselines, heatmaps, scale)])
    baselines = cut_at_gutters(baselines, ink)
    table = separating(table, baselines, ink) if table is not None else None
    if table is None:
        between = column_rulings(baselines, page.rulings, ink)
        baselines = cut_at_rulings(baselines, between, ink) if between.any() else baselines
        baselines, ink = without_leaders(baselines, ink)
    baselines, area = _with_cells(baselines, table, ink)
    initials = np.zeros((0, 4))
    if area is None:
        baselines, initials, ink = part_initials(baselines, ink)
    lines = without_lines_in_pictures(as_found_lines(baselines, ink, (gray.shape[0], gray.shape[1])), page.ink)
    lines = without_halved_lines(without_facing_page(lines, gray.shape[1]), gray.shape[0])
    return lines, area, initials / ink.scale


def _with_cells(baselines: list[Baseline], table: Table | None, ink: Ink) -> tuple[list[Baseline], TableArea | None]:
    """Split lines at the rulings of a table, add the cells that are missing, and return its place, px of the page."""
    unit = median([baseline.x_height_px for baseline in baselines])
    if table is not None:
        cells = split_cells(baselines, table, ink)
        if holds_cells(cells, table, unit):
            return cells, TableArea(*table.box_at(ink.scale))
    aligned = _aligned_table(baselines, ink, unit)
    if aligned is None:
        return baselines, None
    cut = cut_at_columns(baselines, aligned, ink)
    if len(cut) > len(baselines):
        baselines, aligned = cut, _aligned_table(cut, ink, unit) or aligned
    marks = find_marks(baselines, aligned.rows, ink, unit)
    left, top, right, bottom = aligned.box
    left, right = min([left, *(float(m.x[0]) for m in marks)]), max([right, *(float(m.x[-1]) for m in marks)])
    box = (side / ink.scale for side in (left, top, right, bottom))
    return baselines + marks, TableArea(*box, kind="TableZone" if aligned.has_cells else "MainZone")


def _aligned_table(baselines: list[Baseline], ink: Ink, unit: float) -> AlignedTable | None:
    """Find the table that lines make, those of a facing page apart."""
    boxes, width = _boxes(baselines), ink.mask.shape[1]
    inside = (boxes[:, 0] > EDGE_SHARE * width) & (boxes[:, 2] < (1 - EDGE_SHARE) * width)
    return find_aligned_table(boxes[inside], unit)


def _boxes(baselines: list[Baseline]) -> Boxes:
    """Boxes ``(n, 4)`` of small letters; the bottom is the baseline."""
    rows = [(b.x[0], y - 0.9 * b.x_height_px, b.x[-1], y) for b in baselines for y in [median(b.y)]]
    return np.array(rows, np.float64).reshape(-1, 4)


def _missed(found: list[ScoredBaseline], scale: float, ink: Ink) -> float:
    """Measure the share of the ink that lies in no probable line."""
    covered = cover_mask([_baseline_of(f, scale, ink) for f in found if f.probability >= PROBABLE], ink.mask.shape)
    return 1.0 - cv2.countNonZero(ink.mask & covered) / max(1, cv2.countNonZero(ink.mask))


def _in(table: Table | None, baseline: Baseline) -> bool:
    return table is not None and table.holds(float(baseline.x.mean()), float(baseline.y.mean()))
