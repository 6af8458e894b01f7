"""Circles that arcs of contours of ink are part of, found by votes for their centres.

After Kimme, Ballard and Sklansky, "Finding circles by an array of accumulators", DOI 10.1145/360666.360677; how strongly
an contour bends tells how far away its centre may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink
from carrel.layout.types import Points

Circle = tuple[float, float, float]
"""Centre x, y and radius, px."""

MIN_INK_X_HEIGHTS = 2.0
"""Ink of less than so many x-heights is letters."""
TRACED_X_HEIGHT_PX = 5.0
SMOOTH = 0.4
"""Length over which contours are smoothed, in x-heights."""
STEPS = 3.5
"""From one point of an contour to the next, in an x-height."""
REACH = 0.9
"""Half the length over which the bend of an contour is measured, in x-heights."""
RADII = (1.8, 13.0)
"""Of circles that are looked for, in x-heights."""
DISTANCES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Where the centre may be, in radii by the bend."""
CELL = 0.5
"""Of the votes, in x-heights."""
MAX_CENTERS, MIN_VOTES = 12, 10
ASIDE = 0.2
"""Sine of the largest angle by which a centre may lie beside the normal of an contour."""
RADIUS_BINS = 1.08


@dataclass(frozen=True, slots=True, eq=False)
class Contours:
    """Points ``(n, 2)`` along contours of ink, px, and which contour each is of (n,); the x-height in px, and the way from
    one point to the next, along pixels."""

    points: Points
    number: NDArray[np.int64]
    x_height_px: float
    step_px: int


