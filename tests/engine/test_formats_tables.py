"""Tables in CSV: each line with its row and column, whatever the skew of the page."""

from __future__ import annotations

import csv
import io
import math
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from carrel.formats import FORMATS, read_page
from carrel.formats.check.any_format import check
from carrel.formats.write.interchange import interchange
from carrel.formats.write.table_cells import grid_of
from carrel.page import Line, Page, Point, Provenance, Region, Source, Writing
from oracle_formats import escriptorium_alto, escriptorium_page, schema_errors

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


@pytest.mark.parametrize("degrees", [0.0, -3.0, 5.0])
def test_page_has_a_grid_that_holds_each_line_in_its_cell(degrees: float) -> None:
    page = table(6, degrees)
    grid = grid_of(page, page.regions[0])
    assert grid is not None and (grid.rows, grid.columns) == (6, 3)
    for line, (row, column) in zip(page.lines, grid.cells, strict=True):
        upper, lower = grid.corners[row - 1 : row + 1]
        ring = np.array([*upper[column - 1 : column + 1], *lower[column - 1 : column + 1][::-1]], np.int32)
        middle = np.mean(line.polygon, axis=0)
        assert cv2.pointPolygonTest(ring, (float(middle[0]), float(middle[1])), False) > 0
    root = ET.fromstring(FORMATS["page"].write(page))
    found = root.find(".//{*}TableRegion")
    assert found is not None and (found.get("rows"), found.get("columns")) == ("6", "3")
    assert [len((points.get("points") or "").split()) for points in found.iterfind(".//{*}GridPoints")] == [4] * 7
    customs = [line.get("custom") or "" for line in root.iterfind(".//{*}TextLine")]
    assert "tableCell {row:2; column:3;}" in customs[5]


@pytest.mark.parametrize("name", ["page", "alto"])
def test_tables_lose_nothing_in_importers(name: str) -> None:
    """The lines stand where importers look for them, valid by the schema, and come back as one region."""
    page = interchange(table(6, 0.0))
    data = FORMATS[name].write(page)
    assert not check(data)
    assert not schema_errors("alto-4.2" if name == "alto" else name, data)
    lines = escriptorium_page(data) if name == "page" else escriptorium_alto(data)
    assert [text for text, *_ in lines] == [line.text for line in page.lines]
    assert {kind for *_, kind in lines} == {"DefaultLine"}
    back = read_page(data)
    assert [region.kind for region in back.regions] == ["TableZone"]
    assert [line.line_type for line in back.lines] == ["DefaultLine"] * 18


def test_alto_tells_rows_and_columns() -> None:
    root = ET.fromstring(FORMATS["alto"].write(table(6, 0.0)))
    blocks = list(root.iterfind(".//{*}ComposedBlock"))
    assert [block.get("TYPE") for block in blocks] == ["table"]
    labels = {tag.get("ID"): (tag.get("TYPE"), tag.get("LABEL")) for tag in root.iterfind(".//{*}OtherTag")}
    told = [
        [labels[tag] for tag in (line.get("TAGREFS") or "").split()][-2:] for line in root.iterfind(".//{*}TextLine")
    ]
    assert told[5] == [("row", "2"), ("column", "3")]


def test_running_text_has_no_table() -> None:
    page = table(3, 0.0, kind="MainZone")
    assert b"TableRegion" not in FORMATS["page"].write(page)
    assert b"ComposedBlock" not in FORMATS["alto"].write(page)
