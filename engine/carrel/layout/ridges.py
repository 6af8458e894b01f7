"""Where lines run: a map whose ridges follow the bodies of lines, and the ridges traced from left to right.

The map is the negative second derivative across the lines of ink smoothed along them, over a few slopes and sizes, after
Bukhari, Shafait and Breuel, "Ridges based curled textline region detection", DOI 10.1007/978-3-642-03767-2_21.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink

ROWS_PER_X_HEIGHT = 6.0
COLUMNS_PER_X_HEIGHT = 3.0
SLOPES = (-0.14, -0.07, 0.0, 0.07, 0.14)
SIZES = (1.0, 1.7)

Map = NDArray[np.float32]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class RidgeMap:
    """Response ``(rows, columns)`` float32, and how many working px one column and one row are."""

    response: Map
    column_px: float
    row_px: float


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """One traced ridge: ``columns`` int (k,), ascending without gaps, ``rows`` float (k,), ``strength`` float (k,)."""

    columns: NDArray[np.int64]
    rows: NDArray[np.float64]
    strength: NDArray[np.float64]


def _sheared(image: Map, slope: float, back: bool = False) -> Map:
    """Shift columns so that lines of ``slope`` rows per column lie level, or back."""
    rows, columns = image.shape
    sign = slope if back else -slope
    matrix = np.array([[1.0, 0.0, 0.0], [sign, 1.0, -sign * columns / 2]])
    return cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR).astype(np.float32)


def ridge_map(ink: Ink) -> RidgeMap:
    """Response of the page's ink, on a grid of a few cells per x-height."""
    h, w = ink.mask.shape
    columns = max(4, round(w * COLUMNS_PER_X_HEIGHT / ink.x_height_px))
    rows = max(4, round(h * ROWS_PER_X_HEIGHT / ink.x_height_px))
    grid = cv2.resize(ink.mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    best = np.zeros_like(grid)
    for slope in SLOPES:
        level = _sheared(grid, slope * ROWS_PER_X_HEIGHT / COLUMNS_PER_X_HEIGHT)
        along = cv2.GaussianBlur(level, (0, 0), sigmaX=2.2 * COLUMNS_PER_X_HEIGHT, sigmaY=0.1)
        for size in SIZES:
            sigma = 0.5 * size * ROWS_PER_X_HEIGHT
            smooth = cv2.GaussianBlur(along, (0, 0), sigmaX=0.1, sigmaY=sigma)
            curvature = cv2.filter2D(smooth, cv2.CV_32F, np.array([[-1.0], [2.0], [-1.0]], np.float32))
            response = _sheared(
                (curvature * sigma**1.5).astype(np.float32), slope * ROWS_PER_X_HEIGHT / COLUMNS_PER_X_HEIGHT, back=True
            )
            np.maximum(best, response, out=best)
    return RidgeMap(best, w / columns, h / rows)


def peaks(response: Map, threshold: float) -> list[tuple[Floats, Floats]]:
    """Local maxima of every column above ``threshold``: rows (parabolic, ascending) and strengths."""
    middle, above, below = response[1:-1], response[:-2], response[2:]
    found = (middle > threshold) & (middle >= above) & (middle > below)
    columns, rows = np.nonzero(found.T)
    a, m, b = above[rows, columns], middle[rows, columns], below[rows, columns]
    shift = 0.5 * (a - b) / np.minimum(a - 2 * m + b, -1e-9)
    bounds = np.searchsorted(columns, np.arange(response.shape[1] + 1))
    exact = rows + 1 + np.clip(shift, -0.5, 0.5).astype(np.float64)
    return [(exact[s:e], m[s:e].astype(np.float64)) for s, e in pairwise(bounds)]


class _Track:
    """A ridge while it is being followed."""

    def __init__(self, column: int, row: float, strength: float) -> None:
        self.points = [(column, row, strength)]
        self.slope = 0.0

    def expected(self, column: int) -> float:
        last, row, _ = self.points[-1]
        return row + self.slope * (column - last)

    def extend(self, column: int, row: float, strength: float) -> None:
        last, before, _ = self.points[-1]
        self.slope += 0.15 * ((row - before) / (column - last) - self.slope)
        self.points.append((column, row, strength))

    def ridge(self) -> Ridge:
        found = np.array(self.points, dtype=np.float64)
        columns = np.arange(int(found[0, 0]), int(found[-1, 0]) + 1)
        return Ridge(
            columns, np.interp(columns, found[:, 0], found[:, 1]), np.interp(columns, found[:, 0], found[:, 2])
        )


def trace(peaks_of_columns: list[tuple[Floats, Floats]], reach_rows: float, gap_columns: int) -> list[Ridge]:
    """Follow ridges from left to right through the peaks (rows, strengths) of every column.

    A ridge goes on at the nearest peak within ``reach_rows`` of where it is expected, over at most ``gap_columns``
    columns without one.
    """
    done: list[_Track] = []
    live: list[_Track] = []
    for column, (rows, strengths) in enumerate(peaks_of_columns):
        kept = [t for t in live if column - t.points[-1][0] <= gap_columns]
        done += [t for t in live if column - t.points[-1][0] > gap_columns]
        live = kept
        free = np.ones(len(rows), dtype=bool)
        if live and len(rows):
            distance = np.abs(np.array([t.expected(column) for t in live])[:, None] - rows[None, :])
            taken: set[int] = set()
            for flat in np.argsort(distance, axis=None):
                i, j = divmod(int(flat), len(rows))
                if distance[i, j] > reach_rows:
                    break
                if i not in taken and free[j]:
                    taken.add(i)
                    free[j] = False
                    live[i].extend(column, float(rows[j]), float(strengths[j]))
        live += [_Track(column, float(rows[j]), float(strengths[j])) for j in np.flatnonzero(free)]
    return [t.ridge() for t in done + live]
