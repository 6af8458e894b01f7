"""Pixel kernels of preparation: paper divided out, Sauvola's threshold. Rows run in strips that threads may share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import compiled

WIDEST_WINDOW = 181
"""Sums of squares over a wider window would not fit into 31 bits."""

_f32 = np.float32


def flatten(gray: NDArray[np.uint8], gain: NDArray[np.float32], cell: int) -> NDArray[np.uint8]:
    """Multiply by a gain that is known at the middle of each cell, and linear between.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous.
    gain
        float32, (gh, gw), finite and not negative; beyond the outermost middles the nearest holds.
    cell
        Side of a cell in px.

    Returns
    -------
    ndarray of uint8, (h, w)
        Rounded to nearest, at most 255.

    Raises
    ------
    ValueError
        Wrong shape, type or range.
    """
    _check_gray(gray)
    if gain.ndim != 2 or gain.size == 0 or gain.dtype != np.float32 or not np.isfinite(gain).all() or gain.min() < 0:
        raise ValueError("expected finite gains of at least 0, float32 of shape (gh, gw)")
    if cell < 1:
        raise ValueError(f"expected cells of at least 1 px, got {cell}")
    flat = np.empty_like(gray)
    _flatten_rows(gray, np.ascontiguousarray(gain), cell, flat)
    return flat


def sauvola(gray: NDArray[np.uint8], window: int, k: float = 0.2, spread: float = 128.0) -> NDArray[np.uint8]:
    """Ink is what lies at or below ``mean * (1 + k * (deviation / spread - 1))`` of the window around it.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous.
    window
        Odd side of the window in px, 3 to 181; at the edges only what lies on the page counts.
    k
        In [0, 1]; larger finds less ink.
    spread
        Deviation at which the threshold is the mean, above 0. doi:10.1016/S0031-3203(99)00055-2

    Returns
    -------
    ndarray of uint8, (h, w)
        0 for ink, 255 elsewhere.

    Raises
    ------
    ValueError
        Wrong shape, type or range.
    """
    _check_gray(gray)
    if window % 2 == 0 or not 3 <= window <= WIDEST_WINDOW:
        raise ValueError(f"expected an odd window of 3 to {WIDEST_WINDOW} px, got {window}")
    if not 0 <= k <= 1 or not spread > 0:
        raise ValueError(f"expected k in [0, 1] and a spread above 0, got {k} and {spread}")
    binary = np.empty_like(gray)
    _sauvola_rows(gray, window // 2, _f32(k), _f32(k / spread), binary)
    return binary


def warm_up() -> None:
    """Compile everything in this module."""
    gray = np.zeros((8, 8), np.uint8)
    flatten(gray, np.ones((1, 1), np.float32), 8)
    sauvola(gray, 3)


def _check_gray(gray: NDArray[Any]) -> None:
    if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0 or not gray.flags.c_contiguous:
        raise ValueError(f"expected contiguous uint8 pixels of shape (h, w), got {gray.dtype} of shape {gray.shape}")


@compiled
def _flatten_rows(gray: NDArray[np.uint8], gain: NDArray[np.float32], cell: int, flat: NDArray[np.uint8]) -> None:
    height, width = gray.shape
    left, right, share_of_right = _between(width, cell, gain.shape[1])
    above, below, share_of_below = _between(height, cell, gain.shape[0])
    upper = np.empty(width, np.float32)
    lower = np.empty(width, np.float32)
    _stretch(gain[0], left, right, share_of_right, lower)
    held = -1
    for y in range(height):
        if above[y] != held:
            held = above[y]
            upper, lower = lower, upper
            _stretch(gain[below[y]], left, right, share_of_right, lower)
        share, row, target = share_of_below[y], gray[y], flat[y]
        for x in range(width):
            lit = _f32(row[x]) * (upper[x] + share * (lower[x] - upper[x])) + _f32(0.5)
            target[x] = np.uint8(np.int32(lit if lit < _f32(255.0) else _f32(255.0)))


@compiled
def _between(length: int, cell: int, cells: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float32]]:
    """For each px the cells whose middles lie before and after it, and how far it is on the way."""
    before = np.empty(length, np.uint32)
    after = np.empty(length, np.uint32)
    share = np.empty(length, np.float32)
    for x in range(length):
        place = (x + 0.5) / cell - 0.5
        first = min(max(int(np.floor(place)), 0), cells - 1)
        before[x] = first
        after[x] = min(first + 1, cells - 1)
        share[x] = min(max(place - first, 0.0), 1.0)
    return before, after, share


@compiled
def _stretch(
    values: NDArray[np.float32],
    before: NDArray[np.uint32],
    after: NDArray[np.uint32],
    share: NDArray[np.float32],
    wide: NDArray[np.float32],
) -> None:
    for x in range(len(wide)):
        first = values[before[x]]
        wide[x] = first + share[x] * (values[after[x]] - first)


@compiled
def _sauvola_rows(
    gray: NDArray[np.uint8], reach: int, k: np.float32, k_by_spread: np.float32, binary: NDArray[np.uint8]
) -> None:
    """Running sums: of each column over the rows of the window, then along the row."""
    height, width = gray.shape
    sums = np.zeros(width, np.int32)
    squares = np.zeros(width, np.int32)
    # sums of all columns to the left; those of squares wrap round, but only differences over one window are used
    sums_left = np.zeros(width + 1, np.int32)
    squares_left = np.zeros(width + 1, np.int32)
    for y in range(min(reach, height)):
        _add_row(gray[y], sums, squares)
    for y in range(height):
        if y + reach < height:
            _add_row(gray[y + reach], sums, squares)
        if y - reach > 0:
            _drop_row(gray[y - reach - 1], sums, squares)
        _accumulate(sums, squares, sums_left, squares_left)
        rows = min(y + reach, height - 1) - max(y - reach, 0) + 1
        _threshold_row(gray[y], sums_left, squares_left, rows, reach, k, k_by_spread, binary[y])


@compiled
def _add_row(row: NDArray[np.uint8], sums: NDArray[np.int32], squares: NDArray[np.int32]) -> None:
    for x in range(len(row)):
        value = np.int32(row[x])
        sums[x] += value
        squares[x] += value * value


@compiled
def _drop_row(row: NDArray[np.uint8], sums: NDArray[np.int32], squares: NDArray[np.int32]) -> None:
    for x in range(len(row)):
        value = np.int32(row[x])
        sums[x] -= value
        squares[x] -= value * value


@compiled
def _accumulate(
    sums: NDArray[np.int32],
    squares: NDArray[np.int32],
    sums_left: NDArray[np.int32],
    squares_left: NDArray[np.int32],
) -> None:
    total, total_of_squares = np.int32(0), np.int32(0)
    for x in range(len(sums)):
        total = np.int32(total + sums[x])
        total_of_squares = np.int32(total_of_squares + squares[x])
        sums_left[x + 1] = total
        squares_left[x + 1] = total_of_squares


@compiled
def _threshold_row(
    row: NDArray[np.uint8],
    sums_left: NDArray[np.int32],
    squares_left: NDArray[np.int32],
    rows: int,
    reach: int,
    k: np.float32,
    k_by_spread: np.float32,
    binary: NDArray[np.uint8],
) -> None:
    width, window = len(row), 2 * reach + 1
    inner = max(width - window + 1, 0)
    start = min(reach, width) if inner == 0 else reach
    if inner > 0:
        # slices that all begin at 0, so that the loop runs in vectors
        _threshold_inner(
            row[reach : reach + inner],
            sums_left[:inner],
            sums_left[window:],
            squares_left[:inner],
            squares_left[window:],
            _f32(1.0 / (rows * window)),
            k,
            k_by_spread,
            binary[reach : reach + inner],
        )
    for x in range(start):
        binary[x] = _threshold_at(x, row, sums_left, squares_left, rows, reach, k, k_by_spread)
    for x in range(start + inner, width):
        binary[x] = _threshold_at(x, row, sums_left, squares_left, rows, reach, k, k_by_spread)


@compiled
def _threshold_inner(
    row: NDArray[np.uint8],
    sums_from: NDArray[np.int32],
    sums_to: NDArray[np.int32],
    squares_from: NDArray[np.int32],
    squares_to: NDArray[np.int32],
    share: np.float32,
    k: np.float32,
    k_by_spread: np.float32,
    binary: NDArray[np.uint8],
) -> None:
    for x in range(len(row)):
        mean = _f32(np.int32(sums_to[x] - sums_from[x])) * share
        mean_of_squares = _f32(np.int32(squares_to[x] - squares_from[x])) * share
        binary[x] = _decide(row[x], mean, mean_of_squares, k, k_by_spread)


@compiled
def _threshold_at(
    x: int,
    row: NDArray[np.uint8],
    sums_left: NDArray[np.int32],
    squares_left: NDArray[np.int32],
    rows: int,
    reach: int,
    k: np.float32,
    k_by_spread: np.float32,
) -> np.uint8:
    left, right = max(x - reach, 0), min(x + reach + 1, len(row))
    share = _f32(1.0 / (rows * (right - left)))
    mean = _f32(np.int32(sums_left[right] - sums_left[left])) * share
    mean_of_squares = _f32(np.int32(squares_left[right] - squares_left[left])) * share
    return _decide(row[x], mean, mean_of_squares, k, k_by_spread)


@compiled
def _decide(
    value: np.uint8, mean: np.float32, mean_of_squares: np.float32, k: np.float32, k_by_spread: np.float32
) -> np.uint8:
    """255 above the threshold, compared squared to save the root."""
    variance = mean_of_squares - mean * mean
    variance = variance if variance > _f32(0.0) else _f32(0.0)
    above = _f32(value) - mean * (_f32(1.0) - k)
    slope = mean * k_by_spread
    paper = (above > _f32(0.0)) & (above * above > slope * slope * variance)
    return np.uint8(255) if paper else np.uint8(0)
