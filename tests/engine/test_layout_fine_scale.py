"""Small writing beside large is looked at a second time, closer, and only where its ink was left over."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from carrel.layout import segment_page
from carrel.layout.ink import find_ink
from carrel.layout.lines.polygons import Baseline
from drawn_pages import WIDTH, Map, Points, drawn_maps, page_of

LARGE: list[Points] = [[(60, y), (580, y)] for y in range(300, 760, 40)]
SMALL = [(400, 40 + 14 * k) for k in range(6)]


def page_with_small_print() -> np.ndarray:
    page = page_of(LARGE)
    for left, base in SMALL:
        for x in range(left, left + 180, 6):
            cv2.line(page, (x, base), (x, base - 5), (30,), 2)
    return page


def looks(page: np.ndarray, small_is_seen: bool = True) -> tuple[list[tuple[int, ...]], int]:
    """Shapes of what the segmenter was shown, and how many lines were found."""
    shown: list[tuple[int, ...]] = []

    def maps(ink: Map) -> Map:
        shown.append(ink.shape)
        if len(shown) == 1:
            return drawn_maps(LARGE)(ink)
        rows = np.flatnonzero((ink > 0.5).sum(axis=1) > 8) if small_is_seen else np.zeros(0, int)
        feet = rows[np.diff(rows, append=10**6) > 1]
        columns = np.flatnonzero((ink > 0.5).any(axis=0))
        return drawn_maps([[(columns[0], y), (columns[-1], y)] for y in feet.tolist()])(ink)

    regions = segment_page(page.astype(np.uint8), None, maps)
    return shown, sum(len(region.lines) for region in regions)


def test_small_print_is_found_at_a_closer_look() -> None:
    shown, lines = looks(page_with_small_print())
    assert len(shown) == 2
    assert lines == len(LARGE) + len(SMALL)


def test_a_closer_look_shows_only_what_was_left_over() -> None:
    shown, _ = looks(page_with_small_print())
    assert shown[1][0] * shown[1][1] < 0.6 * shown[0][0] * shown[0][1]


def test_where_it_shows_nothing_nothing_is_added() -> None:
    assert looks(page_with_small_print(), small_is_seen=False)[1] == len(LARGE)


def test_a_page_without_left_over_ink_is_looked_at_once() -> None:
    shown, lines = looks(page_of(LARGE))
    assert len(shown) == 1
    assert lines == len(LARGE)


def test_a_word_of_large_letters_is_shown_smaller() -> None:
    from carrel.layout.lines.fine_scale import segment_at_fine_scale

    page = page_of(LARGE)
    page[:90] = 255
    for x in range(150, 500, 45):
        cv2.line(page, (x, 80), (x, 20), (30,), 9)
    x = np.arange(60.0, 580.0)
    baselines = [Baseline(x, np.full(len(x), float(line[0][1])), 12.0) for line in LARGE]
    shown: list[tuple[int, ...]] = []

    def maps(ink: Map) -> Map:
        shown.append(ink.shape)
        rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
        return drawn_maps([[(columns[0], rows[-1]), (columns[-1], rows[-1])]])(ink)

    (found,) = segment_at_fine_scale(page, find_ink(page), baselines, maps, 1.0)
    assert float(found.y.mean()) == pytest.approx(80, abs=8)
    assert found.x[0] == pytest.approx(150, abs=15)
    assert found.x[-1] == pytest.approx(465, abs=45)
    assert len(shown) == 1
    assert shown[0][0] < 80


def test_closer_lines_stand_where_the_ink_is() -> None:
    from carrel.layout.lines.fine_scale import segment_at_fine_scale

    page = page_with_small_print().astype(np.uint8)
    x = np.arange(60.0, 580.0)
    baselines = [Baseline(x, np.full(len(x), float(line[0][1])), 12.0) for line in LARGE]

    def maps(ink: Map) -> Map:
        rows = np.flatnonzero((ink > 0.5).sum(axis=1) > 8)
        feet = rows[np.diff(rows, append=10**6) > 1]
        columns = np.flatnonzero((ink > 0.5).any(axis=0))
        return drawn_maps([[(columns[0], y), (columns[-1], y)] for y in feet.tolist()])(ink)

    found = segment_at_fine_scale(page, find_ink(page), baselines, maps, 1.0)
    assert sorted(round(float(baseline.y.mean()) / 14) for baseline in found) == [round(y / 14) for _, y in SMALL]
    assert all(395 <= baseline.x[0] <= 405 and baseline.x[-1] <= WIDTH for baseline in found)
