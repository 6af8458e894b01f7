"""Pixel kernels of preparation: Sauvola's threshold. Compiled, unchecked; see `carrel.kernels.prepare`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import array_at, inner

_f32 = np.float32


def sauvola_rows(
    at_gray: int,
    height: int,
    width: int,
    reach: int,
    k: np.float32,
    k_by_spread: np.float32,
    first: int,
    after: int,
    at_sums: int,
    at_binary: int,
) -> None:
    """Binarize the rows ``first:after``, by running sums: of each column over the rows of the window, then along the row.

    ``sums`` is zeroed scratch memory for ``4 * width + 2`` int32.
    """
    gray, binary = array_at(at_gray, (height, width), np.uint8), array_at(at_binary, (height, width), np.uint8)
    sums = array_at(at_sums, (width,), np.int32)
    squares = array_at(at_sums + 4 * width, (width,), np.int32)
    # sums of all columns to the left; those of squares wrap round, but only differences over one window are used
    sums_left = array_at(at_sums + 8 * width, (width + 1,), np.int32)
    squares_left = array_at(at_sums + 12 * width + 4, (width + 1,), np.int32)
    for y in range(max(first - reach - 1, 0), min(first + reach, height)):
        _add_row(gray[y], sums, squares)
    for y in range(first, after):
        if y + reach < height:
            _add_row(gray[y + reach], sums, squares)
        if y - reach > 0:
            _drop_row(gray[y - reach - 1], sums, squares)
        _accumulate(sums, squares, sums_left, squares_left)
        rows = min(y + reach, height - 1) - max(y - reach, 0) + 1
        _threshold_row(gray[y], sums_left, squares_left, rows, reach, k, k_by_spread, binary[y])


@inner(forceinline=False)
def _add_row(row: NDArray[np.uint8], sums: NDArray[np.int32], squares: NDArray[np.int32]) -> None:
    for x in range(len(row)):
        value = np.int32(row[x])
        sums[x] += value
        squares[x] += value * value


@inner(forceinline=False)
def _drop_row(row: NDArray[np.uint8], sums: NDArray[np.int32], squares: NDArray[np.int32]) -> None:
    for x in range(len(row)):
        value = np.int32(row[x])
        sums[x] -= value
        squares[x] -= value * value


@inner(forceinline=False)
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


@inner(forceinline=False)
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


@inner(forceinline=False)
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


@inner(forceinline=False)
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


@inner(forceinline=False)
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
