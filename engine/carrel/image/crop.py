"""Line crops: normalized along the baseline, neighbours masked away, evenly lit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carrel.image.ink import gray_levels
from carrel.image.median import median
from carrel.image.polarity import is_light_writing

Gray = NDArray[np.uint8]
Curve = NDArray[np.float32]
"""Points ``(k, 2)``, x and y in px."""

SAMPLE_STEP_PX = 8.0
PART_SQUARES = 3
"""Square pieces in each part of a line whose polarity is asked for."""
PAPER_SHARE = 0.8
"""Share of a line's pixels that are no brighter than its paper."""
MIN_INSIDE_SHARE = 0.1
"""Share of a square piece of a line, below which its paper is not measured."""
MIN_UNEVEN_SHARE = 0.03
"""Share of its brightness by which paper must differ along a line to be evened."""
MAX_LIGHT_RATIO = 2.0
"""Ratio to the line's usual paper beyond which a place is no paper."""


@dataclass(frozen=True)
class Crop:
    """A normalized line.

    ``gray`` is uint8 ``(height, width)``, ink dark; ``baseline_row`` the row on which the letters stand; ``ruler`` holds
    for each column the page point of that row, ``(width, 2)``, and ``normal`` the page vector of one row downwards.
    """

    gray: Gray
    baseline_row: int
    ruler: Curve
    normal: Curve

    def page_points(self, left: ArrayLike, right: ArrayLike) -> Curve:
        """Return the corners on the page, ``(..., 4, 2)``, of the columns from ``left`` to ``right``, ``(...)``, at full height."""
        last = len(self.ruler) - 1
        a, b = (np.clip(np.rint(x), 0, last).astype(np.int64) for x in (left, right))
        up, down = np.float32(-self.baseline_row), np.float32(self.gray.shape[0] - self.baseline_row)
        rows = [(a, up), (b, up), (b, down), (a, down)]
        return np.stack([self.ruler[x] + y * self.normal[x] for x, y in rows], axis=-2).astype(np.float32)


