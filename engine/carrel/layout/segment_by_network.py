"""The line finder that follows the segmenter's maps; letters are still outlined by their ink."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.coarse_scale import seen_farther
from carrel.layout.lines.fine_scale import seen_closer
from carrel.layout.lines.heatmaps import PROBABLE, BaselineStrand, find_baselines
from carrel.layout.lines.page_edges import without_facing_page, without_halved_lines
from carrel.layout.lines.polygons import Body, covered_by, found_lines
from carrel.layout.page_ink import PageInk
from carrel.layout.stamps.zones import in_order_with_stamps
from carrel.layout.tables.rulings import Table, find_table
from carrel.layout.tables.split_cells import lines_of_cells
from carrel.layout.types import FoundLine, FoundRegion, Heatmaps


def _body(found: BaselineStrand, scale: float, ink: Ink) -> Body:
    """Px of the segmenter's input to those of the ink."""
    factor = ink.scale / scale
    strand = found.strand
    x = np.arange(strand.x[0] * factor, strand.x[-1] * factor + 1.0)
    base = np.interp(x, strand.x * factor, strand.y * factor)
    return Body(x, base, found.x_height_px * factor)


def find_regions_by_maps(page: PageInk, heatmaps: Heatmaps) -> tuple[FoundRegion, ...]:
    """Find lines with the segmenter; see `carrel.layout.find_regions`."""
    lines, table = _lines(page, heatmaps)
    return in_order_with_stamps(lines, page, table.box_at(page.ink.scale) if table else None)


def _lines(page: PageInk, heatmaps: Heatmaps) -> tuple[list[FoundLine], Table | None]:
    gray = page.gray
    found, scale = find_baselines(gray, heatmaps)
    if not found:
        return [], None
    ink = page.ink
    found = seen_farther(gray, found, heatmaps, scale, partial(_missed, found, scale, ink))
    bodies = [_body(f, scale, ink) for f in found]
    table = find_table(page.small[0], median([body.x_height_px for body in bodies]))
    bodies = [body for f, body in zip(found, bodies, strict=True) if f.probability >= PROBABLE or _in(table, body)]
    if not bodies:
        return [], None
    bodies += seen_closer(gray, ink, bodies, heatmaps, scale)
    if table is not None:
        bodies = lines_of_cells(bodies, table, ink)
    lines = found_lines(bodies, ink, (gray.shape[0], gray.shape[1]))
    return without_halved_lines(without_facing_page(lines, gray.shape[1]), gray.shape[0]), table


def _missed(found: list[BaselineStrand], scale: float, ink: Ink) -> float:
    """Share of the ink that lies in no probable line."""
    covered = covered_by([_body(f, scale, ink) for f in found if f.probability >= PROBABLE], ink.mask.shape)
    return 1.0 - cv2.countNonZero(ink.mask & covered) / max(1, cv2.countNonZero(ink.mask))


def _in(table: Table | None, body: Body) -> bool:
    return table is not None and table.holds(float(body.x.mean()), float(body.base.mean()))
