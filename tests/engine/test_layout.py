"""Layout on drawn pages and on the sample pages."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.image.prepare import prepare
from carrel.layout import FoundRegion, segment_page, uncovered_ink
from carrel_bench.accuracy.layout_score import TrueLine, score_page

SAMPLES = Path(__file__).resolve().parents[1] / "pages"

Gray = NDArray[np.uint8]


def write_line(page: Gray, x: int, base: int, length: int, x_height: int = 14, seed: int = 0) -> None:
    """Draw something like a line of letters: strokes of x-height with some ascenders and descenders, in words."""
    rng = np.random.default_rng(seed)
    at = x
    while at < x + length:
        for _ in range(int(rng.integers(3, 8))):
            up = x_height * (1.9 if rng.random() < 0.2 else 1.0)
            down = x_height * (0.7 if rng.random() < 0.12 else 0.0)
            cv2.line(page, (at, round(base - up)), (at, round(base + down)), (40,), 3)
            arch = base if rng.random() < 0.5 else base - x_height
            cv2.line(page, (at, arch), (at + x_height // 2, arch), (40,), 2)
            at += x_height // 2 + 3
            if at >= x + length:
                return
        at += round(0.7 * x_height)


def paper(height: int = 1000, width: int = 800) -> Gray:
    return np.full((height, width), 250, np.uint8)


def bases(regions: tuple[FoundRegion, ...]) -> list[float]:
    return [float(np.median(line.baseline[:, 1])) for region in regions for line in region.lines]


def test_lines_stand_where_they_were_drawn() -> None:
    page = paper()
    drawn = list(range(120, 900, 60))
    for k, base in enumerate(drawn):
        write_line(page, 100, base, 600, seed=k)
    found = bases(segment_page(page, None))
    assert len(found) == len(drawn)
    assert np.abs(np.array(found) - np.array(drawn)).max() <= 5


def test_baseline_spans_the_line_and_polygon_holds_its_letters() -> None:
    page = paper(300)
    write_line(page, 100, 150, 600, seed=3)
    (region,) = segment_page(page, None)
    (line,) = region.lines
    assert line.baseline[0, 0] < 110
    assert line.baseline[-1, 0] > 680
    assert uncovered_ink(page, (region,)) == 0.0
    assert (np.diff(line.baseline[:, 0]) > 0).all()
    assert 7 <= line.x_height_px <= 28


def test_columns_are_read_one_after_the_other() -> None:
    page = paper()
    for k, base in enumerate(range(120, 900, 50)):
        write_line(page, 60, base, 300, seed=k)
        write_line(page, 430, base, 300, seed=100 + k)
    lines = [line for region in segment_page(page, None) for line in region.lines]
    lefts = [float(line.baseline[0, 0]) for line in lines]
    assert len(lines) == 32
    assert all(x < 300 for x in lefts[:16])
    assert all(x > 380 for x in lefts[16:])


def test_rulings_and_borders_are_no_lines() -> None:
    page = paper()
    for base in range(100, 950, 50):
        page[base : base + 2, 40:760] = 120
    page[:, :18] = 20
    assert bases(segment_page(page, None)) == []


def test_ruled_paper_does_not_hide_writing() -> None:
    page = paper()
    drawn = list(range(150, 900, 75))
    for k, base in enumerate(drawn):
        write_line(page, 100, base, 600, seed=k)
        page[base + 3 : base + 5, 40:760] = 150
    found = bases(segment_page(page, None))
    assert len(found) == len(drawn)


@pytest.mark.parametrize("shape", [(1, 1), (10, 400), (400, 10), (24, 24), (60, 900)])
@pytest.mark.parametrize("level", [0, 255])
def test_blank_and_tiny_images_hold_nothing(shape: tuple[int, int], level: int) -> None:
    page = np.full(shape, level, np.uint8)
    assert segment_page(page, None) == ()
    assert uncovered_ink(page, ()) == 0.0


def test_ink_without_lines_is_all_uncovered() -> None:
    page = paper(300)
    write_line(page, 100, 150, 600)
    assert uncovered_ink(page, ()) == 1.0


@pytest.mark.parametrize("step", [24, 40])
def test_the_rules_of_squared_paper_are_no_uncovered_ink(step: int) -> None:
    page = paper(800, 640)
    for y in range(step, 800, step):
        cv2.line(page, (0, y), (639, y + 3), (150,), 1)
    for x in range(step, 640, step):
        cv2.line(page, (x, 0), (x + 3, 799), (150,), 1)
    assert uncovered_ink(page, ()) == 0.0
    write_line(page, 100, 150, 600)
    assert uncovered_ink(page, ()) == 1.0


def test_points_lie_in_the_image() -> None:
    page = paper(200, 500)
    write_line(page, 2, 30, 496, seed=1)
    write_line(page, 2, 190, 496, seed=2)
    for region in segment_page(page, None):
        for line in region.lines:
            for points in (line.baseline, line.polygon):
                assert points.dtype == np.float32
                assert (points >= 0).all()
                assert (points <= np.array([499, 199])).all()


def true_lines(name: str) -> list[TrueLine]:
    rows = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))["lines"]
    baselines = [np.array(row["baseline"], np.float64) for row in rows]
    return [TrueLine(b, np.concatenate((b - np.array([0.0, 40.0]), b[::-1]))) for b in baselines]


@pytest.mark.parametrize(("name", "recall"), [("two-columns", 0.98), ("letter", 0.9), ("french", 0.9)])
def test_sample_pages(name: str, recall: float) -> None:
    gray = cv2.imread(str(SAMPLES / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    ready = prepare(gray.astype(np.uint8))
    lines = [line.baseline for region in segment_page(ready.gray, None) for line in region.lines]
    on_scan = [ready.geometry.to_scan(line) for line in lines]
    score = score_page(true_lines(name), on_scan)
    assert score.numbers()["recall"] >= recall
    assert score.numbers()["precision"] >= 0.9
    assert score.misordered == 0
