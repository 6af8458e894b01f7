"""Lines are cut out whole, straight, and without their neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.image.crop import counts_in_squares, even_light, extend, normalize_line


def _curved_page() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A page with a dark band of 5 px on a sine baseline, another line 60 px below it."""
    page = np.full((300, 800), 240, np.uint8)
    x = np.arange(100, 700)
    y = 120 + 20 * np.sin(x / 120)
    for column, row in zip(x, np.rint(y).astype(int), strict=True):
        page[row - 4 : row + 1, column] = 20
        page[row + 56 : row + 61, column] = 20
    return page, np.stack([x[::30], y[::30]], 1).astype(np.float32)


def _band(baseline: NDArray[np.float32], above: float, below: float) -> NDArray[np.float32]:
    up, down = np.array([0.0, above]), np.array([0.0, below])
    return np.concatenate([baseline - up, (baseline + down)[::-1]]).astype(np.float32)


def test_curved_line_becomes_straight() -> None:
    page, baseline = _curved_page()
    crop = normalize_line(page, baseline, _band(baseline, 30, 12))
    dark = crop.gray < 128
    rows = np.flatnonzero(dark.mean(axis=1) > 0.5)
    assert 3 <= len(rows) <= 7
    assert abs(rows[-1] - crop.baseline_row) <= 2
    assert dark[: rows[0] - 2].sum() == 0
    assert dark[rows[-1] + 3 :].sum() == 0


def test_neighbour_inside_the_extent_is_masked() -> None:
    page, baseline = _curved_page()
    polygon = np.concatenate([_band(baseline, 30, 12), np.array([[650.0, 250.0]], np.float32)])
    left_half = normalize_line(page, baseline, polygon).gray[:, :200]
    assert (left_half < 128).any(axis=1).sum() < 12  # the band alone, not the line below


def test_columns_map_back_to_the_page() -> None:
    page, baseline = _curved_page()
    crop = normalize_line(page, baseline, _band(baseline, 30, 12))
    corners = crop.page_points(0, crop.gray.shape[1])
    assert np.abs(corners[:2, 0] - (baseline[0, 0], baseline[-1, 0])).max() < 15
    assert corners[0, 1] < baseline[0, 1] < corners[3, 1]


def test_line_at_the_edge_of_the_page() -> None:
    page = np.full((40, 200), 230, np.uint8)
    baseline = np.array([[-10.0, 38.0], [220.0, 38.0]], np.float32)
    crop = normalize_line(page, baseline, _band(baseline, 60, 20))
    assert crop.gray.shape[0] == 80
    assert (crop.gray == 230).all()


def test_line_outside_the_page_is_blank() -> None:
    baseline = np.array([[10.0, 900.0], [80.0, 900.0]], np.float32)
    crop = normalize_line(np.zeros((50, 100), np.uint8), baseline, _band(baseline, 20, 5))
    assert (crop.gray == 255).all()


def test_baseline_reaches_the_ends_of_the_polygon() -> None:
    baseline = np.array([[50.0, 10.0], [60.0, 10.0]], np.float32)
    polygon = np.array([[20.0, 0.0], [100.0, 0.0], [100.0, 20.0], [20.0, 20.0]], np.float32)
    assert extend(baseline, polygon)[[0, -1], 0].tolist() == [20.0, 100.0]


def test_a_shadow_over_the_end_of_a_line_is_taken_away() -> None:
    line = np.full((40, 800), 220, np.uint8)
    line[10:30, 10:790:12] = 60
    shade = np.linspace(1.0, 0.55, 800)
    inside = np.ones(line.shape, bool)
    inside[:6] = False
    shaded = (line * shade).astype(np.uint8)
    even = even_light(shaded, inside, counts_in_squares(shaded, inside))
    paper, ink = even[8, 20:780], even[20, 10:790:12]
    assert int(paper.max()) - int(paper.min()) < 15
    assert int(ink.max()) - int(ink.min()) < 15
    assert len(np.unique(even[:6])) == 1
    assert abs(int(even[0, 0]) - int(np.median(paper))) < 8


@pytest.mark.parametrize("shape", [(40, 797), (8, 8), (6, 3_000), (12, 3_072), (30, 10)])
def test_gray_levels_are_counted_in_square_pieces(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    line, inside = rng.integers(0, 256, shape).astype(np.uint8), rng.random(shape) < 0.7
    pieces = [slice(left, left + shape[0]) for left in range(0, shape[1], shape[0])]
    counts = [np.bincount(line[:, piece][inside[:, piece]], minlength=256) for piece in pieces]
    assert np.array_equal(counts_in_squares(line, inside), np.transpose(counts))


def test_even_light_and_a_black_bar_stay_as_they_are() -> None:
    line = np.full((40, 800), 220, np.uint8)
    line[10:30, 10:400:12] = 60
    line[:, 500:700] = 10
    inside = np.ones(line.shape, bool)
    even = even_light(line, inside, counts_in_squares(line, inside))
    assert np.array_equal(even[:, :480], line[:, :480])
    assert even[:, 520:680].max() < 40


def test_a_line_in_shadow_with_a_lit_end_is_dark_writing() -> None:
    page = np.full((60, 600), 70, np.uint8)
    page[:, :110] = 235
    for left in range(20, 580, 14):
        page[22:40, left : left + 3] //= 3
    baseline = np.array([[15.0, 40.0], [585.0, 40.0]], np.float32)
    shaded = normalize_line(page, baseline, _band(baseline, 22, 6)).gray[10, 130:]
    assert shaded.min() < 0.6 * np.median(shaded) and shaded.max() < 1.2 * np.median(shaded)
