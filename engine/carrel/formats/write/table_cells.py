"""Rows and columns of tables, by where their lines stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from carrel.page import Box, Line, Page, Points, Region

TABLE_ZONE = "TableZone"
SAME_ROW_HEIGHTS = (
    0.3  # between the baselines of cells of one row, in heights of a line with its ascenders and descenders
)
USUAL_SHARE = 0.8  # of the lines, the shorter ones: longer ones may reach over several columns
INSET_HEIGHTS = 0.15  # by which ends of neighbouring columns may overlap


def cells_of(page: Page, region: Region) -> list[tuple[int, int]] | None:
    """Return the row and column of each line of a table, counted from 1; None where the region is no table.

    Rows and columns follow the page's skew. A line over several columns is in the first of them.
    """
    if region.kind != TABLE_ZONE or not region.lines:
        return None
    spans = [_turned(line.baseline, page.provenance.skew_degrees) for line in region.lines]
    height = median(_height(line) for line in region.lines)
    rows = _numbered([base for _, _, base in spans], SAME_ROW_HEIGHTS * height)
    starts = _column_starts([span[:2] for span in spans], INSET_HEIGHTS * height)
    columns = [max(1, sum(start <= left + INSET_HEIGHTS * height for start in starts)) for left, _, _ in spans]
    return list(zip(rows, columns, strict=True))


def _turned(baseline: Points, skew_degrees: float) -> tuple[float, float, float]:
    """Left and right end of a line along the skew of the page, and how far down it stands."""
    cos, sin = math.cos(math.radians(skew_degrees)), math.sin(math.radians(skew_degrees))
    along = [x * cos + y * sin for x, y in baseline]
    return min(along), max(along), median(y * cos - x * sin for x, y in baseline)


def _height(line: Line) -> float:
    box = Box.around(line.polygon)
    return min(box.bottom - box.top, box.right - box.left)


def _numbered(places: Sequence[float], reach: float) -> list[int]:
    """Number places from 1; those within ``reach`` of the first of a number share it."""
    numbers = [0] * len(places)
    number, first = 0, -math.inf
    for k in sorted(range(len(places)), key=lambda k: places[k]):
        if places[k] - first > reach:
            number, first = number + 1, places[k]
        numbers[k] = number
    return numbers


def _column_starts(spans: Sequence[tuple[float, float]], inset: float) -> list[float]:
    """Left edges of the columns that all but the longest lines make, ascending."""
    usual = sorted(spans, key=lambda span: span[1] - span[0])[: max(1, math.ceil(USUAL_SHARE * len(spans)))]
    starts: list[float] = []
    reach = -math.inf
    for left, right in sorted(usual):
        if left + inset > reach - inset:
            starts.append(left)
        reach = max(reach, right)
    return starts
