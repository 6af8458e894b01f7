"""Pages that are not flat: lines that rise and fall run level after preparation, and points find their way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.image.prepare import prepare

H, W = 1100, 900


def bent(x: NDArray[np.float64] | float, depth: float) -> NDArray[np.float64]:
    """How far down a line that begins level is at x: a wave over the whole page."""
    return depth * np.sin(2 * np.pi * np.asarray(x) / W)


def page(depth: float, slope: float = 0.0, lines: int = 24, noise: int = 0) -> NDArray[np.uint8]:
    """Lines of strokes on bases that are bent so many px and aslant."""
    gray = np.full((H, W), 240, np.uint8)
    for base in np.linspace(160, H - 140, lines):
        for x in range(70, W - 70, 9):
            y = round(float(base + bent(x, depth) + slope * (x - W / 2)))
            cv2.line(gray, (x, y), (x, y - 12), (40,), 2)
    grain = np.random.default_rng(noise).normal(0, 4, gray.shape)
    return np.clip(gray + grain, 0, 255).astype(np.uint8)


def rows_of_ink(gray: NDArray[np.uint8]) -> float:
    """Share of rows between lines that hold no ink: of level lines about half."""
    inner = gray[200:-200, 80:-80] < 128
    return float((inner.mean(axis=1) < 0.01).mean())


@pytest.mark.parametrize(("depth", "slope"), [(30.0, 0.0), (-40.0, 0.05), (25.0, -0.03)])
def test_curled_lines_run_level(depth: float, slope: float) -> None:
    scan = page(depth, slope)
    assert rows_of_ink(scan) < 0.05
    prepared = prepare(scan)
    assert rows_of_ink(prepared.gray) > 0.3
    assert prepared.gray.shape[0] <= 1.3 * H
    assert prepared.skew_degrees == pytest.approx(np.degrees(np.arctan(slope)), abs=1.0)


def test_points_find_their_way_back() -> None:
    depth = 30.0
    prepared = prepare(page(depth))
    x = np.arange(80.0, W - 80, 40)
    base = 160.0 + bent(x, depth)  # the first line
    found = prepared.geometry.to_page(np.stack([x, base], axis=1))
    assert np.ptp(found[:, 1]) < 6.0
    back = prepared.geometry.to_scan(found)
    assert np.abs(back - np.stack([x, base], axis=1)).max() < 0.02
    # the ink of the prepared page is where the geometry says
    level = np.full_like(page(0.0), 0)
    for px, py in found.astype(int):
        level = prepared.gray[py - 10 : py - 2, px - 9 : px + 10]
        assert level.min() < 128


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.08])
def test_flat_pages_are_rotated_alone(slope: float) -> None:
    prepared = prepare(page(0.0, slope))
    assert all(step.keeps_lines for step in prepared.geometry.steps)
    assert prepared.skew_degrees == pytest.approx(np.degrees(np.arctan(slope)), abs=0.3)


def test_nothing_is_bent_without_lines() -> None:
    rng = np.random.default_rng(1)
    blank = np.clip(rng.normal(230, 6, (H, W)), 0, 255).astype(np.uint8)
    cloud = cv2.resize(rng.uniform(120, 240, (9, 7)).astype(np.uint8), (W, H), interpolation=cv2.INTER_CUBIC)
    for scan in (blank, np.asarray(cloud, np.uint8)):
        assert all(step.keeps_lines for step in prepare(scan).geometry.steps)
    few = page(60.0, lines=1)  # a stroke of a pen is no curled page
    assert prepare(few).gray.shape[1] <= 1.3 * W
