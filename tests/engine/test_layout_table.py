"""Ruled tables: cells apart, none lost, row by row; margins, frames and squared paper are none."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import FoundRegion, segment_page
from carrel.layout.components import components_of
from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline
from carrel.layout.tables.cell_order import order_cells
from carrel.layout.tables.cell_rulings import keep_separating_rulings
from carrel.layout.tables.rulings import find_table, upright_rulings
from drawn_pages import HEIGHT, WIDTH, Points, drawn_maps, page_of

RULINGS = (30, 110, 190, 500, 610)
TOP, BOTTOM = 60, 760
ROWS: list[Points] = [[(40, y), (590, y)] for y in range(120, 720, 50)]
"""Lines over all cells, as the segmenter may find them."""
CELLS: list[Points] = [
    [(left + 18, row[0][1]), (right - 12, row[0][1])] for row in ROWS for left, right in pairwise(RULINGS)
]
"""What is written in them, apart from the rulings."""


def with_rulings(page: NDArray[np.uint8], places: tuple[int, ...], top: int = TOP, bottom: int = BOTTOM) -> None:
    """Draw upright rulings a little aslant."""
    for x in places:
        cv2.line(page, (x, top), (x + 8, bottom), (60,), 2)


def table_of(page: NDArray[np.uint8], lines: list[Points]) -> tuple[FoundRegion, ...]:
    with_rulings(page, RULINGS)
    return segment_page(page, None, drawn_maps(lines))


def test_a_line_over_several_cells_is_cut_at_the_rules() -> None:
    regions = table_of(page_of(CELLS), ROWS)
    assert [region.kind for region in regions] == ["TableZone"]
    lines = regions[0].lines
    assert len(lines) == len(CELLS)
    for line in lines:
        left, right = line.baseline[0, 0], line.baseline[-1, 0]
        assert not any(left + 14 < x < right - 14 for x in RULINGS)


@pytest.mark.parametrize("mark", ["digit at the edge", "dash"])
def test_marks_that_the_segmenter_leaves_out_are_cells(mark: str) -> None:
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 50)]
    page = page_of(rows)
    left = 44 if mark == "digit at the edge" else 140
    for (_, y), _ in rows:
        if mark == "dash":
            cv2.line(page, (left, round(y) - 7), (left + 5, round(y) - 7), (30,), 2)
        else:
            cv2.line(page, (left, round(y) - 12), (left + 5, round(y)), (30,), 2)
    others: list[Points] = [[(530, y), (580, y)] for y in range(120, 720, 50)]
    page = np.minimum(page, page_of(others)).astype(np.uint8)
    regions = table_of(page, [*rows, *others])
    lines = [line for region in regions for line in region.lines]
    assert len(lines) == 3 * len(rows)
    assert sum(abs(float(line.baseline[:, 0].mean()) - left) < 12 for line in lines) == len(rows)


def test_cells_that_the_segmenter_leaves_out_are_found_by_their_ink() -> None:
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 50)]
    digits: list[Points] = [[(left, y), (left + 20, y)] for y in range(120, 720, 50) for left in (50, 540)]
    regions = table_of(page_of([*rows, *digits]), rows)
    assert len(regions[0].lines) == len(rows) + len(digits)
    found = [(float(line.baseline[:, 0].mean()), float(line.baseline[:, 1].mean())) for line in regions[0].lines]
    for points in digits:
        x, y = np.mean(points, axis=0)
        assert any(abs(a - x) < 8 and abs(b - y) < 6 for a, b in found)


def test_a_row_that_is_cut_keeps_cells_of_a_single_mark() -> None:
    rows: list[Points] = [[(200, y), (590, y)] for y in range(120, 720, 50)]
    page = page_of([[(200, y), (480, y)] for (_, y), _ in rows])
    for k, ((_, y), _) in enumerate(rows):
        rest = 505 + round(8 * (y - TOP) / (BOTTOM - TOP))  # every other mark is a rest of the ruling beside it
        x = 554 if k % 2 else rest
        cv2.line(page, (x, int(y) - 8), (x + 2, int(y) - 2), (40,), 2)
    (region,) = table_of(page, rows)
    last = [float(line.baseline[:, 0].mean()) for line in region.lines if line.baseline[-1, 0] > 505]
    assert len(last) == len(rows) // 2
    assert all(abs(x - 555) < 6 for x in last)


def test_a_cell_that_no_rule_cuts_is_kept_however_faint() -> None:
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 50)]
    faint: list[Points] = [[(540, y), (570, y)] for y in range(120, 720, 50)]
    (region,) = table_of(page_of(rows), [*rows, *faint])
    assert len(region.lines) == 2 * len(rows)


def test_cells_come_row_by_row() -> None:
    (region,) = table_of(page_of(CELLS), ROWS)
    assert len(region.lines) == len(CELLS)
    middles = [(round(float(line.baseline[:, 1].mean()) / 50), float(line.baseline[0, 0])) for line in region.lines]
    assert middles == sorted(middles)


@pytest.mark.parametrize("rulings", [RULINGS[1:], RULINGS[:-1]])
def test_columns_outside_of_the_outermost_rulings_are_cells(rulings: tuple[int, ...]) -> None:
    page = page_of(CELLS)
    with_rulings(page, (*rulings[:2], 330, *rulings[2:]))
    cells = [cell for cell in CELLS if cell[0][0] != 190 + 18]
    wide = [part for (_, y), _ in ROWS for part in ([(208, y), (318, y)], [(348, y), (488, y)])]
    regions = segment_page(page, None, drawn_maps([*cells, *wide]))
    assert [region.kind for region in regions] == ["TableZone"]
    bases = [float(line.baseline[:, 1].mean()) for line in regions[0].lines]
    assert len(bases) == len(CELLS) + len(ROWS)
    assert all(after - before > -10 for before, after in pairwise(bases))


def test_a_few_cells_outside_of_the_outermost_ruling_show_where_the_digits_beside_them_are() -> None:
    digits: list[Points] = [[(50, y), (56, y)] for (_, y), _ in ROWS]
    inner = [cell for cell in CELLS if cell[0][0] != RULINGS[0] + 18]
    page = page_of([*inner, *digits])
    with_rulings(page, (*RULINGS[1:], 300))
    regions = segment_page(page, None, drawn_maps([*inner, *([(44, y), (64, y)] for (_, y), _ in ROWS[::3])]))
    assert [region.kind for region in regions] == ["TableZone"]
    assert sum(line.baseline[0, 0] < 80 for line in regions[0].lines) == len(ROWS)


def test_lines_over_and_under_the_table_are_no_part_of_it() -> None:
    rows: list[Points] = [
        [(left, y), (right, y)] for y in range(120, 720, 50) for left, right in ((50, 90), (200, 480))
    ]
    outside: list[Points] = [[(100, 40), (520, 40)], [(100, 790), (520, 790)]]
    kinds = [region.kind for region in table_of(page_of([*rows, *outside]), [*rows, *outside])]
    assert len(kinds) == 3
    assert kinds[1] == "TableZone"


@pytest.mark.parametrize("places", [(), (60,), (20, 600), (20, 24, 600, 604), (40, 52, 64, 76)])
def test_frames_and_margins_are_no_table(places: tuple[int, ...]) -> None:
    page = page_of([[(80, y), (580, y)] for y in range(100, 700, 30)])
    with_rulings(page, places)
    assert find_table(page, upright_rulings(page, 10.0), 10.0) is None


def test_squared_paper_is_no_table() -> None:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    with_rulings(page, tuple(range(10, 620, 18)), 0, HEIGHT)
    assert find_table(page, upright_rulings(page, 9.0), 9.0) is None


def test_rules_of_different_length_are_no_table() -> None:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for x, bottom in zip((60, 200, 340, 600), (330, 500, 640, 790), strict=True):
        with_rulings(page, (x,), 10, bottom)
    assert find_table(page, upright_rulings(page, 10.0), 10.0) is None


def test_an_entry_of_several_lines_is_read_cell_by_cell() -> None:
    def box(left: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return (left, bottom - 10, right, bottom)

    entries = [
        [box(0, 40, y), box(60, 90, y), *(box(100, 300, y + 14 * k) for k in range(4)), box(320, 350, y + 42)]
        for y in (100.0, 200.0, 300.0)
    ]
    boxes = np.array([line for entry in entries for line in entry])
    mixed = np.random.default_rng(1).permutation(len(boxes))
    assert [int(mixed[k]) for k in order_cells(boxes[mixed])] == list(range(len(boxes)))


def test_no_lines_have_no_order() -> None:
    assert order_cells(np.zeros((0, 4))) == []


def test_short_faint_rules_do_not_cut() -> None:
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 50)]
    page = page_of(rows)
    cv2.line(page, (350, 300), (352, 500), (215,), 2)
    (region,) = table_of(page, rows)
    assert len(region.lines) == len(rows)


def test_a_rule_that_words_are_written_across_does_not_cut() -> None:
    x_height, x = 10.0, np.arange(60.0, 560.0)
    baselines = [Baseline(x, np.full(len(x), float(y)), x_height) for y in range(120, 720, 50)]
    mask, rulings = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    for left, right in ((60, 190), (210, 560)):  # no ink next to the ruling at 200, words across the one at 400
        for baseline in baselines:
            mask[round(baseline.y[0]) - 9 : round(baseline.y[0]), left:right:3] = 1
    rulings[60:760, 200], rulings[60:760, 400] = 1, 1
    kept = keep_separating_rulings(
        baselines, rulings, Ink(mask, rulings, 1.0, x_height, components_of(mask), components_of(mask))
    )
    assert set(np.flatnonzero(kept.any(axis=0)).tolist()) == {200}


def test_strokes_of_dense_writing_that_stand_over_each_other_do_not_cut() -> None:
    x = np.arange(60.0, 560.0)
    baselines = [Baseline(x, np.full(len(x), float(y)), 10.0) for y in range(120, 720, 30)]
    rulings = np.zeros((HEIGHT, WIDTH), np.uint8)
    rulings[60:760, 100], rulings[200:420, 300], rulings[620:720, 450] = 1, 1, 1
    nothing = components_of(np.zeros_like(rulings))
    kept = keep_separating_rulings(baselines, rulings, Ink(nothing.mask(), rulings, 1.0, 10.0, nothing, nothing))
    assert set(np.flatnonzero(kept.any(axis=0)).tolist()) == {100, 450}


def test_loops_under_a_line_are_no_cells() -> None:
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 60)]
    page = page_of(rows)
    for (left, base), _ in rows:
        cv2.line(page, (round(left) + 60, round(base) + 8), (round(left) + 60, round(base) + 19), (30,), 3)
    regions = table_of(page, rows)
    assert sum(len(region.lines) for region in regions) == len(rows)


def test_a_digit_whose_height_is_underrated_stays_in_its_row() -> None:
    """Its foot is a few px higher than that of the words beside it."""
    rows = [(x, y - 15.0, x + 60.0, y) for y in (100.0, 140.0, 180.0) for x in (50.0, 200.0, 350.0)]
    rows[7] = (200.0, 180.0 - 7.0 - 6.0, 215.0, 180.0 - 7.0)
    mixed = np.random.default_rng(3).permutation(len(rows))
    boxes = np.array(rows)
    assert [int(mixed[k]) for k in order_cells(boxes[mixed])] == list(range(9))


def test_edges_of_sheets_around_running_text_make_no_table() -> None:
    lines: list[Points] = [[(140, y), (480, y)] for y in range(120, 720, 50)]
    page = page_of(lines)
    with_rulings(page, (30, 60, 90, 540, 570, 610))
    regions = segment_page(page, None, drawn_maps(lines))
    assert [region.kind for region in regions] == ["MainZone"]
    assert len(regions[0].lines) == len(lines)


def test_digits_are_cells_where_letters_are_smaller_than_the_lines_say() -> None:
    """Rows of a register stand so far apart that the segmenter takes letters for larger than they are."""
    rows: list[Points] = [[(200, y), (480, y)] for y in range(120, 720, 60)]
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for (left, base), (right, _) in rows:
        for x in range(round(left), round(right), 9):
            cv2.line(page, (x, round(base) - 1), (x, round(base) - 7), (30,), 2)
        for x in (50, 58, 540):  # a number of two digits, and of one
            cv2.line(page, (x, round(base) - 1), (x, round(base) - 7), (30,), 2)
    regions = table_of(page, rows)
    assert sum(len(region.lines) for region in regions) == 3 * len(rows)


def two_columns(x: int) -> tuple[NDArray[np.uint8], list[Points]]:
    """Two columns with a ruling at ``x`` between them, and lines over both as the segmenter may find some."""
    heights = range(100, 740, 30)
    halves: list[Points] = [[(left, y), (right, y)] for y in heights for left, right in ((40, 300), (330, 600))]
    page = page_of(halves)
    cv2.line(page, (x, TOP), (x, BOTTOM), (60,), 2)
    joined: list[Points] = [[(40, y), (600, y)] for y in heights if y % 60 == 40]
    return page, [*joined, *(half for half in halves if half[0][1] % 60 != 40)]


def test_a_single_ruling_between_columns_cuts_the_lines_that_run_over_it() -> None:
    page, lines = two_columns(315)
    regions = segment_page(page, None, drawn_maps(lines))
    found = [line for region in regions for line in region.lines]
    assert len(found) == 44
    assert all(line.baseline[-1, 0] < 320 or line.baseline[0, 0] > 310 for line in found)
    sides = [line.baseline[0, 0] > 310 for line in found]
    assert sides == sorted(sides)


def test_a_single_ruling_that_words_run_across_cuts_nothing() -> None:
    lines: list[Points] = [[(40, y), (600, y)] for y in range(100, 740, 30)]
    page = page_of(lines)
    cv2.line(page, (120, TOP), (120, BOTTOM), (60,), 2)
    found = [line for region in segment_page(page, None, drawn_maps(lines)) for line in region.lines]
    assert len(found) == len(lines)
