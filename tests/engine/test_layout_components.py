"""Connected ink, and the baseline nearest to it: the same as OpenCV has them on the whole page."""

import cv2
import numpy as np
import pytest

from carrel.layout.components import components_of
from carrel.layout.lines.heatmaps import segmenter_input
from carrel.layout.lines.polygons import Baseline, find_nearest


def _mask(seed: int, share: float) -> np.ndarray:
    """Blots in the middle of a page, uint8 0 or 1."""
    mask = np.zeros((90, 120), np.uint8)
    mask[20:70, 30:100] = np.random.default_rng(seed).random((50, 70)) < share
    return mask


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 1.0])
def test_components_are_those_of_opencv(share: float) -> None:
    for mask in (_mask(1, share), (np.random.default_rng(2).random((40, 30)) < share).astype(np.uint8)):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        found = components_of(mask)
        assert np.array_equal(found.stats[1:], stats[1:])
        assert np.array_equal(found.member, labels.ravel()[found.pixels])
        assert np.array_equal(found.mask(), mask)


@pytest.mark.parametrize("heights", [(), (25.0,), (30.0, 45.0, 66.0)])
def test_the_nearest_baseline_is_that_of_the_whole_page(heights: tuple[float, ...]) -> None:
    lines = [Baseline(np.arange(10.0, 60.0), np.full(50, y), 8.0) for y in heights]
    parts = components_of(_mask(3, 0.1))
    nearest, distance = find_nearest(lines, parts)
    if not lines:
        assert not nearest.any()
        return
    y, x = np.divmod(parts.pixels, parts.shape[1])
    boxes = [(round(y0 - 0.9 * 8), round(y0)) for y0 in heights]  # rows of small letters
    rows = np.stack([np.maximum(0, np.maximum(top - y, y - bottom)) for top, bottom in boxes])
    columns = np.maximum(0, np.maximum(10 - x, x - 59))
    true = np.hypot(rows, columns)
    own = true[nearest - 1, np.arange(len(x))]
    assert np.all(own <= 1.1 * true.min(axis=0) + 0.5)  # OpenCV's way along the grid is a little longer
    assert np.all(np.abs(distance - own) <= 0.1 * own + 0.5)


def test_ink_of_the_segmenter_is_one_minus_the_gray_and_paper_beside() -> None:
    gray = np.random.default_rng(4).integers(0, 256, (33, 50), dtype=np.uint8)
    ink = segmenter_input(gray, 1.0)
    assert ink.shape == (48, 64) and ink.dtype == np.float32
    assert np.array_equal(ink[:33, :50], (255 - gray.astype(np.float32)) / np.float32(255))
    assert not ink[33:].any() and not ink[:, 50:].any()
