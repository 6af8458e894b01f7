"""Columns of words on a page, with or without rulings between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from drawn_pages import Points

PITCH, TOP = 26, 60
LETTERS = "abcdefghiklmnoprstuvw"


def write_words(page: NDArray[np.uint8], left: int, right: int, base: int, chosen: np.random.Generator) -> None:
    """Write words from ``left`` to ``right``, the last one cut off so that the line is full."""
    x = left
    while x < right - 24:
        word = "".join(chosen.choice(list(LETTERS), chosen.integers(2, 9)))
        while cv2.getTextSize(word, cv2.FONT_HERSHEY_COMPLEX, 0.5, 1)[0][0] > right - x:
            word = word[:-1]
        cv2.putText(page, word, (x, base), cv2.FONT_HERSHEY_COMPLEX, 0.5, (30,), 1)
        x += cv2.getTextSize(word, cv2.FONT_HERSHEY_COMPLEX, 0.5, 1)[0][0] + int(chosen.integers(7, 13))


def page_in_columns(
    columns: Sequence[tuple[int, int]], rows: int, seed: int = 4
) -> tuple[NDArray[np.uint8], list[Points]]:
    """Draw a page of ``rows`` lines in columns from left to right; return it and lines that run over all of them."""
    chosen = np.random.default_rng(seed)
    page = np.full((2 * TOP + PITCH * rows, columns[-1][1] + 50), 255, np.uint8)
    bases = [TOP + PITCH * (k + 1) for k in range(rows)]
    for base in bases:
        for left, right in columns:
            write_words(page, left, right, base, chosen)
    return page, [[(columns[0][0], base), (columns[-1][1], base)] for base in bases]
