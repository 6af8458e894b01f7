"""Ruled tables without rulings at their sides: their first and last columns stand outside of the rulings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from carrel.layout.lines.page_edges import EDGE_SHARE
from carrel.layout.lines.polygons import Baseline
from carrel.layout.tables.aligned import number_rows
from carrel.layout.tables.rulings import Table

MIN_ROWS = 4
MIN_ROWS_SHARE = 0.3  # of the rows between the outermost rulings that go on beyond one of them


def with_open_sides(table: Table, baselines: Sequence[Baseline], width_px: int, unit: float) -> Table:
    """Return a table with the columns beside its outermost rulings, where most of its rows have cells there, working px."""
    left, top, right, bottom = table.box
    level = [b for b in baselines if top < float(b.y.mean()) < bottom]
    edge = EDGE_SHARE * width_px
    ends = np.array([(b.x[0], b.x[-1], b.y.mean()) for b in level if b.x[0] > edge and b.x[-1] < width_px - edge])
    if len(ends) < MIN_ROWS:
        return table
    boxes = np.stack((ends[:, 0], ends[:, 2], ends[:, 1], ends[:, 2]), 1)
    row = number_rows(boxes, unit)
    inside = np.isin(row, row[(ends[:, 1] > left) & (ends[:, 0] < right)])
    before, behind = inside & (ends[:, 0] < left - unit), inside & (ends[:, 1] > right + unit)
    rows = len(set(row[inside].tolist()))
    if _are_most(row[before].tolist(), rows):
        left = float(ends[before, 0].min()) - unit
    if _are_most(row[behind].tolist(), rows):
        right = float(ends[behind, 1].max()) + unit
    return table if (left, right) == (table.box[0], table.box[2]) else replace(table, box=(left, top, right, bottom))


def _are_most(rows_beside: list[int], rows: int) -> bool:
    return len(set(rows_beside)) >= max(MIN_ROWS, MIN_ROWS_SHARE * rows)
