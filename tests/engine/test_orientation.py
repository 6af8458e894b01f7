"""Pages that lie on their side or head are read as if they did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import carrel
from carrel.image.prepare import turned
from carrel.image.source import open_scans
from carrel.layout import FoundLine
from carrel.orientation import quarters_of, upside_down

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3))
def test_every_pixel_of_a_turned_page_is_found_on_the_scan(height: int, width: int, quarters: int) -> None:
    gray = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    page, to_scan = turned(gray, quarters)
    ys, xs = np.mgrid[: page.shape[0], : page.shape[1]]
    x, y = np.rint(to_scan @ np.stack([xs.ravel(), ys.ravel(), np.ones(xs.size)])).astype(int)
    assert np.array_equal(gray[y, x], page.ravel())


@pytest.mark.parametrize("clockwise", [1, 2])
def test_a_turned_page_reads_like_the_upright_one(clockwise: int) -> None:
    reader = carrel.Reader(carrel.ReadOptions(threads=1))
    scan = next(iter(open_scans(LETTER, 250)))
    upright = reader.read_scan(scan)
    page = reader.read_scan(replace(scan, gray=np.ascontiguousarray(np.rot90(scan.gray, -clockwise))))
    assert round(page.provenance.skew_degrees / 90) == clockwise
    assert [line.text[:4] for line in page.lines] == [line.text[:4] for line in upright.lines]
    width, height = page.width_px, page.height_px
    assert all(0 <= x < width and 0 <= y < height for line in page.lines for x, y in line.polygon)


def test_only_what_is_clearly_better_turns_a_page() -> None:
    assert quarters_of({0: 40.0, 2: 45.0}) == 0
    assert quarters_of({0: 40.0, 2: 80.0}) == 2
    assert quarters_of({0: 0.0, 2: 0.5}) == 0
    assert quarters_of({0: 3.0, 2: 2.0, 1: 90.0, 3: 20.0}) == 1


def test_upside_down_is_the_same_place_from_the_other_end() -> None:
    points = np.array([(0, 10), (50, 12), (100, 10)], np.float32)
    line = FoundLine(points, points, 8.0)
    assert upside_down(line).baseline[0].tolist() == [100, 10]
    assert np.array_equal(upside_down(upside_down(line)).baseline, points)
