"""The compiled pixel kernel against its slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from carrel.kernels import prepare as kernels
from oracle import sauvola_threshold

grays = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 40)))
quick = settings(max_examples=60, deadline=None)


@quick
@given(grays, st.integers(1, 12), st.floats(0, 1), st.floats(1, 255))
def test_sauvola_decides_as_defined(gray: NDArray[np.uint8], reach: int, k: float, spread: float) -> None:
    threshold = sauvola_threshold(gray, 2 * reach + 1, k, spread)
    binary = kernels.sauvola(gray, 2 * reach + 1, k, spread)
    clear = np.abs(gray - threshold) > 0.05
    assert np.array_equal(binary[clear] == 255, (gray > threshold)[clear])
    assert set(np.unique(binary)) <= {0, 255}


def test_sauvola_on_a_page_with_the_widest_window() -> None:
    rng = np.random.default_rng(4)
    gray = np.full((40, 260), 255, np.uint8)
    gray[:, ::7] = rng.integers(0, 256, (40, 38))
    threshold = sauvola_threshold(gray, kernels.WIDEST_WINDOW, 0.2, 128.0)
    clear = np.abs(gray - threshold) > 0.05
    binary = kernels.sauvola(gray, kernels.WIDEST_WINDOW)
    assert np.array_equal(binary[clear] == 255, (gray > threshold)[clear])


def test_sauvola_keeps_faint_ink_beside_a_shadow() -> None:
    gray = np.tile(np.linspace(240, 90, 300), (80, 1)).astype(np.uint8)
    stroke = np.zeros(gray.shape, bool)
    stroke[20:60, 30::40] = stroke[20:60, 31::40] = True
    gray[stroke] = gray[stroke] * 0.6
    binary = kernels.sauvola(gray, 41)
    assert (binary[stroke] == 0).all()
    assert (binary[~stroke] == 255).mean() > 0.995


@pytest.mark.parametrize(
    "gray",
    [
        np.zeros((3, 3), np.float32),
        np.zeros((3, 3, 3), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((6, 6), np.uint8)[::2, ::2],
    ],
)
def test_wrong_pixels_are_refused(gray: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        kernels.sauvola(gray, 3)


def test_wrong_settings_are_refused() -> None:
    gray = np.zeros((4, 4), np.uint8)
    for window in (1, 2, 8, kernels.WIDEST_WINDOW + 2):
        with pytest.raises(ValueError, match="odd window"):
            kernels.sauvola(gray, window)
    for k, spread in (
        (-0.1, 128.0),
        (1.1, 128.0),
        (float("nan"), 128.0),
        *((0.2, s) for s in (0.0, 1e-45, 256.0, math.inf, math.nan)),
    ):
        with pytest.raises(ValueError, match="expected k"):
            kernels.sauvola(gray, 3, k, spread)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_nothing(threads: int) -> None:
    rng = np.random.default_rng(threads)
    gray = rng.integers(0, 256, (kernels.LEAST_ROWS * 5 + 31, 97), np.uint8)
    for window in (3, 41, kernels.WIDEST_WINDOW):
        assert np.array_equal(kernels.sauvola(gray, window), kernels.sauvola(gray, window, threads=threads))


def test_no_thread_is_no_number_of_threads() -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        kernels.sauvola(np.zeros((4, 4), np.uint8), 3, threads=0)
