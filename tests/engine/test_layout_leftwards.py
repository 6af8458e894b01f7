"""Pages that are read from the right: columns, notes and cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carrel.layout import FoundLine, FoundRegion, in_leftward_order

WIDTH, STEP = 400.0, 40.0


def _line(left: float, y: float, width: float = WIDTH, degrees: float = 0.0) -> FoundLine:
    points = np.array([(left, y), (left + width, y)], np.float32)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array(((cos, -sin), (sin, cos)), np.float32)
    ring = np.concatenate((points - (0, 14), points[::-1] - (0, -5))).astype(np.float32)
    return FoundLine(points @ turn.T, ring @ turn.T, 12.0)


def _region(lines: list[FoundLine], kind: str = "MainZone") -> FoundRegion:
    points = np.concatenate([line.polygon for line in lines])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return FoundRegion(
        kind, np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32), tuple(lines)
    )


@pytest.mark.parametrize("degrees", [0.0, 4.0, -4.0, 90.0, 180.0])
def test_columns_come_from_the_right(degrees: float) -> None:
    columns = [[_line(left, 100 + STEP * row, degrees=degrees) for row in range(8)] for left in (50.0, 520.0, 990.0)]
    regions = [_region(column) for column in columns]
    found = in_leftward_order(regions)
    assert [region.lines for region in found] == [tuple(column) for column in reversed(columns)]
    for region, given in zip(found, reversed(regions), strict=True):  # on the page, not mirrored away
        middle = region.polygon.mean(axis=0)
        assert np.abs(middle - given.polygon.mean(axis=0)).max() < 30


def test_parts_of_a_row_come_from_the_right() -> None:
    left, right = _line(50, 100, 150), _line(260, 100, 150)
    below = _line(50, 140)
    (region,) = in_leftward_order([_region([left, right, below])])
    assert region.lines == (right, left, below)


def test_cells_of_a_table_come_from_the_right_and_stamps_last() -> None:
    rows = [[_line(100 + 300 * column, 100 + 60 * row, 120) for column in range(4)] for row in range(5)]
    table = _region([cell for row in rows for cell in row], "TableZone")
    stamp = FoundRegion("StampZone", _region([rows[0][0]]).polygon, ())
    found = in_leftward_order([stamp, table])
    assert [region.kind for region in found] == ["TableZone", "StampZone"]
    assert found[0].lines == tuple(cell for row in rows for cell in reversed(row))


def test_a_page_without_lines_stays() -> None:
    assert in_leftward_order(()) == ()
