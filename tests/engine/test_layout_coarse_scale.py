"""Large writing is looked at a second time from farther away; what that shows is added to what was found."""

from __future__ import annotations

import numpy as np
import pytest

from carrel.layout.lines.candidates import Candidate
from carrel.layout.lines.coarse_scale import add_coarse_scale
from carrel.layout.lines.heatmaps import ScoredBaseline
from drawn_pages import Map, Points, drawn_maps, page_of

LARGE_PX, USUAL_PX = 18.0, 12.0
FULL: list[Points] = [[(60, y), (580, y)] for y in range(100, 760, 90)]


def candidate(left: float, right: float, base: float, x_height_px: float = LARGE_PX) -> ScoredBaseline:
    x = np.arange(left, right + 1, 4.0)
    return ScoredBaseline(Candidate(x, np.full(len(x), base), np.ones(len(x))), x_height_px, 0.9)


def look(found: list[ScoredBaseline], shown: list[Points]) -> list[tuple[int, int, int]]:
    """Left, right and height of the lines after a second look that shows lines at these places of the page."""
    page = page_of(FULL)

    def maps(ink: Map) -> Map:
        factor = ink.shape[1] / page.shape[1]
        return drawn_maps([[(x * factor, y * factor) for x, y in points] for points in shown])(ink)

    lines = [line.candidate for line in add_coarse_scale(page, found, maps, 1.0, lambda: 0.0)]
    assert all((np.diff(line.x) > 0).all() for line in lines)
    places = [(float(line.x[0]), float(line.x[-1]), float(line.y.mean())) for line in lines]
    return [_cell(*place) for place in places]


def _cell(left: float, right: float, base: float) -> tuple[int, int, int]:
    return round(left / 50), round(right / 50), round(base / 30)


def placed(lines: list[Points]) -> list[tuple[int, int, int]]:
    return [_cell(a[0], b[0], a[1]) for a, b in lines]


def test_a_line_that_was_missed_is_added() -> None:
    found = [candidate(60, 580, y) for (_, y), _ in FULL if y != 370]
    assert sorted(look(found, FULL)) == sorted(placed(FULL))


def test_a_line_found_in_part_is_lengthened_to_both_ends() -> None:
    found = [candidate(60, 580, y) if y != 370 else candidate(200, 400, y) for (_, y), _ in FULL]
    assert sorted(look(found, FULL)) == sorted(placed(FULL))


def test_lines_of_two_columns_stay_apart() -> None:
    found = [part for (_, y), _ in FULL for part in (candidate(60, 290, y), candidate(330, 580, y))]
    assert len(look(found, FULL)) == len(found)


@pytest.mark.parametrize("shown", [[], FULL])
def test_nothing_that_was_found_is_lost(shown: list[Points]) -> None:
    found = [candidate(60, 580, y) for (_, y), _ in FULL]
    assert look(found, shown) == placed(FULL)


def test_letters_of_usual_size_are_looked_at_once() -> None:
    def maps(_: Map) -> Map:
        raise AssertionError

    found = [candidate(60, 580, y, USUAL_PX) for (_, y), _ in FULL]
    assert add_coarse_scale(page_of(FULL), found, maps, 1.0, lambda: 0.1) is found


def test_where_most_of_the_ink_is_in_no_line_letters_of_usual_size_are_looked_at_again() -> None:
    found = [candidate(60, 580, y, USUAL_PX) for (_, y), _ in FULL[:3]]
    shown = drawn_maps([[(x * 0.65, y * 0.65) for x, y in line] for line in FULL])
    assert len(add_coarse_scale(page_of(FULL), found, shown, 1.0, lambda: 0.6)) == len(FULL)
