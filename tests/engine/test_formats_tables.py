"""Tables in CSV: each line with its row and column, whatever the skew of the page."""

from __future__ import annotations

import csv
import io
import math

import pytest

from carrel.formats import FORMATS
from carrel.page import Line, Page, Point, Provenance, Region, Source, Writing

LEFTS, WIDTHS = (100, 300, 900), (60, 420, 120)


def placed(left: float, width: float, base: float, degrees: float) -> Line:
    """A line of a page that is skewed by so many degrees around its corner."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def on_scan(x: float, y: float) -> Point:
        return round(x * cos - y * sin) + 2000, round(x * sin + y * cos) + 2000

    ends = [(left, base), (left + width, base)]
    ring = [(x, base - 30) for x, _ in ends] + [(x, base + 10) for x, _ in reversed(ends)]
    polygon = tuple(on_scan(*point) for point in ring)
    baseline = tuple(on_scan(*point) for point in ends)
    return Line(baseline, polygon, Writing("printed", 1.0), f"{left} {base}", 0.9)


def table(rows: int, degrees: float, lines: list[Line] | None = None, kind: str = "TableZone") -> Page:
    places = [(left, width, 100 + 60 * row) for row in range(rows) for left, width in zip(LEFTS, WIDTHS, strict=True)]
    cells = tuple(placed(*place, degrees) for place in places) if lines is None else tuple(lines)
    region = Region(kind, cells[0].polygon, cells)
    return Page(4000, 4000, None, (region,), Source("a.png"), Provenance("test", skew_degrees=degrees))


def cells(page: Page) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(FORMATS["csv"].write(page).decode(), newline=""))
    return [(row["table_row"], row["table_column"]) for row in rows]


@pytest.mark.parametrize("degrees", [0.0, -3.0, 5.0, 90.0, 180.0])
def test_lines_of_a_table_have_rows_and_columns(degrees: float) -> None:
    assert cells(table(6, degrees)) == [(str(row), str(column)) for row in range(1, 7) for column in range(1, 4)]


def test_empty_cells_leave_their_column_free_and_a_title_stands_in_the_first() -> None:
    lines = [placed(100, 900, 40, 0.0), *table(5, 0.0).lines]
    del lines[5]
    found = cells(table(5, 0.0, lines))
    assert found[0] == ("1", "1")
    assert found[1:7] == [("2", "1"), ("2", "2"), ("2", "3"), ("3", "1"), ("3", "3"), ("4", "1")]


def test_lines_outside_tables_have_neither() -> None:
    assert set(cells(table(3, 0.0, kind="MainZone"))) == {("", "")}
