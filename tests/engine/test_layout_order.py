"""Regions and reading order of lines whose places are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from carrel.layout import FoundLine
from carrel.layout.order.regions import in_reading_order
from carrel.layout.types import TableArea
from drawn_pages import placed_line as line
from drawn_pages import shuffled


def order_of(lines: list[FoundLine]) -> list[int]:
    """Indices of ``lines`` in the order found."""
    place = {id(one): k for k, one in enumerate(lines)}
    return [place[id(one)] for region in in_reading_order(lines) for one in region.lines]


def kinds(lines: list[FoundLine]) -> list[str]:
    return [region.kind for region in in_reading_order(lines)]


def prose(left: float, right: float, top: float, count: int) -> list[FoundLine]:
    return [line(left, right, top + 30 * k) for k in range(count)]


def assert_read_as(lines: list[FoundLine]) -> None:
    """Whatever order they are found in, lines must come back in that of ``lines``."""
    mixed = shuffled(lines)
    place = {id(one): k for k, one in enumerate(lines)}
    assert [place[id(mixed[i])] for i in order_of(mixed)] == list(range(len(lines)))


def test_one_column_is_read_downwards() -> None:
    assert_read_as(prose(100, 700, 100, 20))


def test_columns_under_a_heading() -> None:
    assert_read_as([line(200, 800, 60), *prose(50, 480, 120, 15), *prose(520, 950, 120, 15)])


def test_columns_between_full_lines() -> None:
    middle = [*prose(50, 480, 120, 8), *prose(520, 950, 120, 8)]
    assert_read_as([line(50, 950, 60), *middle, *prose(50, 950, 400, 4)])


def test_columns_that_nearly_touch_under_a_heading() -> None:
    left = [line(50, 500 + 4 * (k % 3), 120 + 30 * k) for k in range(15)]
    right = [line(505 + 3 * (k % 4), 950, 116 + 31 * k) for k in range(15)]
    assert_read_as([line(300, 700, 70), *left, *right])


def test_a_line_across_two_columns_parts_them() -> None:
    upper = [*prose(50, 505, 120, 8), *prose(508, 950, 120, 8)]
    lower = [*prose(50, 505, 400, 8), *prose(508, 950, 400, 8)]
    assert_read_as([*upper, line(200, 800, 365), *lower])


def test_lines_broken_here_and_there_are_no_columns() -> None:
    rng = np.random.default_rng(3)
    lines: list[FoundLine] = []
    for base in range(100, 900, 30):
        gap = float(rng.uniform(200, 800))
        lines += [line(100, gap, base), line(gap + 15, 900, base)] if base % 60 == 40 else [line(100, 900, base)]
    assert_read_as(lines)


def test_three_columns_of_prose_are_no_table() -> None:
    assert_read_as([*prose(50, 340, 100, 20), *prose(370, 660, 100, 20), *prose(690, 980, 100, 20)])


def test_tables_are_read_row_by_row() -> None:
    rows = [line(left, left + 60, base) for base in range(100, 600, 50) for left in (50, 200, 350, 500)]
    assert_read_as(rows)


def test_a_letter_with_its_date_at_the_right() -> None:
    assert_read_as([line(500, 700, 60), line(100, 250, 110), *prose(100, 700, 160, 10), line(450, 680, 520)])


def test_skewed_rows_stay_in_order() -> None:
    lines = [
        FoundLine(
            np.array([(50, 100 + 30 * k), (900, 118 + 30 * k)], np.float32), line(50, 900, 110 + 30 * k).polygon, 10.0
        )
        for k in range(20)
    ]
    assert_read_as(lines)


def test_zones_of_notes_and_numbers() -> None:
    baseline = prose(300, 900, 120, 20)
    lines = [line(860, 900, 40), *prose(60, 200, 300, 3), *baseline]
    found = {region.kind: len(region.lines) for region in in_reading_order(lines)}
    assert found == {"NumberingZone": 1, "MarginTextZone": 3, "MainZone": 20}


def test_no_lines_no_regions() -> None:
    assert in_reading_order([]) == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.floats(0, 900), st.floats(12, 900), st.floats(20, 1400)),
        min_size=1,
        max_size=40,
    )
)
@example(
    [*[(0.0, 12.0, 20.0)] * 4, (0.0, 553.0, 20.0), (0.0, 554.0, 20.0), (335.0, 540.0, 20.0), *[(440.0, 12.0, 20.0)] * 4]
)
def test_every_line_comes_back_once(places: list[tuple[float, float, float]]) -> None:
    lines = [line(left, left + width, base) for left, width, base in places]
    assert sorted(order_of(lines)) == list(range(len(lines)))


@pytest.mark.parametrize("count", [1, 2])
def test_few_lines(count: int) -> None:
    assert kinds(prose(100, 700, 100, count)) == ["MainZone"]


def test_names_and_speeches_of_a_play_take_turns() -> None:
    turns = [(400, 480, 100), (100, 380, 130), (400, 480, 200), (100, 300, 230), (400, 480, 300), (100, 330, 330)]
    assert_read_as([line(*turn) for turn in turns])


def test_level_lists_beside_a_heading_of_its_own_are_no_table() -> None:
    left = [line(50, 180, 100 + 23 * k) for k in range(9)]
    middle = [line(330, 640, 111), line(380, 600, 134), line(380, 600, 180)]
    right = [line(760, 950, 100 + 23 * k) for k in range(9)]
    assert_read_as([*left, *middle, *right])


def test_lists_of_a_letterhead_are_no_table() -> None:
    left = [line(50, 180, 100 + 23 * k) for k in range(9)]
    middle = [line(330, 640, 130), line(380, 600, 190)]
    right = [line(760, 950, 111 + 23 * k) for k in range(9)]
    assert_read_as([*left, *middle, *right])


def test_the_part_of_a_table_where_only_two_columns_are_filled_is_read_row_by_row() -> None:
    places = [(50, 200, 350), (50, 350), (50, 350), (50, 350), (50, 200, 350), (50, 200, 350)]
    rows = [line(left, left + 60, 100 + 50 * k + (20 if k > 3 else 0)) for k, row in enumerate(places) for left in row]
    assert_read_as([*rows, *prose(50, 410, 500, 4)])


def test_a_table_without_lines_has_no_region() -> None:
    assert in_reading_order([], TableArea(0.0, 0.0, 500.0, 500.0)) == ()
