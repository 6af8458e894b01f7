"""Columns parted by dots, by dashes, by broken rulings or by little white: lines that run over these are cut."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import PageInk, segment_page
from carrel.layout.ink import find_ink
from carrel.layout.lines.polygons import Baseline
from carrel.layout.tables.column_gutters import cut_at_gutters
from drawn_columns import PITCH, TOP, page_in_columns
from drawn_pages import drawn_maps

ROWS = 24
COLUMNS = [(50, 290), (320, 560), (590, 830)]
GUTTERS = (305, 575)


def draw_ruling(page: NDArray[np.uint8], x: int, kind: str) -> None:
    pieces = {"dotted": (2, 9), "dashed": (14, 23), "broken": (70, 120)}
    length, step = pieces[kind]
    for y in range(TOP, TOP + PITCH * ROWS, step):
        cv2.line(page, (x, y), (x, y + length - 1), (40,), 2)


@pytest.mark.parametrize("kind", ["dotted", "dashed", "broken"])
def test_lines_are_cut_at_rulings_that_are_not_connected(kind: str) -> None:
    page, across = page_in_columns(COLUMNS, ROWS)
    for x in GUTTERS:
        draw_ruling(page, x, kind)
    lines = [line for region in segment_page(page, None, drawn_maps(across)) for line in region.lines]
    assert len(lines) == ROWS * len(COLUMNS)
    for line in lines:
        assert not any(line.baseline[0, 0] < x < line.baseline[-1, 0] for x in GUTTERS)


@pytest.mark.parametrize("kind", ["dotted", "dashed", "broken"])
def test_rulings_that_are_not_connected_are_no_ink(kind: str) -> None:
    plain, _ = page_in_columns(COLUMNS, ROWS)
    page = plain.copy()
    for x in GUTTERS:
        draw_ruling(page, x, kind)
    ink = PageInk(page)
    assert (ink.without_broken_rulings == plain).mean() > 0.9999
    gutters = [ink.ink.mask[:, x - 8 : x + 8] for x in GUTTERS]
    assert not any(gutter.any() for gutter in gutters)
    assert all(ink.rulings[TOP : TOP + PITCH * (ROWS - 3), x - 2 : x + 3].any(axis=1).all() for x in GUTTERS)


def test_a_column_of_ones_is_no_ruling() -> None:
    page, _ = page_in_columns([COLUMNS[0], COLUMNS[1]], ROWS)
    for row in range(ROWS):
        cv2.line(page, (GUTTERS[0], TOP + PITCH * (row + 1) - 14), (GUTTERS[0], TOP + PITCH * (row + 1)), (40,), 2)
    assert PageInk(page).ink.broken is None


def test_letters_over_each_other_are_no_ruling() -> None:
    page, _ = page_in_columns([(50, 830)], ROWS)
    ink = PageInk(page)
    assert ink.ink.broken is None
    assert ink.without_broken_rulings is page


def test_lines_are_cut_at_narrow_gutters() -> None:
    page, across = page_in_columns([(50, 290), (308, 550), (568, 830)], ROWS)
    lines = [line for region in segment_page(page, None, drawn_maps(across)) for line in region.lines]
    assert len(lines) == 3 * ROWS
    order = [(float(line.baseline[0, 0]) // 250, float(line.baseline[0, 1])) for line in lines]
    assert order == sorted(order)


def test_lines_beside_gutters_tell_where_the_others_are_to_be_cut() -> None:
    page, across = page_in_columns([(50, 290), (308, 550)], ROWS)
    found = [
        line
        for k, ((left, y), (right, _)) in enumerate(across)
        for line in ([[(left, y), (right, y)]] if k % 6 == 3 else [[(left, y), (288, y)], [(310, y), (right, y)]])
    ]
    lines = [line for region in segment_page(page, None, drawn_maps(found)) for line in region.lines]
    assert len(lines) == 2 * ROWS


@pytest.mark.parametrize("columns", [[(50, 830)], [(50, 110), (130, 830)]])
def test_spaces_between_words_and_cells_are_no_gutters(columns: list[tuple[int, int]]) -> None:
    page, across = page_in_columns(columns, ROWS)
    lines = [line for region in segment_page(page, None, drawn_maps(across)) for line in region.lines]
    assert len(lines) == ROWS


def test_a_heading_over_narrow_gutters_stays_whole() -> None:
    page, across = page_in_columns([(50, 290), (308, 550)], ROWS)
    head, over = page_in_columns([(50, 550)], 1, seed=9)
    page = np.vstack((head, page))
    shifted = [[(x, y + len(head)) for x, y in line] for line in across]
    lines = [line for region in segment_page(page, None, drawn_maps([*over, *shifted])) for line in region.lines]
    assert sum(line.baseline[-1, 0] - line.baseline[0, 0] > 400 for line in lines) == 1


def test_a_line_below_columns_stays_whole_though_one_of_its_spaces_lies_over_a_gutter() -> None:
    page, across = page_in_columns([(50, 290), (308, 550), (568, 830), (848, 1090)], ROWS)
    foot, over = page_in_columns([(50, 550), (568, 1090)], 3, seed=9)
    bases = [line[0][1] for line in across] + [line[0][1] + len(page) for line in over]
    x = np.arange(50.0, 1090.0)
    lines = [Baseline(x, np.full(len(x), base), 9.0) for base in bases]
    cut = cut_at_gutters(lines, find_ink(np.vstack((page, foot))))
    assert cut[4 * ROWS :] == lines[ROWS:]


@pytest.mark.parametrize("kind", ["dotted", "dashed", "broken"])
def test_a_ruling_that_is_not_connected_leaves_out_a_heading_over_it(kind: str) -> None:
    page, across = page_in_columns([(50, 290), (320, 560)], ROWS)
    draw_ruling(page, GUTTERS[0], kind)
    base = int(across[ROWS // 2][0][1])
    page[base - 20 : base + 8] = 255
    cv2.putText(page, "mmmmmmmmmmmmmmmmmmmmmmmmm", (60, base), cv2.FONT_HERSHEY_COMPLEX, 0.8, (30,), 2)
    lines = [line for region in segment_page(page, None, drawn_maps(across)) for line in region.lines]
    assert len(lines) == 2 * ROWS - 1
