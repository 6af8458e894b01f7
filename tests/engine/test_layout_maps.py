"""Lines from the segmenter's maps: maps are drawn here, so what must be found is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from carrel.layout import FoundLine, segment_page
from drawn_pages import HEIGHT, WIDTH, Map, Points, band, drawn_maps, page_of


def found(lines: Sequence[Points], noise: float = 0.0) -> list[FoundLine]:
    regions = segment_page(page_of(lines), None, drawn_maps(lines, noise))
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
    assert segment_page(page, None, drawn_maps([])) == ()


def looks_at(lines: Sequence[Points], body_px: float) -> tuple[list[int], int]:
    """The longest side of every look at a page of lines with baselines of this height, and how many lines were found."""
    sides: list[int] = []

    def maps(ink: Map) -> Map:
        sides.append(max(ink.shape))
        scale = 1.55 if len(sides) > 1 else 1.0
        full = np.zeros((4, *ink.shape), np.uint8)
        for points in lines:
            line = scale * np.array(points, np.float32)
            band(full[0], line, 2.0 * scale, 1.0 * scale)
            band(full[1], line, body_px * scale, 0.0)
        return cv2.resize(full.transpose(1, 2, 0), (ink.shape[1] // 4, ink.shape[0] // 2)).transpose(2, 0, 1).astype(
            np.float32
        ) / np.float32(255)

    result = [line for region in segment_page(page_of(lines), None, maps) for line in region.lines]
    return sides, len(result)


def test_small_letters_are_looked_at_closer() -> None:
    lines: list[Points] = [[(60, y), (580, y)] for y in range(100, 700, 12)]
    assert looks_at(lines, 5.0) == ([HEIGHT, 1248], len(lines))


def test_rather_small_letters_of_sure_lines_are_not_looked_at_again() -> None:
    lines: list[Points] = [[(60, y), (580, y)] for y in range(100, 700, 20)]
    assert looks_at(lines, 9.0) == ([HEIGHT], len(lines))


def test_large_pages_are_scaled() -> None:
    lines: list[Points] = [[(60, 100), (580, 100)], [(60, 200), (580, 245)]]
    page = cv2.resize(page_of(lines), (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    def maps(ink: Map) -> Map:
        assert max(ink.shape) <= 1024 + 32
        assert ink.shape[0] % 16 == 0
        assert ink.shape[1] % 32 == 0
        scale = 1024 / HEIGHT
        return drawn_maps([[(x * scale, y * scale) for x, y in line] for line in lines])(ink)

    result = [line for region in segment_page(page, None, maps) for line in region.lines]
    assert len(result) == 2
    assert abs(float(np.median(result[0].baseline[:, 1])) - 400) <= 8


def test_a_long_strip_is_shown_as_large_as_a_page() -> None:
    shown: list[tuple[int, ...]] = []

    def maps(ink: Map) -> Map:
        shown.append(ink.shape)
        return drawn_maps([])(ink)

    segment_page(np.full((8000, 500), 255, np.uint8), None, maps)
    segment_page(np.full((1400, 1000), 255, np.uint8), None, maps)
    (long, narrow), page = shown
    assert narrow > 150
    assert 0.5 < long * narrow / np.prod(page) < 1.5
