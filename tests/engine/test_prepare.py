"""Preparation: paper white, ink dark, lines deskewed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from carrel.image.prepare import Prepared, binarize, estimate_skew, flatten_illumination, prepare
from carrel.image.source import open_scans

PAGES = Path(__file__).parents[1] / "pages"
NAMES = ("two-columns", "letter", "french")
Gray = NDArray[np.uint8]


def page(name: str) -> Gray:
    return next(open_scans(PAGES / f"{name}.jpg", 250.0)).gray


def ground_truth(name: str) -> dict[str, object]:
    return json.loads((PAGES / f"{name}.json").read_text(encoding="utf-8"))


def rotated(gray: Gray, degrees: float) -> Gray:
    """Rotate clockwise (lines then fall to the right) on a canvas that holds all."""
    height, width = gray.shape
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), abs(np.sin(angle))
    size = (int(width * cos + height * sin), int(height * cos + width * sin))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(gray, turn, size, borderValue=int(np.median(gray))), np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_pages_become_white_and_straight(name: str) -> None:
    gray = page(name)
    prepared = prepare(gray)
    assert prepared.skew_degrees == pytest.approx(ground_truth(name)["skew_degrees"], abs=0.1)
    assert np.percentile(gray, 50) < 235 and np.percentile(prepared.gray, 20) > 244
    assert abs(estimate_skew(prepared.gray)) < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_threads_change_no_pixel(name: str) -> None:
    gray = page(name)
    assert np.array_equal(binarize(gray), binarize(gray, 2))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("degrees", [-38.0, -12.5, -6.3, -2.0, -0.45, 0.75, 3.2, 6.6, 9.0, 21.0, 33.3])
def test_skew_is_found_to_a_tenth_of_a_degree(name: str, degrees: float) -> None:
    drawn_at = float(str(ground_truth(name)["skew_degrees"]))
    found = estimate_skew(flatten_illumination(rotated(page(name), degrees - drawn_at)))
    assert found == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_horizontal_where_the_map_says(name: str) -> None:
    prepared = prepare(page(name))
    for line in json.loads((PAGES / f"{name}.json").read_text(encoding="utf-8"))["lines"]:
        if line["writing"] == "printed":
            ends = prepared.geometry.to_page(line["baseline"])
            assert abs(ends[0, 1] - ends[-1, 1]) <= 0.002 * abs(ends[-1, 0] - ends[0, 0]) + 1


@pytest.mark.parametrize("degrees", [3.0, 25.0])
def test_the_map_leads_to_the_same_ink(degrees: float) -> None:
    gray = np.full((900, 700), 230, np.uint8)
    for y in range(100, 800, 50):
        gray[y : y + 8, 80:620:3] = 30
    gray[400:404, 300:304] = 0
    askew = rotated(gray, degrees)
    flat, prepared = flatten_illumination(askew), prepare(askew)
    assert prepared.skew_degrees == pytest.approx(degrees, abs=0.1)
    assert prepared.gray.size <= 1.3 * askew.size
    ys, xs = np.indices(prepared.gray.shape)
    places = np.stack([xs.ravel(), ys.ravel()], axis=1)
    at = prepared.geometry.to_scan(places).astype(np.float32).reshape(*xs.shape, 2)
    looked_up = cv2.remap(flat, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=(255,)).astype(int)
    ink = looked_up < 200
    assert ink.sum() > 10_000
    assert np.abs(looked_up - prepared.gray)[ink].mean() < 6


def test_a_straight_page_is_not_rotated() -> None:
    gray = rotated(page("french"), -1.0)
    prepared = prepare(gray)
    assert prepared.skew_degrees == 0.0
    assert prepared.geometry.steps == () and prepared.gray.shape == gray.shape
    assert np.array_equal(prepared.gray, flatten_illumination(gray))


def test_deskew_may_be_refused() -> None:
    gray = page("letter")
    prepared = prepare(gray, deskew=False)
    assert prepared.skew_degrees == 0.0 and prepared.gray.shape == gray.shape


def test_flattening_may_be_refused() -> None:
    gray = page("letter")
    assert np.array_equal(prepare(gray, flatten=False, deskew=False).gray, gray)


def test_what_shows_no_lines_is_not_rotated() -> None:
    rng = np.random.default_rng(0)
    noise = np.clip(230 + 4 * rng.standard_normal((1500, 1000)), 0, 255).astype(np.uint8)
    assert prepare(noise).skew_degrees == 0.0
    assert prepare(np.full((300, 200), 255, np.uint8)).skew_degrees == 0.0
    assert prepare(np.zeros((300, 200), np.uint8)).skew_degrees == 0.0


def test_a_dark_border_stays_dark_and_spoils_nothing_beside_it() -> None:
    gray = page("letter")
    expected = flatten_illumination(gray)
    bordered = gray.copy()
    bordered[:, :90] = 18
    bordered[:70] = 12
    flat = flatten_illumination(bordered)
    assert flat[200:, :60].max() < 60 and flat[:40].max() < 60
    assert np.percentile(flat[300:, 300:], 20) > 244
    inside = (slice(250, None), slice(250, None))
    assert np.abs(flat[inside].astype(int) - expected[inside]).mean() < 1.0
    assert estimate_skew(flat) == pytest.approx(-1.6, abs=0.1)


def test_faint_ink_in_a_shadow_is_kept() -> None:
    lamp = np.tile(np.linspace(240, 100, 900), (600, 1))
    ink = np.zeros((600, 900), bool)
    ink[100:500:40, 60:840] = ink[101:500:40, 60:840] = ink[102:500:40, 60:840] = True
    gray = np.where(ink, 0.75 * lamp, lamp).astype(np.uint8)
    flat = flatten_illumination(gray)
    # ink keeps its share of the paper's light, in the shadow as under the lamp
    assert np.abs(flat[ink].astype(int) - 191).max() < 8
    assert flat[~ink].min() > 245


def test_a_photograph_is_not_bleached() -> None:
    gray = np.full((1200, 900), 225, np.uint8)
    gray[300:700, 200:700] = 60
    flat = flatten_illumination(gray)
    assert flat[350:650, 250:650].max() < 90 and flat[900:].min() > 245


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70))))
def test_any_pixels_can_be_prepared(gray: Gray) -> None:
    prepared = prepare(gray)
    assert prepared.gray.dtype == np.uint8 and min(prepared.gray.shape) >= 1
    assert np.isfinite(prepared.geometry.to_scan([(0, 0), (1, 1)])).all()
    assert binarize(gray).shape == gray.shape


def test_the_scan_is_left_as_it_was() -> None:
    gray = page("french")
    before = gray.copy()
    gray.setflags(write=False)
    prepare(gray)
    assert np.array_equal(gray, before)


@pytest.mark.parametrize("gray", [np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)])
def test_wrong_pixels_are_refused(gray: Gray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        prepare(gray)


def test_binarized_pages_hold_the_ink() -> None:
    prepared: Prepared = prepare(page("two-columns"))
    binary = binarize(prepared.gray)
    ink = (binary == 0).mean()
    assert 0.02 < ink < 0.15
    assert (binary[prepared.gray < 90] == 0).mean() > 0.97
    assert (binary[prepared.gray > 240] == 255).mean() > 0.999


def test_preparing_loads_no_numba() -> None:
    code = (
        "import sys, numpy; from carrel.image.prepare import prepare; assert 'cv2' not in sys.modules;"
        "prepare(numpy.full((64, 64), 200, numpy.uint8)); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("degrees", [0.0, 2.0])
def test_the_skew_of_a_long_strip_is_that_of_its_lines(degrees: float) -> None:
    strip = np.full((6400, 400), 235, np.uint8)
    for y in range(100, 6300, 40):
        cv2.putText(strip, "Lamp oil", (30, y), cv2.FONT_HERSHEY_DUPLEX, 0.8, (40,), 1)
        cv2.putText(strip, "12.50", (280, y), cv2.FONT_HERSHEY_DUPLEX, 0.8, (40,), 1)
    turn = cv2.getRotationMatrix2D((200, 3200), -degrees, 1.0)
    turned = cv2.warpAffine(strip, turn, (400, 6400), borderValue=(235,)).astype(np.uint8)
    assert estimate_skew(turned) == pytest.approx(degrees, abs=0.3)
