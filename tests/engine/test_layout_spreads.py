"""Spreads: the gutter between two pages, each deskewed and segmented apart; what runs across stays one."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import PageInk, segment_page
from carrel.layout.spreads import segment_spread
from drawn_pages import LETTER

H, W = 800, 1300


def blank() -> NDArray[np.uint8]:
    return np.full((H, W), 255, np.uint8)


def write(page: NDArray[np.uint8], left: int, right: int, y: int, slope: float = 0.0) -> None:
    for x in range(left, right, 9):
        at = round(y + slope * (x - left))
        cv2.line(page, (x, at), (x, at - LETTER), (30,), 2)


def spread(slopes: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.uint8]:
    page = blank()
    for y in range(100, 700, 40):
        write(page, 60, 580, y, slopes[0])
        write(page, 720, 1240, y + 7, slopes[1])
    return page


def test_the_gutter_lies_between_the_pages() -> None:
    gutter = PageInk(spread()).gutter_px
    assert gutter is not None
    assert 580 < gutter < 720


def upright(page: NDArray[np.uint8], places: tuple[int, ...]) -> NDArray[np.uint8]:
    for x in places:
        cv2.line(page, (x, 70), (x, 720), (60,), 2)
    return page


def card() -> NDArray[np.uint8]:
    """An index card: words at the left, numbers at the right."""
    page = blank()
    for y in range(100, 700, 40):
        write(page, 60, 400, y)
        for x in (760, 900, 1100):
            write(page, x, x + 30, y)
    return page


def across() -> NDArray[np.uint8]:
    page = spread()
    for y in range(100, 700, 40):
        write(page, 580, 720, y)
    return page


def one_sided() -> NDArray[np.uint8]:
    page = blank()
    for y in range(100, 700, 40):
        write(page, 60, 580, y)
    return page


@pytest.mark.parametrize("page", [card(), across(), one_sided(), blank(), upright(spread(), (40, 200, 500, 800, 1250))])
def test_one_page_stays_one(page: NDArray[np.uint8]) -> None:
    assert PageInk(page).gutter_px is None


def test_tables_of_one_form_on_both_pages_are_two_pages() -> None:
    page = upright(spread(), (40, 130, 300, 590, 700, 790, 960, 1250))
    assert PageInk(page).gutter_px is not None


def test_an_upright_page_of_two_columns_is_no_spread() -> None:
    page = cv2.resize(spread(), (700, 900)).astype(np.uint8)
    assert PageInk(page).gutter_px is None


@pytest.mark.parametrize("shift, pages", [(0, 1), (20, 2)])
def test_a_wide_table_with_some_long_cells_is_no_spread(shift: int, pages: int) -> None:
    page = blank()
    for k, y in enumerate(range(100, 700, 40)):
        write(page, 60, 100, y)
        write(page, 160, 200, y)
        write(page, 260, 320 if k % 3 else 560, y)
        write(page, 720, 780, y + shift)
        write(page, 840, 900 if k % 4 else 1140, y + shift)
        write(page, 1180, 1220, y + shift)
    assert (PageInk(page).gutter_px is None) == (pages == 1)


def test_two_columns_with_lines_over_both_are_no_spread() -> None:
    page = spread()
    write(page, 90, 1210, 760)
    assert PageInk(page).gutter_px is None


def test_each_page_is_deskewed_and_read_left_then_right() -> None:
    page = spread((0.03, -0.03))
    regions = segment_spread(page, 650.0, partial(segment_page, dpi=None, heatmaps=_by_ink, spreads=False))
    lines = [line for region in regions for line in region.lines]
    lefts = [float(line.baseline[0, 0]) for line in lines]
    split = sum(x < 650 for x in lefts)
    assert split == 15
    assert len(lines) == 30
    assert all(x < 650 for x in lefts[:split])
    slopes = [np.polyfit(line.baseline[:, 0], line.baseline[:, 1], 1)[0] for line in lines]
    assert np.median(slopes[:split]) == pytest.approx(0.03, abs=0.008)
    assert np.median(slopes[split:]) == pytest.approx(-0.03, abs=0.008)


def _by_ink(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps of straight rows of drawn letters, as the segmenter makes them."""
    maps = np.zeros((4, ink.shape[0] // 2, ink.shape[1] // 4), np.float32)
    rows = (ink > 0.5).astype(np.uint8)
    joined = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((1, 41), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    for k in range(1, count):
        if stats[k, cv2.CC_STAT_WIDTH] < 100:
            continue
        columns = np.flatnonzero((labels == k).any(axis=0))
        for x in columns[::4]:
            bottom = int(np.flatnonzero(labels[:, x] == k).max())
            maps[0, max(0, bottom // 2 - 2) : bottom // 2 + 2, x // 4] = 1.0
            maps[1, max(0, bottom // 2 - 7) : bottom // 2, x // 4] = 1.0
    return maps


def folded(page: NDArray[np.uint8], x: int = 650, slope: float = 0.0) -> NDArray[np.uint8]:
    """The page with the shadow of a fold from head to foot."""
    distance = np.abs(np.arange(W)[None, :] - x - slope * (np.arange(H)[:, None] - H / 2))
    shadow = 40.0 * np.exp(-((distance / 4.0) ** 2))
    return np.clip(page - shadow, 0, 255).astype(np.uint8)


def one_page(first: int) -> NDArray[np.uint8]:
    page = blank()
    for y in range(100, 700, 40):
        write(page, first, first + 520, y)
    return page


@pytest.mark.parametrize("slope", [0.0, 0.008, -0.008])
@pytest.mark.parametrize("first", [60, 720])
def test_a_fold_parts_a_page_from_a_blank_one(first: int, slope: float) -> None:
    page = one_page(first)
    assert PageInk(page).gutter_px is None
    assert PageInk(folded(page, slope=slope)).gutter_px == pytest.approx(650, abs=8)


def test_a_fold_parts_forms_whose_writing_reaches_it() -> None:
    page = blank()
    for y in range(100, 700, 40):
        write(page, 60, 630, y)
        write(page, 700, 1240, y)
    for x in (40, 130, 300, 500, 690, 960):
        cv2.line(page, (x, 160), (x, 600), (60,), 2)
    assert PageInk(page).gutter_px is None
    assert PageInk(folded(page)).gutter_px == pytest.approx(650, abs=6)


def test_writing_across_a_fold_is_one_page() -> None:
    assert PageInk(folded(across())).gutter_px is None


def test_a_register_whose_rulings_cross_the_fold_is_one_page() -> None:
    page = upright(spread(), (40, 200, 500, 800, 1250))
    for y in range(112, 720, 40):
        cv2.line(page, (40, y), (1250, y), (90,), 2)
    assert PageInk(folded(page)).gutter_px is None


def test_squared_paper_has_no_fold() -> None:
    page = one_page(60)
    for x in range(20, W, 40):
        cv2.line(page, (x, 0), (x, H), (215,), 2)
    assert PageInk(page).gutter_px is None
