"""Columns too narrow, or too few lines, for their look to tell: what was read in them does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from carrel.layout import FoundLine, FoundRegion, in_read_columns
from carrel.layout.order.regions import region_of
from carrel.page import STAMP_ZONE
from drawn_pages import placed_line

RUNNING = (
    "and the mill",
    "was closed by",
    "order of the",
    "council in the",
    "Spring. Nobody",
    "had seen it",
    "before he came",
)
PARTED = ("The har-", "bour was", "Closed by an or-", "der of the Coun-", "cil of Upton", "Seven May", "Boats")
NAMES = ("Abbott J", "Barlow K", "Calvert M", "Dawes R", "Eccles S", "Fenwick T", "Goddard W")
REMARKS = ("sold", "lent to the school", "kept", "kept", "sold", "in the hall", "sold")
NUMBERS = ("1", "2", "3", "4", "5", "6", "7")
Columns = list[list[FoundLine]]


def read_across(*texts: tuple[str, ...], top: float = 100) -> tuple[list[FoundLine], list[str], list[list[str]]]:
    """Lines of narrow columns row by row, with their texts, and the texts column by column."""
    rows = range(len(texts[0]))
    lines = [placed_line(60 + 130 * k, 150 + 130 * k, top + 30 * row) for row in rows for k in range(len(texts))]
    return lines, [column[row] for row in rows for column in texts], [list(column) for column in texts]


def order_of(regions: tuple[FoundRegion, ...], lines: list[FoundLine], texts: list[str]) -> list[str]:
    text_of = dict(zip(map(id, lines), texts, strict=True))
    return [text_of[id(line)] for region in regions for line in region.lines]


@pytest.mark.parametrize("columns", [(RUNNING,) * 3, (RUNNING,) * 8, (PARTED,) * 4])
@pytest.mark.parametrize("kind", ["TableZone", "MainZone"])
def test_running_text_in_narrow_columns_is_read_down_them(columns: tuple[tuple[str, ...], ...], kind: str) -> None:
    lines, texts, down = read_across(*columns)
    region = FoundRegion(kind, region_of(lines).polygon, tuple(lines))
    regions = [region] if kind == "TableZone" else [region_of(lines[:-3]), region_of(lines[-3:])]
    found = in_read_columns(regions, texts)
    assert found is not None
    assert order_of(found, lines, texts) == [text for column in down for text in column]
    assert {one.kind for one in found} == {"MainZone"}


@pytest.mark.parametrize("columns", [(NUMBERS, NAMES, REMARKS), (NAMES, NUMBERS, REMARKS, NUMBERS), (NAMES,) * 3])
def test_cells_stay_in_their_rows(columns: tuple[tuple[str, ...], ...]) -> None:
    lines, texts, _ = read_across(*columns)
    assert in_read_columns([FoundRegion("TableZone", region_of(lines).polygon, tuple(lines))], texts) is None


MORE_NAMES = ("Hadley B", "Ingram C", "Jessop D", "Kelsey E", "Ludlow F", "Mercer G", "Naylor H")
LAST_NAMES = ("Ormond A", "Pickard B", "Quayle C", "Radley D", "Selby E", "Tapley F", "Upton G")
PAGES = ("12", "8", "103", "44, 45", "7", "91", "230")


@pytest.mark.parametrize(
    "columns, widths",
    [
        ((NAMES, MORE_NAMES, LAST_NAMES), (1, 1, 1)),
        ((NAMES, PAGES, MORE_NAMES, NUMBERS), (2, 2)),
        ((NAMES, NUMBERS, PAGES, MORE_NAMES, PAGES, NUMBERS, LAST_NAMES, NUMBERS, PAGES), (3, 3, 3)),
    ],
)
def test_a_sorted_list_goes_on_in_the_next_column(
    columns: tuple[tuple[str, ...], ...], widths: tuple[int, ...]
) -> None:
    lines, texts, _ = read_across(*columns)
    head = placed_line(60, 60 + 130 * len(columns), 40)
    ends = np.cumsum((0, *widths)).tolist()
    down = [text for a, b in pairwise(ends) for row in zip(*columns[a:b], strict=True) for text in row]
    found = in_read_columns(
        [region_of([head]), FoundRegion("TableZone", region_of(lines).polygon, tuple(lines))], ["INDEX", *texts]
    )
    assert found is not None
    assert order_of(found, [head, *lines], ["INDEX", *texts]) == ["INDEX", *down]


def test_a_line_in_pieces_is_one_name_of_a_sorted_list() -> None:
    lines, texts, _ = read_across(NAMES, MORE_NAMES, LAST_NAMES)
    jessop = texts.index("Jessop D")
    lines[jessop : jessop + 1] = [placed_line(190, 198, 160), placed_line(200, 280, 160)]
    texts[jessop : jessop + 1] = ["J", "essop D"]
    found = in_read_columns([FoundRegion("TableZone", region_of(lines).polygon, tuple(lines))], texts)
    assert found is not None
    assert order_of(found, lines, texts)[7:13] == ["Hadley B", "Ingram C", "J", "essop D", "Kelsey E", "Ludlow F"]


@pytest.mark.parametrize(
    "columns",
    [
        (NAMES, MORE_NAMES, REMARKS),
        (NUMBERS, NAMES, MORE_NAMES),
        (NAMES, NUMBERS, NUMBERS, NUMBERS),
        (NAMES, NUMBERS, tuple(reversed(MORE_NAMES)), NUMBERS),
    ],
)
def test_tables_with_sorted_names_stay_tables(columns: tuple[tuple[str, ...], ...]) -> None:
    lines, texts, _ = read_across(*columns)
    assert in_read_columns([FoundRegion("TableZone", region_of(lines).polygon, tuple(lines))], texts) is None


def test_columns_that_are_read_down_already_stay_as_they_are() -> None:
    lines, texts, _ = read_across(RUNNING, RUNNING, RUNNING)
    regions = [region_of(lines[k::3]) for k in range(3)]
    assert in_read_columns(regions, [text for k in range(3) for text in texts[k::3]]) is None


def test_a_heading_parts_the_columns_and_stamps_stay() -> None:
    lines, texts, down = read_across(RUNNING, RUNNING, RUNNING)
    heading, stamp = placed_line(60, 400, 60), placed_line(500, 540, 80)
    own = FoundRegion(STAMP_ZONE, stamp.polygon, (stamp,))
    regions = [region_of([heading]), FoundRegion("TableZone", region_of(lines).polygon, tuple(lines)), own]
    found = in_read_columns(regions, ["News", *texts, "PAID"])
    assert found is not None
    assert found[-1] is own
    assert order_of(found[:-1], [heading, *lines], ["News", *texts]) == [
        "News",
        *(t for column in down for t in column),
    ]


def test_pages_without_lines_and_of_one_column_are_left_alone() -> None:
    assert in_read_columns([], []) is None
    one = region_of([placed_line(60, 500, 100 + 30 * k) for k in range(20)])
    assert in_read_columns([one, one], ["and so it went"] * 40) is None
