"""How well a scan shows its letters: measured on drawn lines of known blur."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.formats import FORMATS, read_page
from carrel.image.quality import measure_quality
from carrel.page import Line, Page, Quality, Region, Source, Writing

X_HEIGHT = 24.0


def crop(sigma: float = 0.0, ink: int = 30, paper: int = 230) -> NDArray[np.uint8]:
    gray = np.full((80, 700), paper, np.uint8)
    cv2.putText(gray, "some words on a line", (10, 52), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (ink,), 4, cv2.LINE_AA)
    return gray if sigma == 0 else cv2.GaussianBlur(gray, (0, 0), sigma).astype(np.uint8)


def line(left: int = 50, top: int = 100, right: int = 750, bottom: int = 140) -> Line:
    ring = ((left, top), (right - 1, top), (right - 1, bottom - 1), (left, bottom - 1))
    return Line(((left, bottom - 10), (right - 1, bottom - 10)), ring, Writing("printed", 1.0), "words", 1.0)


def measured(crops: list[NDArray[np.uint8]], lines: list[Line] | None = None) -> Quality:
    found = measure_quality(crops, [X_HEIGHT] * len(crops), lines or [line()] * len(crops), (800, 1000), 1.234)
    assert found is not None
    return found


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    sharp = [measured([crop(sigma)]).sharpness for sigma in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert sharp == sorted(sharp, reverse=True)
    assert [measured([crop(sigma)]).is_blurred for sigma in (0.0, 1.0, 3.5)] == [False, False, True]
    assert measured([crop(2.0, ink=150)]).sharpness == pytest.approx(measured([crop(2.0)]).sharpness, rel=0.1)


def test_a_part_out_of_focus_is_told() -> None:
    assert measured([crop()] * 10 + [crop(4.0)] * 6).is_blurred
    assert not measured([crop()] * 14 + [crop(4.0)] * 2).is_blurred


def test_coarse_is_not_blurred() -> None:
    small = cv2.resize(crop(), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA).astype(np.uint8)
    found = measure_quality([small], [X_HEIGHT / 4], [line()], (800, 1000), 0.0)
    assert found is not None and found.x_height_px == 6.0
    assert not found.is_blurred


def test_contrast_is_a_share_of_the_paper() -> None:
    assert measured([crop(ink=115, paper=230)]).contrast == pytest.approx(0.5, abs=0.03)


def test_edges_that_cut_lines() -> None:
    inside = [line(top=y, bottom=y + 40) for y in range(100, 900, 50)]
    assert measured([crop()] * len(inside), inside).cut_edges == ()
    cut = [line(left=0, top=y, bottom=y + 40) for y in range(100, 900, 50)]
    assert measured([crop()] * len(cut), cut).cut_edges == ("left",)
    low = [*inside, line(top=970, bottom=1000)]
    assert measured([crop()] * len(low), low).cut_edges == ("bottom",)
    one = [*inside, line(right=800, top=950, bottom=980)]  # one long line is no cut page
    assert measured([crop()] * len(one), one).cut_edges == ()


def sheet(white_spot: bool = False, shadow: float = 1.0) -> tuple[NDArray[np.uint8], list[Line]]:
    """A photographed page of lines on paper of level 225, with a spot of glare on some, or half of it in shadow."""
    page = np.full((1000, 800), 225.0)
    lines = [line(top=y, bottom=y + 60) for y in range(60, 940, 60)]
    for one in lines:
        top = one.polygon[0][1]
        page[top : top + 60, 50:750] = np.minimum(page[top : top + 60, 50:750], crop(paper=225)[10:70])
    if white_spot:
        y, x = np.mgrid[0:1000, 0:800]
        page += (255 - page) * np.exp(-(((x - 400) / 160) ** 2) - ((y - 500) / 130) ** 2)
    page[:, 400:] *= shadow
    return page.astype(np.uint8), lines


@pytest.mark.parametrize("spot, shadow, told", [(False, 1.0, False), (True, 1.0, True), (False, 0.5, False)])
def test_glare_on_lines_is_told(spot: bool, shadow: float, told: bool) -> None:
    page, lines = sheet(spot, shadow)
    found = measure_quality([crop()] * len(lines), [X_HEIGHT] * len(lines), lines, (800, 1000), 0.0, page)
    assert found is not None
    assert found.has_glare is told
    assert found.glare > 0.02 if told else found.glare < 0.004


def test_a_clean_scan_on_white_paper_has_no_glare() -> None:
    page, lines = sheet()
    white = np.where(page > 200, 255, page).astype(np.uint8)
    found = measure_quality([crop()] * len(lines), [X_HEIGHT] * len(lines), lines, (800, 1000), 0.0, white)
    assert found is not None and found.glare == 0.0


def test_nothing_to_measure() -> None:
    assert measure_quality([], [], [], (800, 1000), 0.0) is None
    blank = measured([np.full((40, 200), 200, np.uint8)])
    assert (blank.sharpness, blank.contrast, blank.is_blurred) == (0.0, 0.0, False)


def test_json_keeps_it() -> None:
    quality = replace(measured([crop()]), cut_edges=("left", "bottom"), glare=0.02)
    page = Page(800, 1000, None, (Region("MainZone", line().polygon, ()),), Source("a.png"), quality=quality)
    assert read_page(FORMATS["json"].write(page)).quality == quality
