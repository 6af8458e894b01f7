"""Lines from the segmenter's maps: maps are drawn here, so what must be found is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import FoundLine, find_regions

Map = NDArray[np.float32]
Points = Sequence[tuple[float, float]]

HEIGHT, WIDTH, LETTER = 800, 640, 12


def drawn_maps(lines: Sequence[Points], noise: float = 0.0) -> Callable[[Map], Map]:
    """Maps as the segmenter makes them for lines at these baselines (px of the page)."""

    def maps(ink: Map) -> Map:
        full = np.zeros((4, *ink.shape), np.uint8)
        for points in lines:
            line = np.array(points, np.float32)
            _band(full[0], line, 4.0, 2.0)
            _band(full[1], line, 13.0, 0.0)
            for channel, (x, y) in ((2, line[0]), (3, line[-1])):
                cv2.rectangle(full[channel], (round(x - 3), round(y - 16)), (round(x + 3), round(y + 6)), (255,), -1)
        cells = (ink.shape[1] // 4, ink.shape[0] // 2)
        small = cv2.resize(full.transpose(1, 2, 0), cells, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
        grain = np.random.default_rng(0).uniform(0.0, noise, small.shape) if noise else 0.0
        return np.clip(small / 255.0 * (1.0 - noise) + grain, 0.0, 1.0).astype(np.float32)

    return maps


def _band(image: NDArray[np.uint8], line: NDArray[np.float32], above: float, below: float) -> None:
    ring = np.concatenate((line - np.array([0, above]), (line + np.array([0, below]))[::-1]))
    cv2.fillPoly(image, [np.rint(ring).astype(np.int32)], (255,))


def page_of(lines: Sequence[Points]) -> NDArray[np.uint8]:
    """A page with strokes of letters on the baselines."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for points in lines:
        line = np.array(points)
        for x in np.arange(line[0, 0], line[-1, 0], 9.0):
            y = np.interp(x, line[:, 0], line[:, 1])
            cv2.line(page, (round(x), round(y)), (round(x), round(y) - LETTER), (30,), 2)
    return page


def found(lines: Sequence[Points], noise: float = 0.0) -> list[FoundLine]:
    regions = find_regions(page_of(lines), None, drawn_maps(lines, noise))
    return [line for region in regions for line in region.lines]


def worst_distance(line: FoundLine, points: Points) -> float:
    true = np.array(points)
    inner = line.baseline[(line.baseline[:, 0] > true[0, 0]) & (line.baseline[:, 0] < true[-1, 0])]
    return float(np.abs(inner[:, 1] - np.interp(inner[:, 0], true[:, 0], true[:, 1])).max())


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_straight_slanted_and_curved_lines_are_followed(noise: float) -> None:
    curve: Points = [(float(x), 420 + 30 * math.sin(x / 160)) for x in range(60, 580, 10)]
    lines: list[Points] = [[(60, 100), (580, 100)], [(60, 200), (580, 245)], curve]
    result = found(lines, noise)
    assert len(result) == len(lines)
    for line, points in zip(result, lines, strict=True):
        assert worst_distance(line, points) <= 3.0
        assert line.baseline[0, 0] <= 66
        assert line.baseline[-1, 0] >= 566


def test_lines_on_one_row_stay_apart() -> None:
    rows = range(100, 700, 40)
    lines: list[Points] = [[(left, y), (right, y)] for left, right in ((40, 310), (324, 600)) for y in rows]
    result = found(lines)
    assert len(result) == len(lines)
    assert all(line.baseline[-1, 0] < 325 or line.baseline[0, 0] > 309 for line in result)


def test_close_lines_stay_apart() -> None:
    lines: list[Points] = [[(60, y), (580, y)] for y in range(100, 700, 16)]
    assert len(found(lines)) == len(lines)


def test_polygons_hold_the_letters() -> None:
    lines: list[Points] = [[(60, 100), (580, 100)], [(60, 200), (580, 245)]]
    page = page_of(lines)
    covered = np.zeros(page.shape, np.uint8)
    for line in found(lines):
        cv2.fillPoly(covered, [np.rint(line.polygon).astype(np.int32)], (1,))
    assert not ((page < 128) & (covered == 0)).any()


def test_empty_maps_give_no_lines() -> None:
    page = page_of([[(60, 100), (580, 100)]])
    assert find_regions(page, None, drawn_maps([])) == ()


def test_small_letters_are_looked_at_closer() -> None:
    lines: list[Points] = [[(60, y), (580, y)] for y in range(100, 700, 12)]
    sides: list[int] = []

    def maps(ink: Map) -> Map:
        sides.append(max(ink.shape))
        scale = 1.55 if len(sides) > 1 else 1.0
        full = np.zeros((4, *ink.shape), np.uint8)
        for points in lines:
            line = scale * np.array(points, np.float32)
            _band(full[0], line, 2.0 * scale, 1.0 * scale)
            _band(full[1], line, 5.0 * scale, 0.0)
        return cv2.resize(full.transpose(1, 2, 0), (ink.shape[1] // 4, ink.shape[0] // 2)).transpose(2, 0, 1).astype(
            np.float32
        ) / np.float32(255)

    result = [line for region in find_regions(page_of(lines), None, maps) for line in region.lines]
    assert sides == [HEIGHT, 1248]
    assert len(result) == len(lines)


def test_large_pages_are_scaled() -> None:
    lines: list[Points] = [[(60, 100), (580, 100)], [(60, 200), (580, 245)]]
    page = cv2.resize(page_of(lines), (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    def maps(ink: Map) -> Map:
        assert max(ink.shape) <= 1024 + 32
        assert ink.shape[0] % 16 == 0
        assert ink.shape[1] % 32 == 0
        scale = 1024 / HEIGHT
        return drawn_maps([[(x * scale, y * scale) for x, y in line] for line in lines])(ink)

    result = [line for region in find_regions(page, None, maps) for line in region.lines]
    assert len(result) == 2
    assert abs(float(np.median(result[0].baseline[:, 1])) - 400) <= 8
