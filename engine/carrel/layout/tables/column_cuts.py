"""Lines that run over several columns of a table without rulings, cut where its columns end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline
from carrel.layout.tables.aligned import COLUMN_GAP_X_HEIGHTS, AlignedTable

MIN_PART_X_HEIGHTS = 0.7  # length
MAX_ROWS_AWAY = 3.0  # from the table, in distances between its rows: what is farther away is a title


def cut_at_columns(baselines: Sequence[Baseline], table: AlignedTable, ink: Ink) -> list[Baseline]:
    """Cut lines in and next to a table where white space parts its columns, working px; the others come back as they are."""
    if len(table.rows) < 2:
        return list(baselines)
    away = MAX_ROWS_AWAY * median(np.diff(table.rows))
    top, bottom = table.rows[0] - away, table.rows[-1] + away
    parts: list[Baseline] = []
    for baseline in baselines:
        near = top < float(baseline.y.mean()) < bottom
        parts += _parts(baseline, table, ink) if near else [baseline]
    return parts


def _parts(baseline: Baseline, table: AlignedTable, ink: Ink) -> list[Baseline]:
    ends, starts = table.columns[:-1, 1], table.columns[1:, 0]
    over = (baseline.x[0] < ends) & (baseline.x[-1] > starts)
    edges = [baseline.x[0]]
    for end, start in zip(ends[over], starts[over], strict=True):
        gap = _gap(baseline, float(end), float(start), ink)
        if gap is None:
            return [baseline]  # a heading over several columns
        edges += gap
    edges.append(baseline.x[-1])
    parts: list[Baseline] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        inside = (baseline.x >= start) & (baseline.x <= stop)
        if stop - start >= MIN_PART_X_HEIGHTS * baseline.x_height_px and inside.sum() > 1:
            parts.append(Baseline(baseline.x[inside], baseline.y[inside], baseline.x_height_px))
    return parts if len(parts) > 1 else [baseline]


def _gap(baseline: Baseline, end: float, start: float, ink: Ink) -> list[float] | None:
    """Ends of the widest stretch without ink of the small letters around the space between two columns; None for a narrow one."""
    unit = baseline.x_height_px
    near = (baseline.x >= end - 2 * unit) & (baseline.x <= start + 2 * unit)
    x = np.rint(baseline.x[near]).astype(np.int64)
    rows = np.rint(baseline.y[near]).astype(np.int64) + np.arange(-round(unit), 0)[:, None]
    height, width = ink.mask.shape
    empty = ~(ink.mask[rows.clip(0, height - 1), x.clip(0, width - 1)] > 0).any(axis=0)
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], empty.astype(np.int8), [0]))))
    if not len(bounds):
        return None
    first, last = max(zip(bounds[::2], bounds[1::2], strict=True), key=lambda run: int(run[1] - run[0]))
    if last - first < COLUMN_GAP_X_HEIGHTS * unit:
        return None
    return [float(x[first]), float(x[last - 1])]