def trace_contours(ink: Ink) -> Contours:
    """Trace smooth contours of ink that is larger than small letters, traced at a resolution that does for these."""
    unit, parts = ink.x_height_px, ink.parts
    large = np.maximum(parts.stats[:, cv2.CC_STAT_WIDTH], parts.stats[:, cv2.CC_STAT_HEIGHT]) > MIN_INK_X_HEIGHTS * unit
    shrink = max(1, int(unit / TRACED_X_HEIGHT_PX))
    y, x = np.divmod(parts.pixels[large[parts.member]], parts.shape[1])
    step = max(1, int(unit / (STEPS * shrink)))
    mask = np.zeros((parts.shape[0] // shrink + 1, parts.shape[1] // shrink + 1), np.uint8)
    mask[y // shrink, x // shrink] = 1
    found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    found = [contour for contour in found if len(contour) > 2 * MIN_INK_X_HEIGHTS * unit / shrink]
    if not found:
        return Contours(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), unit, step * shrink)
    number = np.repeat(np.arange(len(found)), [len(contour) for contour in found])
    width = max(3, round(SMOOTH * unit / shrink) | 1)
    points = cv2.blur(np.concatenate(found).astype(np.float32), (1, width))[:, 0] * shrink + (shrink - 1) / 2
    return Contours(points[::step].astype(np.float32), number[::step], unit, step * shrink)


def find_circles(contours: Contours, narrowed: float) -> list[Circle]:
    """Find circles that most contours run along on a page narrowed by a factor; px of that page."""
    points, toward, radius = _bends(contours, narrowed)
    if not len(points):
        return []
    cell = CELL * contours.x_height_px
    margin = RADII[1] * DISTANCES[-1] * contours.x_height_px
    columns, rows = (((points.max(axis=0) + 2 * margin) / cell) + 1).astype(int)
    away = (radius[:, None] * (np.array(DISTANCES, np.float32) / cell)).ravel()
    start = np.repeat((points + margin) / cell, len(DISTANCES), axis=0)
    along = np.repeat(toward, len(DISTANCES), axis=0)
    across, down = ((start[:, k] + along[:, k] * away).astype(np.int32) for k in (0, 1))
    votes = np.bincount(down * columns + across, minlength=rows * columns).reshape(rows, columns)
    votes = cv2.blur(votes.astype(np.float32) * 9, (3, 3), borderType=cv2.BORDER_CONSTANT)
    peaks = np.flatnonzero((votes >= MIN_VOTES) & (votes >= cv2.dilate(votes, np.ones((5, 5), np.uint8))))
    peaks = peaks[np.argsort(-votes.ravel()[peaks])][:MAX_CENTERS]
    centers = (np.stack((peaks % columns + 0.5, peaks // columns + 0.5), 1) * cell - margin).astype(np.float32)
    reach = RADII[1] * contours.x_height_px
    x, y = points.T.copy()
    close = (np.flatnonzero((np.abs(x - cx) < reach) & (np.abs(y - cy) < reach)) for cx, cy in centers)
    found = (_circle_around(c, points[k], toward[k], radius[k]) for c, k in zip(centers, close, strict=True))
    return [circle for circle in found if circle is not None]


def _bends(contours: Contours, narrowed: float) -> tuple[Points, Points, Points]:
    """Where contours bend like a ring: points ``(n, 2)``, directions of their centres ``(n, 2)`` and radii (n,)."""
    unit, step, number = contours.x_height_px, contours.step_px, contours.number
    x, y = contours.points[:, 0] / np.float32(narrowed), contours.points[:, 1]
    k = max(2, round(REACH * unit / step))
    if len(x) <= 2 * k:
        empty = np.zeros((0, 2), np.float32)
        return empty, empty, np.zeros(0, np.float32)
    along_x, along_y = x[2 * k :] - x[: -2 * k], y[2 * k :] - y[: -2 * k]
    off_x, off_y = (x[2 * k :] + x[: -2 * k]) / 2 - x[k:-k], (y[2 * k :] + y[: -2 * k]) / 2 - y[k:-k]
    square = along_x**2 + along_y**2
    bend = np.hypot(off_x, off_y)
    # an arc stands off its chord by its length squared over 8 radii
    radius = square / np.maximum(8.0 * bend, 1e-3)
    like_ring = (radius > RADII[0] * unit) & (radius < RADII[1] * unit) & (square > (1.4 * k * step) ** 2)
    like_ring &= number[2 * k :] == number[: -2 * k]
    here = np.flatnonzero(like_ring)
    length = np.sqrt(square[here])
    side = np.sign(off_x[here] * -along_y[here] + off_y[here] * along_x[here])
    toward = np.stack((-along_y[here], along_x[here]), 1) * (side / length)[:, None]
    return np.stack((x[here + k], y[here + k]), 1), toward.astype(np.float32), radius[here].astype(np.float32)


def _circle_around(center: Points, points: Points, toward: Points, radius: Points) -> Circle | None:
    """Fit the circle around a centre that most contours run along, for its size."""
    off = center - points
    distance = np.maximum(np.hypot(off[:, 0], off[:, 1]), 1e-3)
    aside = np.abs(off[:, 0] * toward[:, 1] - off[:, 1] * toward[:, 0]) < ASIDE * distance
    aside &= (off[:, 0] * toward[:, 0] + off[:, 1] * toward[:, 1] > 0) & (np.abs(np.log(distance / radius)) < 0.5)
    near = np.flatnonzero(aside)
    if len(near) < MIN_VOTES:
        return None
    size = (np.log(distance[near]) / np.log(RADIUS_BINS)).astype(np.int64)
    counts = np.bincount(size - size.min()) / RADIUS_BINS ** np.arange(int(np.ptp(size)) + 1)
    best = int(counts.argmax()) + int(size.min())
    around = near[np.abs(size - best) <= 1]
    return fit_circle(points[around]) if len(around) >= MIN_VOTES else None


def fit_circle(points: Points) -> Circle:
    """Fit the circle of least squares through points ``(n, 2)``."""
    origin = points.mean(axis=0, dtype=np.float64)
    shifted = points - origin
    design = np.column_stack((shifted, np.ones(len(points))))
    normal = design.T @ design + 1e-6 * np.eye(3)
    x, y, rest = np.linalg.solve(normal, design.T @ (shifted**2).sum(axis=1))
    radius = float(np.sqrt(max(rest + (x * x + y * y) / 4, 1e-6)))
    return float(origin[0] + x / 2), float(origin[1] + y / 2), radius
