"""Cut lines of a facing page are left out; everything else near the edge stays."""

from __future__ import annotations

import numpy as np

from carrel.layout import FoundLine
from carrel.layout.lines.page_edges import without_facing_page, without_halved_lines

WIDTH = 1000


def line(left: float, right: float, base: float) -> FoundLine:
    ring = [(left, base - 18), (right, base - 18), (right, base + 6), (left, base + 6)]
    return FoundLine(np.array([(left, base), (right, base)], np.float32), np.array(ring, np.float32), 10.0)


def column(left: float, right: float, count: int = 20) -> list[FoundLine]:
    return [line(left, right, 60 + 30 * k) for k in range(count)]


def mirrored(lines: list[FoundLine]) -> list[FoundLine]:
    return [line(WIDTH - one.polygon[:, 0].max(), WIDTH - one.polygon[:, 0].min(), one.baseline[0, 1]) for one in lines]


def test_lines_cut_by_the_edge_beside_the_page_go() -> None:
    page = column(100, 700)
    assert without_facing_page([*page, *column(820, 999), line(840, 930, 700)], WIDTH) == page


def test_so_do_those_on_the_left() -> None:
    page = mirrored(column(100, 700))
    assert without_facing_page([*page, *mirrored(column(820, 999))], WIDTH) == page


def test_so_do_a_few_beside_a_part_of_the_page() -> None:
    page = mirrored(column(100, 700, 36))
    assert without_facing_page([*page, *mirrored(column(930, 999, 9))], WIDTH) == page


def test_a_close_cut_page_keeps_its_lines() -> None:
    page = [*column(20, 999, 12), *column(20, 700, 3)]
    assert without_facing_page(page, WIDTH) == page


def test_numbers_and_notes_in_the_margin_stay() -> None:
    numbers = [line(0, 20, 60 + 120 * k) for k in range(5)]
    assert len(without_facing_page([*column(100, 900), *numbers], WIDTH)) == 25
    notes = column(820, 960)  # near the edge, not cut by it
    assert len(without_facing_page([*column(100, 700), *notes], WIDTH)) == 40


def test_two_whole_pages_stay() -> None:
    assert len(without_facing_page([*column(10, 480), *column(520, 999)], WIDTH)) == 40


def test_close_cut_columns_stay() -> None:
    columns = [*column(5, 320), *column(340, 660), *column(680, 995)]
    assert len(without_facing_page(columns, WIDTH)) == 60


def test_no_lines() -> None:
    assert without_facing_page([], WIDTH) == []


def test_lines_halved_by_the_upper_and_lower_edge_go() -> None:
    page = column(100, 700, 10)
    assert without_halved_lines([line(100, 700, 5), *page, line(100, 700, 398)], 400) == page


def test_a_close_cut_image_of_a_line_keeps_it() -> None:
    assert len(without_halved_lines([line(10, 700, 23)], 24)) == 1
