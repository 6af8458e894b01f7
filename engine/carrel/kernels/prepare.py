"""Pixel kernels of preparation, checked: paper divided out, Sauvola's threshold. Loads compiled code when called."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.native import kernel
from carrel.kernels.records import address_of

WIDEST_WINDOW = 181
"""Sums of squares over a wider window would not fit into 31 bits."""
LEAST_ROWS = 256
"""Rows that are worth a thread of their own."""


def flatten(gray: NDArray[np.uint8], gain: NDArray[np.float32], cell: int, threads: int = 1) -> NDArray[np.uint8]:
    """Multiply by a gain that is known at the middle of each cell, and linear between.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous.
    gain
        float32, (gh, gw), finite and not negative; beyond the outermost middles the nearest holds.
    cell
        Side of a cell in px.
    threads
        At least 1; rows are split among them, and the result is the same for any number.

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
    gain = np.ascontiguousarray(gain)
    height, width = gray.shape
    flat = np.empty_like(gray)
    flatten_rows = kernel("flatten_rows")
    given = (address_of(gray), address_of(gain), height, width, *gain.shape, cell)

    def stripe(first: int, after: int) -> None:
        places, rows = np.empty(3 * (after - first + width), np.int32), np.empty(2 * width, np.float32)
        flatten_rows(*given, first, after, address_of(places), address_of(rows), address_of(flat))

    _in_stripes(stripe, height, threads)
    return flat


def sauvola(
    gray: NDArray[np.uint8], window: int, k: float = 0.2, spread: float = 128.0, threads: int = 1
) -> NDArray[np.uint8]:
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
    threads
        At least 1; rows are split among them, and the result is the same for any number.

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
    height, width = gray.shape
    sauvola_rows = kernel("sauvola_rows")
    given = (address_of(gray), height, width, window // 2, k, k / spread)

    def stripe(first: int, after: int) -> None:
        sums = np.zeros(4 * width + 2, np.int32)
        sauvola_rows(*given, first, after, address_of(sums), address_of(binary))

    _in_stripes(stripe, height, threads)
    return binary


def _in_stripes(stripe: Callable[[int, int], None], height: int, threads: int) -> None:
    """Call ``stripe(first, after)`` for stripes of rows that make up the page, each in a thread of its own."""
    if threads < 1:
        raise ValueError(f"expected at least one thread, got {threads}")
    stripes = max(1, min(threads, height // LEAST_ROWS))
    if stripes == 1:
        stripe(0, height)
        return
    edges = [height * i // stripes for i in range(stripes + 1)]
    with ThreadPoolExecutor(stripes, "carrel-rows") as pool:
        list(pool.map(stripe, edges[:-1], edges[1:]))


def _check_gray(gray: NDArray[Any]) -> None:
    if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0 or not gray.flags.c_contiguous:
        raise ValueError(f"expected contiguous uint8 pixels of shape (h, w), got {gray.dtype} of shape {gray.shape}")
