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