def _resample(curve: Curve, step: float) -> tuple[Curve, Curve]:
    """Return points each ``step`` px of arc length along a smoothed curve, and their unit normals pointing down."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    curve = curve[np.concatenate(([True], steps > 1e-3))]
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))))
    at = np.arange(0.0, max(length[-1], step), step)
    points = np.stack([np.interp(at, length, curve[:, i]) for i in (0, 1)], 1)
    if len(points) > 4:  # a jagged baseline would fan the letters out
        kernel = np.ones(5) / 5
        padded = np.concatenate((2 * points[:1] - points[2:0:-1], points, 2 * points[-1:] - points[-2:-4:-1]))
        points = np.stack([np.convolve(padded[:, i], kernel, "valid") for i in (0, 1)], 1)
    tangent = np.gradient(points, axis=0) if len(points) > 1 else np.array([[1.0, 0.0]])
    tangent /= np.maximum(np.hypot(tangent[:, :1], tangent[:, 1:]), 1e-6)
    return points.astype(np.float32), np.stack([-tangent[:, 1], tangent[:, 0]], 1).astype(np.float32)


def _extent(polygon: Curve, points: Curve, normals: Curve) -> tuple[float, float]:
    """Return how far the polygon reaches above and below the curve, in px."""
    across, down = (polygon[:, None, i] - points[None, :, i] for i in (0, 1))
    nearest = np.argmin(across * across + down * down, axis=1)
    rows = ((polygon - points[nearest]) * normals[nearest]).sum(-1)
    return max(4.0, -float(rows.min())), max(2.0, float(rows.max()))


def normalize_line(gray: Gray, baseline: Curve, polygon: Curve) -> Crop:
    """Normalize a line: unroll it along its baseline, at the page's own resolution.

    Parameters
    ----------
    gray
        The page, uint8 ``(h, w)``, ink dark; a line of light writing is inverted.
    baseline, polygon
        Points ``(k, 2)`` float32, px of ``gray``; the baseline in reading direction.

    Returns
    -------
    Crop
        From the polygon's highest to its lowest reach, outside the polygon the line's own paper colour.
    """
    import cv2

    points, normals = _resample(baseline, SAMPLE_STEP_PX)
    above, below = _extent(polygon, points, normals)
    height, baseline_row = round(above + below), round(above)
    width = max(8, round((len(points) - 1) * SAMPLE_STEP_PX))
    at = np.linspace(0, len(points) - 1, width)
    index = np.arange(len(points))
    ruler = np.stack([np.interp(at, index, points[:, i]) for i in (0, 1)], 1).astype(np.float32)
    normal = np.stack([np.interp(at, index, normals[:, i]) for i in (0, 1)], 1).astype(np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None] - baseline_row
    map_x, map_y = ruler[:, 0] + rows * normal[:, 0], ruler[:, 1] + rows * normal[:, 1]
    # remap only the neighbourhood: OpenCV takes at most 32767 px a side
    edges = [m[[0, -1]] for m in (map_x, map_y)]  # rows are straight between them
    x0, y0 = (max(0, int(edge.min()) - 2) for edge in edges)
    part = gray[y0 : int(edges[1].max()) + 3, x0 : int(edges[0].max()) + 3]
    if part.size == 0:
        return Crop(np.full((height, width), 255, np.uint8), baseline_row, ruler, normal)
    map_x -= np.float32(x0)
    map_y -= np.float32(y0)
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon - (x0, y0)).astype(np.int32)], 255)
    line = cv2.remap(part, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    kept = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0,))
    inside = kept >= 128
    counts = counts_in_squares(line, inside)
    if is_light_writing(counts.sum(axis=1)) and _is_light_in_most_parts(counts):
        line, counts = np.invert(line), counts[::-1]
    return Crop(even_light(line, inside, counts), baseline_row, ruler, normal)


def counts_in_squares(line: Gray, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how many px inside have each gray level, in each square piece of a line: ``(256, pieces)``."""
    import cv2

    height, width = line.shape
    pieces = -(-width // height)
    counts = np.zeros((256, pieces))
    # 2D histograms of level and piece, for so many pieces as a byte counts
    for first in range(0, pieces, 256):
        columns = slice(first * height, (first + 256) * height)
        levels, mask = np.ascontiguousarray(line[:, columns]), np.ascontiguousarray(inside[:, columns])
        piece = np.tile((np.arange(levels.shape[1]) // height).astype(np.uint8), (height, 1))
        here = min(256, pieces - first)
        found = cv2.calcHist([levels, piece], [0, 1], mask.view(np.uint8), [256, here], [0, 256, 0, here])
        counts[:, first : first + here] = found
    return counts


def _is_light_in_most_parts(counts: NDArray[np.float64]) -> bool:
    """Tell whether the writing is light in most parts of the line: the lit end of a line in shadow looks like it."""
    parts = np.add.reduceat(counts, range(0, counts.shape[1], PART_SQUARES), axis=1).T
    return 2 * sum(map(is_light_writing, parts)) > len(parts)


def even_light(line: Gray, inside: NDArray[np.bool_], counts: NDArray[np.float64]) -> Gray:
    """Make the paper of a line equally bright from end to end, and outside the line, too.

    A shadow over one end would hide the letters there from a threshold for the whole line.

    Parameters
    ----------
    line
        uint8 ``(height, width)``.
    inside
        Same shape: what belongs to the line.
    counts
        Of gray levels, `counts_in_squares`.
    """
    height, width = line.shape
    cumulated = np.cumsum(counts, axis=0)
    measured = np.flatnonzero(cumulated[-1] > MIN_INSIDE_SHARE * height * height)
    at = (measured + 0.5) * height
    levels = np.count_nonzero(cumulated < PAPER_SHARE * cumulated[-1], axis=0)[measured].astype(np.float64)
    if not len(measured):
        at, levels = np.zeros(1), gray_levels(line, (PAPER_SHARE,)).astype(np.float64)
    paper = median(levels)
    if np.ptp(levels) > MIN_UNEVEN_SHARE * paper:
        levels = np.clip(levels, paper / MAX_LIGHT_RATIO, paper * MAX_LIGHT_RATIO)
        light = np.interp(np.arange(width), at, levels).astype(np.float32)
        line = np.minimum(line * (np.float32(paper) / np.maximum(light, 1)), 255.0).astype(np.uint8)
    return np.where(inside, line, np.uint8(paper))


def crop_line(gray: Gray, baseline: Curve, polygon: Curve) -> Crop:
    """Crop a line: `normalize_line` with the baseline lengthened to the ends of the polygon."""
    return normalize_line(gray, extend(baseline, polygon), polygon)


def extend(baseline: Curve, polygon: Curve) -> Curve:
    """Lengthen the baseline straight to the polygon's left and right ends, so that no letter is cut."""
    first, last = baseline[0], baseline[-1]
    direction = (last - first) / max(float(np.hypot(*(last - first))), 1e-6)
    along = (polygon - first) @ direction
    before, after = -float(along.min()), float(along.max() - (last - first) @ direction)
    parts = [baseline]
    if before > 1.0:
        parts.insert(0, (first - before * direction)[None])
    if after > 1.0:
        parts.append((last + after * direction)[None])
    return np.concatenate(parts).astype(np.float32)
