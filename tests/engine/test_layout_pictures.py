"""Rows of dots and edges of pictures are no lines; writing however dense is no picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import PageInk, segment_page
from carrel.layout.pictures import find_pictures
from drawn_pages import X_HEIGHT, Points, drawn_maps, page_of

PICTURE = (60, 60, 320, 400)
BELOW: list[Points] = [[(60, y), (320, y)] for y in range(450, 760, 30)]
BESIDE: list[Points] = [[(360, y), (600, y)] for y in range(80, 760, 30)]


def halftone(width: int, height: int, pitch: float, degrees: float) -> NDArray[np.uint8]:
    """Draw a picture as a screen of dots, dark at the left and bright at the right."""
    turned = np.radians(degrees)
    y, x = np.mgrid[0:height, 0:width]
    along, across = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    screen = 0.5 + 0.25 * (np.cos(2 * np.pi * along / pitch) + np.cos(2 * np.pi * across / pitch))
    return np.where(screen < np.linspace(0.85, 0.15, width), 45, 255).astype(np.uint8)


def with_picture(pitch: float, degrees: float) -> NDArray[np.uint8]:
    left, top, right, bottom = PICTURE
    page = page_of([*BELOW, *BESIDE])
    page[top:bottom, left:right] = halftone(right - left, bottom - top, pitch, degrees)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 0.6), np.uint8)


@pytest.mark.parametrize(("pitch", "degrees"), [(5, 45), (7, 15), (8, 0)])
@pytest.mark.parametrize("false", [[(65, 399), (310, 399)], [(70, 230), (200, 226)], [(240, 66), (318, 66)]])
def test_lines_in_a_halftone_go_and_those_beside_it_stay(pitch: float, degrees: float, false: Points) -> None:
    page = with_picture(pitch, degrees)
    regions = segment_page(page, None, drawn_maps([*BELOW, *BESIDE, false]))
    heights = sorted(round(float(line.baseline[:, 1].mean())) for region in regions for line in region.lines)
    assert np.allclose(heights, sorted(points[0][1] for points in [*BELOW, *BESIDE]), atol=3)


def test_the_place_of_a_picture() -> None:
    (box,) = find_pictures(PageInk(with_picture(6, 30)).ink, X_HEIGHT)
    assert np.abs(box - PICTURE).max() <= 2 * X_HEIGHT


def dense() -> NDArray[np.uint8]:
    return page_of([[(20, y), (620, y)] for y in range(40, 780, 22)])


def framed() -> NDArray[np.uint8]:
    page = page_of(BESIDE)
    cv2.rectangle(page, (30, 30), (340, 700), (20,), 14)
    return page


def titled() -> NDArray[np.uint8]:
    page = page_of(BESIDE)
    cv2.putText(page, "MAP", (40, 180), cv2.FONT_HERSHEY_DUPLEX, 4.0, (10,), 26)
    return page


def crossed_out() -> NDArray[np.uint8]:
    page = dense()
    for x in range(80, 560, 6):
        cv2.line(page, (x, 205), (x + 20, 245), (30,), 2)
    return page


@pytest.mark.parametrize("draw", [dense, framed, titled, crossed_out])
def test_writing_and_frames_are_no_pictures(draw: Callable[[], NDArray[np.uint8]]) -> None:
    assert not len(find_pictures(PageInk(draw()).ink, X_HEIGHT))


def test_lines_that_fill_what_looks_like_a_picture_stay() -> None:
    lines: list[Points] = [[(60, y), (580, y)] for y in range(100, 700, 18)]
    page = page_of(lines)
    assert len(find_pictures(PageInk(page).ink, X_HEIGHT)) == 1
    assert sum(len(region.lines) for region in segment_page(page, None, drawn_maps(lines))) > 0.9 * len(lines)
