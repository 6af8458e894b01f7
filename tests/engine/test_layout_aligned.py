"""Tables without rulings: cells in rows and columns, single marks, leaders; running text is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import FoundRegion, segment_page
from carrel.layout.tables.aligned import find_aligned_table
from drawn_pages import HEIGHT, WIDTH, Points, drawn_maps, page_of

ROWS = range(120, 720, 50)
LEFTS, WIDTHS = (40, 120, 380, 520), (40, 150, 60, 50)


def cells(rows: range = ROWS) -> list[Points]:
    return [[(left, y), (left + width, y)] for y in rows for left, width in zip(LEFTS, WIDTHS, strict=True)]


def boxes_of(lines: list[Points]) -> NDArray[np.float64]:
    return np.array([(line[0][0], line[0][1] - 9, line[1][0], line[0][1]) for line in lines], np.float64)


def places(regions: tuple[FoundRegion, ...]) -> list[tuple[int, float]]:
    return [
        (round(float(line.baseline[:, 1].mean()) / 50), float(line.baseline[0, 0]))
        for region in regions
        for line in region.lines
    ]


def test_cells_without_rulings_make_a_table_row_by_row() -> None:
    lines = cells()
    regions = segment_page(page_of(lines), None, drawn_maps(lines))
    assert [region.kind for region in regions] == ["TableZone"]
    assert len(places(regions)) == len(lines)
    assert places(regions) == sorted(places(regions))


def test_a_title_over_the_table_stays_outside() -> None:
    title: Points = [(60, 60), (560, 60)]
    regions = segment_page(page_of([title, *cells()]), None, drawn_maps([title, *cells()]))
    assert [region.kind for region in regions] == ["MainZone", "TableZone"]
    assert len(regions[0].lines) == 1


@pytest.mark.parametrize("mark", ["digit", "ditto", "dash"])
def test_marks_that_the_segmenter_leaves_out_are_cells(mark: str) -> None:
    lines = cells()
    page = page_of(lines)
    for y in ROWS:
        if mark == "digit":
            cv2.line(page, (460, y - 12), (466, y), (30,), 2)
        elif mark == "ditto":
            cv2.line(page, (460, y - 13), (460, y - 9), (30,), 2)
            cv2.line(page, (465, y - 13), (465, y - 9), (30,), 2)
        else:
            cv2.line(page, (458, y - 5), (467, y - 5), (30,), 2)
    regions = segment_page(page, None, drawn_maps(lines))
    found = places(regions)
    assert len(found) == len(lines) + len(ROWS)
    assert sum(450 < x < 470 for _, x in found) == len(ROWS)
    assert found == sorted(found)


@pytest.mark.parametrize("place", [22, 610])
def test_marks_beside_the_outermost_column_belong_to_their_rows(place: int) -> None:
    lines = cells()
    page = page_of(lines)
    for y in ROWS:
        cv2.line(page, (place, y - 12), (place + 6, y), (30,), 2)
    regions = segment_page(page, None, drawn_maps(lines))
    assert [region.kind for region in regions] == ["TableZone"]
    assert len(places(regions)) == len(lines) + len(ROWS)
    assert places(regions) == sorted(places(regions))


def test_small_ditto_marks_in_a_column_are_cells() -> None:
    lines = cells()
    page = page_of(lines)
    for y in ROWS:
        cv2.rectangle(page, (460, y - 14), (463, y - 11), (30,), -1)
    found = places(segment_page(page, None, drawn_maps(lines)))
    assert len(found) == len(lines) + len(ROWS)
    assert found == sorted(found)


def test_small_specks_at_many_heights_are_no_cells() -> None:
    lines = cells()
    page = page_of(lines)
    for k, y in enumerate(ROWS):
        cv2.rectangle(page, (455 + 3 * (k % 5), y - 6 * (k % 4)), (458 + 3 * (k % 5), y + 3 - 6 * (k % 4)), (30,), -1)
    assert len(places(segment_page(page, None, drawn_maps(lines)))) == len(lines)


def test_lines_over_two_columns_are_cut_where_the_columns_end() -> None:
    lines = cells()
    joined = [line for line in lines if not (line[0][1] >= ROWS[-2] and line[0][0] in (40, 120))]
    joined += [[(40, y), (270, y)] for y in ROWS[-2:]]
    regions = segment_page(page_of(lines), None, drawn_maps(joined))
    assert [region.kind for region in regions] == ["TableZone"]
    assert len(places(regions)) == len(lines)
    assert places(regions) == sorted(places(regions))


def test_long_names_that_reach_the_amounts_stay_in_the_table() -> None:
    names: list[Points] = [[(40, y), (200, y)] for y in ROWS if y not in (ROWS[3], ROWS[7])]
    amounts: list[Points] = [[(330, y), (380, y)] for y in ROWS if y not in (ROWS[3], ROWS[7])]
    whole: list[Points] = [[(40, y), (380, y)] for y in (ROWS[3], ROWS[7])]
    lines = [*names, *amounts, *whole]
    regions = segment_page(page_of(lines), None, drawn_maps(lines))
    assert [region.kind for region in regions] == ["TableZone"]
    assert len(places(regions)) == len(lines)
    assert places(regions) == sorted(places(regions))


def test_nothing_is_left_of_leaders_where_no_ink_stands() -> None:
    titles: list[Points] = [[(40, y), (240, y)] for y in ROWS]
    page = page_of(titles)
    for y in ROWS:
        for x in range(260, 560, 12):
            cv2.circle(page, (x, y - 2), 2, (30,), -1)
    regions = segment_page(page, None, drawn_maps([[(40, y), (600, y)] for y in ROWS]))
    ends = [float(line.baseline[-1, 0]) for region in regions for line in region.lines]
    assert len(ends) == len(ROWS)
    assert max(ends) < 260


def test_specks_off_the_rows_and_a_lone_mark_are_no_cells() -> None:
    lines = cells()
    page = page_of(lines)
    cv2.line(page, (460, ROWS[3] - 12), (466, ROWS[3]), (30,), 2)
    for y in ROWS:
        cv2.circle(page, (470, y + 22), 1, (30,), -1)
    regions = segment_page(page, None, drawn_maps(lines))
    assert len(places(regions)) == len(lines)


def test_leaders_are_cut_out_and_numbers_follow_their_titles() -> None:
    titles: list[Points] = [[(40, y), (240, y)] for y in ROWS]
    numbers: list[Points] = [[(580, y), (600, y)] for y in ROWS]
    page = page_of([*titles, *numbers])
    for y in ROWS:
        for x in range(260, 570, 12):
            cv2.circle(page, (x, y - 2), 2, (30,), -1)
    whole: list[Points] = [[(40, y), (600, y)] for y in ROWS]
    regions = segment_page(page, None, drawn_maps(whole))
    found = places(regions)
    assert len(found) == 2 * len(ROWS)
    assert found == sorted(found)
    for region in regions:
        for line in region.lines:
            assert not (line.baseline[:, 0].min() < 300 < line.baseline[:, 0].max())


def test_numbers_left_of_clauses_come_before_them() -> None:
    clauses: list[Points] = [[(140, y), (600, y)] for y in range(120, 720, 30)]
    numbers: list[Points] = [[(40, y), (60, y)] for y in range(120, 720, 60)]
    lines = sorted([*clauses, *numbers], key=lambda line: (line[0][1], line[0][0]))
    regions = segment_page(page_of(lines), None, drawn_maps(lines))
    found = [(float(li.baseline[:, 1].mean()) // 30, float(li.baseline[0, 0])) for r in regions for li in r.lines]
    assert len(found) == len(lines)
    assert found == sorted(found)
    assert {region.kind for region in regions} == {"MainZone"}


@pytest.mark.parametrize(
    "lines",
    [
        [[(40, y), (600, y)] for y in range(120, 720, 30)],
        [[(left, y), (left + 250, y)] for y in range(120, 720, 30) for left in (40, 330)],
        [[(left, y), (left + 160, y)] for y in range(120, 720, 30) for left in (40, 230, 420)],
        [[(40, y), (250, y)] for y in range(120, 720, 30)] + [[(330, y), (600, y)] for y in range(137, 720, 30)],
        [[(40, 120), (90, 120)], [(200, 120), (300, 120)], *([(40, y), (600, y)] for y in range(160, 720, 30))],
    ],
)
def test_running_text_is_no_table(lines: list[Points]) -> None:
    assert find_aligned_table(boxes_of(lines), 10.0) is None


def test_no_lines_make_no_table() -> None:
    assert find_aligned_table(np.zeros((0, 4)), 10.0) is None


def test_an_empty_page_is_no_table() -> None:
    assert segment_page(np.full((HEIGHT, WIDTH), 255, np.uint8), None, drawn_maps([])) == ()
