"""Rows and columns of tables, by where their lines stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

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


class Grid(NamedTuple):
    """Rows and columns of a table: of each line its ``cells``, counted from 1, and the corners of all cells, ``rows + 1`` times ``columns + 1`` points."""

    cells: list[tuple[int, int]]
    corners: list[Points]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.corners) - 1

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.corners[0]) - 1


def grid_of(page: Page, region: Region) -> Grid | None:
    """Return the grid of a table, half way between the lines of neighbouring rows and columns; None where the region is no table."""
    cells = cells_of(page, region)
    if cells is None:
        return None
    degrees = page.provenance.skew_degrees
    outlines = [_turned_points(line.polygon, degrees) for line in region.lines]
    across = _borders([(column, [x for x, _ in ring]) for (_, column), ring in zip(cells, outlines, strict=True)])
    down = _borders([(row, [y for _, y in ring]) for (row, _), ring in zip(cells, outlines, strict=True)])
    return Grid(cells, [_turned_back([(x, y) for x in across], degrees) for y in down])


def _borders(spans: Sequence[tuple[int, Sequence[float]]]) -> list[float]:
    """Where numbered rows or columns begin, and where the last one ends; ascending. What reaches into the next one does not count there."""
    count = max(number for number, _ in spans)
    low = [min((min(span) for n, span in spans if n == number), default=None) for number in range(1, count + 1)]
    high = [median([max(span) for n, span in spans if n == number] or [-math.inf]) for number in range(1, count + 1)]
    borders = [min(min(span) for _, span in spans)]
    for number in range(1, count):
        start = low[number]
        usual = borders[-1] if start is None else min(start, (start + max(high[number - 1], borders[-1])) / 2)
        borders.append(max(borders[-1], usual))
    return [*borders, max(borders[-1], *(max(span) for _, span in spans))]


def _turned_points(points: Points, degrees: float) -> list[tuple[float, float]]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos + y * sin, y * cos - x * sin) for x, y in points]


def _turned_back(points: Sequence[tuple[float, float]], degrees: float) -> Points:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((round(x * cos - y * sin), round(x * sin + y * cos)) for x, y in points)


def _turned(baseline: Points, skew_degrees: float) -> tuple[float, float, float]:
    """Left and right end of a line along the skew of the page, and how far down it stands."""
    points = _turned_points(baseline, skew_degrees)
    along = [x for x, _ in points]
    return min(along), max(along), median(y for _, y in points)


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
