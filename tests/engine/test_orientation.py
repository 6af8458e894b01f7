"""Pages of any orientation are read as if they were upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import carrel
from carrel.image.prepare import rotate
from carrel.image.source import open_scans
from carrel.layout import FoundLine, FoundRegion
from carrel.orientation import best_orientation, find_orientation, legibility, reversed_line
from carrel.page import Writing
from carrel.recognizers.script import UNKNOWN_SCRIPT
from carrel.recognizers.types import Reading, Recognition

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from((0, 90, 180, 270)))
def test_every_pixel_of_a_rotated_page_is_found_on_the_scan(height: int, width: int, degrees: int) -> None:
    gray = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    page, geometry = rotate(gray, degrees)
    ys, xs = np.mgrid[: page.shape[0], : page.shape[1]]
    x, y = np.rint(geometry.to_scan(np.stack([xs.ravel(), ys.ravel()], axis=1))).astype(int).T
    assert np.array_equal(gray[y, x], page.ravel())


@pytest.mark.parametrize("clockwise", [1, 2])
def test_a_rotated_page_reads_like_the_upright_one(clockwise: int) -> None:
    reader = carrel.Reader(carrel.ReadOptions(threads=1))
    scan = next(iter(open_scans(LETTER, 250)))
    upright = reader.read_scan(scan)
    page = reader.read_scan(replace(scan, gray=np.ascontiguousarray(np.rot90(scan.gray, -clockwise))))
    assert round(page.provenance.skew_degrees / 90) == clockwise
    assert [line.text[:4] for line in page.lines] == [line.text[:4] for line in upright.lines]
    width, height = page.width_px, page.height_px
    assert all(0 <= x < width and 0 <= y < height for line in page.lines for x, y in line.polygon)


def test_only_what_is_clearly_better_rotates_a_page() -> None:
    assert best_orientation({0: 40.0, 180: 45.0}) == 0
    assert best_orientation({0: 40.0, 180: 80.0}) == 180
    assert best_orientation({0: 0.0, 180: 0.5}) == 0
    assert best_orientation({0: 3.0, 180: 2.0, 90: 90.0, 270: 20.0}) == 90


def test_reversed_line_is_the_same_place_from_the_other_end() -> None:
    points = np.array([(0, 10), (50, 12), (100, 10)], np.float32)
    line = FoundLine(points, points, 8.0)
    assert reversed_line(line).baseline[0].tolist() == [100, 10]
    assert np.array_equal(reversed_line(reversed_line(line)).baseline, points)


def test_strokes_alone_make_no_orientation_legible() -> None:
    def reading(text: str) -> Reading:
        return Reading(Recognition(text, 0.9), "tesseract", Writing("printed", 1.0))

    assert legibility([reading("11/11 11 | 11 Il '")]) == 0.0
    assert legibility([reading("The 11")]) == pytest.approx(0.4 * 3)


def test_a_page_of_which_it_is_known_why_it_is_not_read_is_not_rotated() -> None:
    ends = np.array([(0, 10), (90, 10)], np.float32)
    region = FoundRegion("MainZone", ends, (FoundLine(ends, ends, 8.0),) * 3)
    refused = Reading(Recognition("", 0.0), "", Writing("printed", 1.0), bleed_through=True)
    unread = replace(refused, bleed_through=False)
    foreign = replace(unread, recognition=Recognition("", 0.0, reason=f"Arabic {UNKNOWN_SCRIPT}"))

    def nonsense(lines: Sequence[FoundLine]) -> list[Reading]:
        return [Reading(Recognition("ON SELIQUI NICH COUT", 0.8), "ctc", Writing("printed", 1.0)) for _ in lines]

    assert find_orientation([region], [refused] * 3, nonsense, lambda _: [region]) == 0
    assert find_orientation([region], [foreign] * 3, nonsense, lambda _: [region]) == 0
    assert find_orientation([region], [unread] * 3, nonsense, lambda _: [region]) == 180
