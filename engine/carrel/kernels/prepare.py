"""Pixel kernels of preparation, checked: Sauvola's threshold. Loads compiled code when called."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.lookup import kernel
from carrel.kernels.records import address_of

WIDEST_WINDOW = 181
"""Sums of squares over a wider window would not fit into 31 bits."""
MAX_PX = 2**31 - 1
"""Pixels of the largest page that is decoded are fewer; more were never tried."""
LEAST_ROWS = 256
"""Rows that are worth a thread of their own."""


def sauvola(
    gray: NDArray[np.uint8], window: int, k: float = 0.2, spread: float = 128.0, threads: int = 1
) -> NDArray[np.uint8]:
    """Return ink is what lies at or below ``mean * (1 + k * (deviation / spread - 1))`` of the window around it.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous.
    window
        Odd side of the window in px, 3 to 181; at the edges only what lies on the page counts.
    k
        In [0, 1]; larger finds less ink.
    spread
        Deviation at which the threshold is the mean, 1 to 255. doi:10.1016/S0031-3203(99)00055-2
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
    if not 0 <= k <= 1 or not 1 <= spread <= 255:
        raise ValueError(f"expected k in [0, 1] and a spread of 1 to 255, got {k} and {spread}")
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
    if gray.ndim != 2 or gray.dtype != np.uint8 or not 0 < gray.size <= MAX_PX or not gray.flags.c_contiguous:
        raise ValueError(
            f"expected up to {MAX_PX:,} contiguous uint8 pixels of shape (h, w), got {gray.dtype} of shape {gray.shape}"
        )
