"""Columns of text beside columns of tables: three to eight, ruled or not, under headings that cross."""

from __future__ import annotations

import numpy as np
import pytest

from carrel.layout import FoundLine
from carrel.layout.order.regions import in_reading_order
from carrel.layout.types import TableArea
from drawn_pages import placed_line as line
from drawn_pages import shuffled

STEP, GUTTER = 30.0, 30.0


def column(left: float, width: float, top: float, count: int, *, index: bool = False) -> list[FoundLine]:
    """Lines of a newspaper, or of an index: short ones, and those that go on set in."""
    lines: list[FoundLine] = []
    for k in range(count):
        inset = 25 if index and k % 3 == 1 else 0
        length = width * (0.6 + 0.05 * ((7 * k) % 8)) if index else width
        lines.append(line(left + inset, left + min(width, inset + length), top + STEP * k))
    return lines


def columns(count: int, *, index: bool = False, rows: int = 12, top: float = 200) -> list[FoundLine]:
    width = 220.0
    lefts = [60 + k * (width + GUTTER) for k in range(count)]
    return [one for left in lefts for one in column(left, width, top, rows, index=index)]


def area_of(lines: list[FoundLine]) -> TableArea:
    points = np.concatenate([one.polygon for one in lines])
    return TableArea(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def indices(lines: list[FoundLine], mixed: list[FoundLine], *, ruled: bool) -> list[int]:
    place = {id(one): k for k, one in enumerate(lines)}
    regions = in_reading_order(mixed, area_of(lines) if ruled else None)
    return [place[id(one)] for region in regions for one in region.lines]


@pytest.mark.parametrize("ruled", [False, True])
@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 8])
def test_columns_are_read_one_after_the_other(count: int, index: bool, ruled: bool) -> None:
    lines = columns(count, index=index)
    assert indices(lines, shuffled(lines), ruled=ruled) == list(range(len(lines)))


@pytest.mark.parametrize("count", [3, 5, 8])
def test_a_heading_over_the_columns_comes_first(count: int) -> None:
    lines = [line(60, 60 + 250 * count - GUTTER, 120), *columns(count)]
    assert indices(lines, shuffled(lines), ruled=False) == list(range(len(lines)))


@pytest.mark.parametrize("widths", [(220, 60, 60, 60), (40, 300, 120, 90), (80, 80, 80, 80)])
@pytest.mark.parametrize("ruled", [False, True])
def test_cells_are_read_row_by_row(widths: tuple[int, ...], ruled: bool) -> None:
    """Columns of uneven widths, or too narrow for text, are those of a table."""
    lefts = [60.0 + sum(widths[:k]) + 40 * k for k in range(len(widths))]
    rows = [
        [line(left, left + 0.8 * width, 200 + 60 * row) for left, width in zip(lefts, widths, strict=True)]
        for row in range(12)
    ]
    lines = [cell for row in rows for cell in row]
    assert indices(lines, shuffled(lines), ruled=ruled) == list(range(len(lines)))


@pytest.mark.parametrize("count, over", [(4, (0, 1)), (5, (2, 4)), (7, (0, 2)), (7, (3, 6)), (3, (1, 2))])
def test_a_heading_over_some_columns_comes_before_them(count: int, over: tuple[int, int]) -> None:
    """The columns beside it go on from head to foot."""
    first, last = over
    place = [60 + 250 * k for k in range(count)]
    parts = [column(left, 220, 200, 14) for left in place]
    headed = [one for k in range(first, last + 1) for one in parts[k][2:]]
    heading = line(place[first], place[first] + 250 * (last - first) + 120, 215)
    lines = [
        *(one for part in parts[:first] for one in part),
        heading,
        *headed,
        *(one for part in parts[last + 1 :] for one in part),
    ]
    assert indices(lines, shuffled(lines), ruled=False) == list(range(len(lines)))


@pytest.mark.parametrize("count, over", [(4, (1, 2)), (6, (2, 3)), (7, (1, 4)), (5, (0, 1))])
def test_a_heading_in_white_that_runs_through_parts_all_columns(count: int, over: tuple[int, int]) -> None:
    place = [60 + 250 * k for k in range(count)]
    upper = [one for left in place for one in column(left, 220, 200, 8)]
    heading = line(place[over[0]] + 20, place[over[1]] + 150, 480)
    lower = [one for left in place for one in column(left, 220, 550, 8)]
    lines = [*upper, heading, *lower]
    assert indices(lines, shuffled(lines), ruled=False) == list(range(len(lines)))


def test_headings_one_below_the_other_part_the_columns_under_them() -> None:
    place = [60 + 250 * k for k in range(4)]
    halves = [[column(left, 220, top, 7) for left in place[:2]] for top in (200, 470)]
    heads = [line(60, 480, 170), line(60, 500, 430)]
    left_side = [heads[0], *halves[0][0], *halves[0][1], heads[1], *halves[1][0], *halves[1][1]]
    lines = [*left_side, *column(place[2], 220, 170, 17), *column(place[3], 220, 170, 17)]
    assert indices(lines, shuffled(lines), ruled=False) == list(range(len(lines)))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_title_above_one_column_in_large_type_comes_first(count: int) -> None:
    left = 60 + 250 * (count // 2) + 40
    base = np.array([(left, 140), (left + 120, 140)], np.float32)
    title = FoundLine(
        base, np.array([(left, 100), (left + 120, 100), (left + 120, 150), (left, 150)], np.float32), 22.0
    )
    lines = [title, *columns(count)]
    assert indices(lines, shuffled(lines), ruled=False) == list(range(len(lines)))
