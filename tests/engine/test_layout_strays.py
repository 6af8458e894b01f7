"""Squares of paper, scratches and streaks are no writing: found, and painted over without the letters that cross them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.geometry import Affine, Geometry
from carrel.image.erase import Stroke, erase_strokes
from carrel.layout import PageInk, find_squares, find_streaks, segment_page
from drawn_pages import HEIGHT, WIDTH, Points, drawn_maps, page_of

LINES: list[Points] = [[(60, y), (580, y)] for y in range(120, 700, 45)]


def written_page() -> NDArray[np.uint8]:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for points in LINES:
        place = (round(points[0][0]), round(points[0][1]))
        cv2.putText(page, "My dear Father I write to tell you", place, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 0.9, (30,), 2)
    return page


def squared(page: NDArray[np.uint8], step: int, level: int, slope: float = 0.0) -> NDArray[np.uint8]:
    """Draw squares under what is on the page."""
    paper = np.full_like(page, 255)
    for x in range(-step, WIDTH + step, step):
        cv2.line(paper, (x, 0), (round(x + slope * HEIGHT), HEIGHT), (level,), 2)
    for y in range(-step, HEIGHT + step, step):
        cv2.line(paper, (0, y), (WIDTH, round(y - slope * WIDTH)), (level,), 2)
    return np.minimum(page, cv2.GaussianBlur(paper, (0, 0), 0.6)).astype(np.uint8)


@pytest.mark.parametrize("slope", [-0.02, 0.0, 0.02])
@pytest.mark.parametrize("level", [110, 190])
def test_squares_are_painted_over_and_letters_stay(slope: float, level: int) -> None:
    written = written_page()
    page = squared(written, 24, level, slope)
    strokes = find_squares(PageInk(page))
    assert len(strokes) > 40
    erased = erase_strokes(page, strokes)
    assert (erased >= page).all()
    ink = written < 100
    far = cv2.dilate(ink.astype(np.uint8), np.ones((13, 13), np.uint8)) == 0
    assert (page[far] < 230).mean() > 0.1
    assert (erased[far] < 230).mean() < 0.02
    assert (erased[ink] < 120).mean() > 0.9


def test_a_blank_squared_page_has_no_line_and_no_ink() -> None:
    blank = squared(np.full((HEIGHT, WIDTH), 255, np.uint8), 24, 110)
    erased = erase_strokes(blank, find_squares(PageInk(blank)))
    assert (erased[4:-4, 4:-4] < 200).mean() < 0.001


@pytest.mark.parametrize(
    "places", [range(40, 620, 90), [30, 50, 58, 140, 171, 190, 223, 281, 300, 345, 380, 391, 430, 477, 528, 610]]
)
def test_rulings_of_a_table_are_no_squares(places: range | list[int]) -> None:
    page = page_of(LINES)
    for x in places:
        cv2.line(page, (x, 60), (x, 760), (60,), 2)
    assert find_squares(PageInk(page)) == []


def test_lines_of_paper_on_its_side_are_painted_over() -> None:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for x in range(20, WIDTH, 30):
        cv2.line(page, (x, 30), (x, HEIGHT - 30), (120,), 2)
    strokes = find_squares(PageInk(page))
    assert len(strokes) == 21
    assert (erase_strokes(page, strokes) < 200).mean() < 0.001


def test_scratches_that_words_run_across_are_streaks_and_rulings_between_cells_are_none() -> None:
    page = page_of(LINES)
    cv2.line(page, (200, 0), (206, HEIGHT - 1), (40,), 1)
    cv2.line(page, (402, 0), (398, HEIGHT - 1), (40,), 1)
    cv2.line(page, (30, 0), (30, HEIGHT - 1), (40,), 1)  # beside the text
    regions = segment_page(page, None, drawn_maps(LINES))
    assert [region.kind for region in regions] == ["MainZone"]
    assert len(regions[0].lines) == len(LINES)
    streaks = find_streaks(PageInk(page), regions)
    assert sorted(round(float(stroke.points[:, 0].mean()) / 10) for stroke in streaks) == [20, 40]


def test_what_crosses_a_stroke_goes_on() -> None:
    page = np.full((300, 200), 240, np.uint8)
    cv2.line(page, (0, 150), (199, 150), (60,), 5)
    with_stroke = page.copy()
    cv2.line(with_stroke, (100, 0), (100, 299), (90,), 3)
    erased = erase_strokes(with_stroke, [Stroke(np.array([(100.0, 0.0), (100.0, 299.0)]), 3.0)])
    assert np.abs(erased.astype(int) - page).max() <= 30


@pytest.mark.parametrize("paper", [240, 205])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("level", [True, False])
def test_ink_that_ends_at_a_stroke_is_not_spread_over_it(paper: int, left: bool, level: bool) -> None:
    page = np.full((300, 200), paper, np.uint8)
    stems = page.copy()
    for y in range(20, 280, 60):
        stems[y : y + 30, slice(91, 98) if left else slice(104, 111)] = 60
    with_stroke = stems.copy()
    with_stroke[:, 98:104] = 0.55 * paper
    ends = np.array([(100.5, 0.0), (100.5, 299.0)])
    upright = np.asarray(cv2.GaussianBlur(with_stroke, (0, 0), 0.7), np.uint8)
    erased = erase_strokes(upright.T if level else upright, [Stroke(ends[:, ::-1] if level else ends, 6.0)])
    over = (erased.T if level else erased)[:, slice(100, 104) if left else slice(98, 102)]
    assert (over > 0.9 * paper).mean() > 0.98


@pytest.mark.parametrize("slope", [-0.5, 0.3])
def test_what_crosses_a_stroke_aslant_goes_on(slope: float) -> None:
    page = np.full((300, 200), 240, np.uint8)
    cv2.line(page, (0, round(150 - 100 * slope)), (199, round(150 + 100 * slope)), (60,), 6)
    with_stroke = page.copy()
    cv2.line(with_stroke, (100, 0), (100, 299), (90,), 3)
    erased = erase_strokes(with_stroke, [Stroke(np.array([(100.0, 0.0), (100.0, 299.0)]), 3.0)])
    assert cv2.connectedComponents((erased < 150).astype(np.uint8))[0] == 2


def test_a_stroke_is_mapped_to_the_scan() -> None:
    twice = Geometry((Affine(((2, 0, 10), (0, 2, -4))),))
    stroke = Stroke(np.array([(5.0, 0.0), (5.0, 100.0)]), 3.0).on_scan(twice)
    assert stroke.points[[0, -1]].tolist() == [[20.0, -4.0], [20.0, 196.0]]
    assert stroke.width_px == pytest.approx(6.0)
