"""Ridges along lines: a map whose ridges follow the small letters of lines, and the ridges traced from left to right.

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
from carrel.layout.types import Floats, Map

ROWS_PER_X_HEIGHT = 6.0
COLUMNS_PER_X_HEIGHT = 3.0
SLOPES = (-0.14, -0.07, 0.0, 0.07, 0.14)
SIZES = (1.0, 1.7)


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
    """Shift columns so that lines of ``slope`` rows per column run straight across, or back."""
    rows, columns = image.shape
    sign = slope if back else -slope
    matrix = np.array([[1.0, 0.0, 0.0], [sign, 1.0, -sign * columns / 2]])
    return cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR).astype(np.float32)


def compute_ridge_map(ink: Ink) -> RidgeMap:
    """Compute the response of the page's ink, on a grid of a few cells per x-height."""
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


def find_peaks(response: Map, threshold: float) -> list[tuple[Floats, Floats]]:
    """Find the local maxima of every column above ``threshold``: rows (parabolic, ascending) and strengths."""
    middle, above, below = response[1:-1], response[:-2], response[2:]
    found = (middle > threshold) & (middle >= above) & (middle > below)
    columns, rows = np.nonzero(found.T)
    a, m, b = above[rows, columns], middle[rows, columns], below[rows, columns]
    shift = 0.5 * (a - b) / np.minimum(a - 2 * m + b, -1e-9)
    bounds = np.searchsorted(columns, np.arange(response.shape[1] + 1))
    exact = rows + 1 + np.clip(shift, -0.5, 0.5).astype(np.float64)
    return [(exact[s:e], m[s:e].astype(np.float64)) for s, e in pairwise(bounds)]


@dataclass(slots=True, eq=False)
class _Live:
    """Ridges while they are being followed, (n,) each: number, last column, the row there, and slope."""

    number: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.float64]
    slope: NDArray[np.float64]

    def kept(self, keep: NDArray[np.bool_]) -> _Live:
        return self if keep.all() else _Live(self.number[keep], self.column[keep], self.row[keep], self.slope[keep])

    def extend(self, i: NDArray[np.intp], column: int, rows: Floats) -> None:
        """Carry the ridges ``i`` on to ``rows``."""
        step = (rows - self.row[i]) / (column - self.column[i])
        self.slope[i] += 0.15 * (step - self.slope[i])
        self.row[i], self.column[i] = rows, column

    def with_new(self, first: int, column: int, rows: Floats) -> _Live:
        """Add new ridges at ``rows``, numbered from ``first``."""
        count = len(rows)
        return _Live(
            np.concatenate((self.number, np.arange(first, first + count))),
            np.concatenate((self.column, np.full(count, column))),
            np.concatenate((self.row, rows.astype(np.float64))),
            np.concatenate((self.slope, np.zeros(count))),
        )


def trace_ridges(peaks_of_columns: list[tuple[Floats, Floats]], reach_rows: float, gap_columns: int) -> list[Ridge]:
    """Follow ridges from left to right through the peaks (rows, strengths) of every column.

    A ridge goes on at the nearest peak within ``reach_rows`` of where it is expected, over at most ``gap_columns``
    columns without one. Those that end first come first.
    """
    live = _Live(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    points: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    count = 0
    for column, (rows, strengths) in enumerate(peaks_of_columns):
        if not len(rows):
            continue
        live = live.kept(column - live.column <= gap_columns)
        i, j = _matched(live.row + live.slope * (column - live.column), rows, reach_rows)
        live.extend(i, column, rows[j])
        free = np.ones(len(rows), dtype=bool)
        free[j] = False
        numbers = np.empty(len(rows), np.int64)
        numbers[j] = live.number[i]
        numbers[free] = np.arange(count, count + int(free.sum()))
        points.append((numbers, np.stack((np.full(len(rows), float(column)), rows, strengths), 1)))
        if free.any():
            live = live.with_new(count, column, rows[free])
            count += int(free.sum())
    return _ridges(points, count, len(peaks_of_columns) - 1 - gap_columns)


def _matched(expected: Floats, rows: Floats, reach_rows: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of ridges and peaks, nearest first, each in one pair at most."""
    distance = np.abs(expected[:, None] - rows[None, :])
    i, j = np.nonzero(distance <= reach_rows)
    if len(i) == len(set(i.tolist())) == len(set(j.tolist())):
        return i, j
    taken: dict[int, int] = {}
    for k in np.argsort(distance[i, j], kind="stable"):
        if int(i[k]) not in taken and int(j[k]) not in taken.values():
            taken[int(i[k])] = int(j[k])
    return np.array(list(taken), np.intp), np.array(list(taken.values()), np.intp)


def _ridges(points: list[tuple[NDArray[np.int64], NDArray[np.float64]]], count: int, lost: int) -> list[Ridge]:
    """The ridges of points (number; column, row, strength), those that ended before the column ``lost`` in that order."""
    if not count:
        return []
    numbers, found = (np.concatenate(part) for part in zip(*points, strict=True))
    order = np.argsort(numbers, kind="stable")
    tracks = np.split(found[order], np.flatnonzero(np.diff(numbers[order])) + 1)
    tracks.sort(key=lambda track: min(track[-1, 0], lost))
    return [_ridge(track) for track in tracks]


def _ridge(track: NDArray[np.float64]) -> Ridge:
    columns = np.arange(int(track[0, 0]), int(track[-1, 0]) + 1)
    row, strength = (np.interp(columns, track[:, 0], track[:, k]) for k in (1, 2))
    return Ridge(columns, row, strength)
