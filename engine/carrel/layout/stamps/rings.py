"""Rings of ink, round or oval: the outlines of stamps.

Arcs of the contours of connected ink give circles to begin with. Around each the page is unrolled and the darkest closed
path through it is followed; a ring is one that stays dark nearly all the way and lies on an ellipse (Fitzgibbon, Pilu
and Fisher, "Direct least square fitting of ellipses", DOI 10.1109/34.765658).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median, row_medians
from carrel.layout.ink import Ink
from carrel.layout.stamps.arcs import find_circles, fit_circle, trace_contours
from carrel.layout.types import Points

Ellipse = tuple[Sequence[float], Sequence[float], float]
"""Centre, both diameters and the angle of the first one in degrees, as OpenCV has them; px."""
Fit = Callable[[Points], Ellipse]

MIN_RING_X_HEIGHTS, MAX_RING_SHARE = 4.0, 0.3
"""Least diameter in x-heights, largest in sides of the page."""
OBLATE = 0.5
ANGLES = 60
STEP = 0.028
"""Distance of samples across the line of a ring, in its radii."""
REACHES = (8, 4, 4, 2)
"""How many samples off an ellipse its line is looked for, first and then."""
LINE_WIDTH = 7
LEAST_CONTRAST = 8.0
EVEN = 0.3
MIN_CLOSED_PATH, MIN_CLOSED_RING = 0.75, 0.82
LETTERED = 0.33
BAND = (0.62, 0.9)
"""Where the letters along a ring stand, in its radii."""


def find_rings(gray: NDArray[np.uint8], ink: Ink) -> list[Ellipse]:
    """Find the outermost rings that are closed and have something written along their inner side; px of ``gray``.

    Parameters
    ----------
    gray
        ``(h, w)`` uint8, the flattened page at working resolution.
    ink
        Its ink.
    """
    contours = trace_contours(ink)
    begun: list[tuple[Ellipse, Fit]] = [
        (((x * widened, y), (2 * radius * widened, 2 * radius), 0.0), fit)
        for widened, fits in WIDENED.items()
        for x, y, radius in find_circles(contours, widened)
        for fit in fits
    ]
    rings = _followed(gray, begun, ink.x_height_px)
    rings = [ring for ring, share in zip(rings, closed_shares(gray, rings), strict=True) if share >= MIN_CLOSED_RING]
    return _outermost([ring for ring in rings if is_lettered(gray, ring)])


def _has_size(ring: Ellipse, unit: float, shape: tuple[int, ...]) -> bool:
    short, long = min(ring[1]), max(ring[1])
    large_enough = short >= max(OBLATE * long, MIN_RING_X_HEIGHTS * unit)
    return bool(np.isfinite(ring[0]).all()) and large_enough and long <= MAX_RING_SHARE * max(shape)


def _followed(gray: NDArray[np.uint8], begun: list[tuple[Ellipse, Fit]], unit: float) -> list[Ellipse]:
    """Circles or ellipses through the closed paths near those ``begun`` that are dark most of the way."""
    for reach in REACHES:
        begun = [(ring, fit) for ring, fit in begun if _has_size(ring, unit, gray.shape)]
        if not begun:
            break
        points, line = _lines_around(gray, [ring for ring, _ in begun], reach)
        path = _closed_paths(line)
        clear = _clear(np.take_along_axis(line, path[:, :, None], 2)[:, :, 0])
        on_path = np.take_along_axis(points, path[:, :, None, None], 2)[:, :, 0]
        kept = np.flatnonzero(clear.mean(axis=1) >= MIN_CLOSED_PATH)
        begun = [((fit := begun[k][1])(on_path[k][clear[k]]), fit) for k in kept]
    return [ring for ring, _ in begun if _has_size(ring, unit, gray.shape)]


def closed_shares(gray: NDArray[np.uint8], rings: list[Ellipse]) -> NDArray[np.float64]:
    """Measure the share of the directions from its centre in which each ring is a line darker than both its sides."""
    return _clear(_lines_around(gray, rings, 1)[1].max(axis=2)).mean(axis=1) if rings else np.zeros(0)


def _clear(contrast: Points) -> NDArray[np.bool_]:
    """Where the line of a ring can be seen; of ``contrast`` ``(n, ANGLES)``."""
    return contrast > np.maximum(LEAST_CONTRAST, EVEN * row_medians(contrast))[:, None]


def _lines_around(gray: NDArray[np.uint8], rings: list[Ellipse], reach: int) -> tuple[Points, Points]:
    """Points ``(n, ANGLES, 2 reach + 1, 2)`` near rings, and how much darker than what is further in and out they are."""
    half = LINE_WIDTH // 2
    offsets = np.arange(-reach - half, reach + half + 1)
    # two samples each, so that no thin line slips through between them
    points, paper = _unrolled(gray, rings, np.repeat(offsets, 2) * STEP + np.tile((-STEP / 4, STEP / 4), len(offsets)))
    points = (points[:, :, ::2] + points[:, :, 1::2]) * np.float32(0.5)
    paper = np.minimum(paper[:, :, ::2], paper[:, :, 1::2])
    rows = paper.reshape(-1, paper.shape[2])
    line = cv2.morphologyEx(rows, cv2.MORPH_BLACKHAT, np.ones((1, LINE_WIDTH), np.uint8)).reshape(paper.shape)
    return points[:, :, half:-half], line[:, :, half:-half].astype(np.float32)


def _unrolled(
    gray: NDArray[np.uint8], rings: list[Ellipse], offsets: NDArray[np.floating]
) -> tuple[Points, NDArray[np.uint8]]:
    """Points ``(n, ANGLES, k, 2)`` at ``offsets`` (k,), in least radii, outside of rings, and the page there."""
    center, size = np.array([r[0] for r in rings])[:, None, None], np.array([r[1] for r in rings])[:, None]
    around = np.arange(ANGLES) * (2.0 * np.pi / ANGLES)
    unit = np.stack((np.cos(around), np.sin(around)), 1)
    normal = unit * size[:, :, ::-1]
    normal /= np.hypot(normal[..., 0], normal[..., 1])[..., None] * (2.0 / size.min(axis=2, keepdims=True))
    points = (unit * size / 2)[:, :, None] + normal[:, :, None] * offsets[:, None]
    turn = np.deg2rad([ring[2] for ring in rings])[:, None, None]
    x, y = points[..., 0], points[..., 1]
    points = np.stack((np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y), 3) + center
    points = points.astype(np.float32)
    across, down = (np.ascontiguousarray(points[..., k]).reshape(-1, len(offsets)) for k in (0, 1))
    paper = cv2.remap(gray, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,))
    return points, paper.astype(np.uint8).reshape(points.shape[:3])


def _closed_paths(line: Points) -> NDArray[np.int64]:
    """Which samples ``(n, ANGLES)`` the darkest paths go through, one further in or out at each angle; ``line``
    ``(n, ANGLES, k)``.

    No sample counts for more than half of what is usual, so that letters do not outweigh a thin line.
    """
    gain = np.minimum(line, 0.5 * row_medians(line.max(axis=2))[:, None, None])
    around = [*range(ANGLES), *range(ANGLES // 2)]
    beside = np.ones((1, 3), np.uint8)
    totals = [gain[:, 0]]
    for angle in around[1:]:
        totals.append(cv2.dilate(totals[-1], beside) + gain[:, angle])
    rows, path = np.arange(len(line)), np.zeros((len(line), ANGLES), np.int64)
    at = totals[-1].argmax(axis=1)
    path[:, around[-1]] = at
    for angle, total in zip(around[-2::-1], totals[-2::-1], strict=True):
        near = np.clip(at[:, None] + np.array((0, -1, 1)), 0, line.shape[2] - 1)
        at = near[rows, total[rows[:, None], near].argmax(axis=1)]
        path[:, angle] = at
    return path


def _round(points: Points) -> Ellipse:
    x, y, radius = fit_circle(points)
    return (x, y), (2 * radius, 2 * radius), 0.0


def _oval(points: Points) -> Ellipse:
    return cv2.fitEllipseDirect(points[:, None])


WIDENED: dict[float, tuple[Fit, ...]] = {1.0: (_round, _oval), 1.4: (_oval,)}
"""Rings are looked for as circles on the page narrowed by this, and followed as circles or ellipses."""


def is_lettered(gray: NDArray[np.uint8], ring: Ellipse) -> bool:
    """Tell whether there is ink along the inner side of a ring: letters, not the empty loop of a drawing."""
    paper = _unrolled(gray, [ring], np.linspace(BAND[0] - 1.0, BAND[1] - 1.0, 8))[1][0]
    rim = _unrolled(gray, [ring], np.arange(-2, 3) * STEP)[1][0].min(axis=1)
    white = float(np.percentile(paper, 90))
    dark = paper < white - max(LEAST_CONTRAST, EVEN * (white - median(rim)))
    return bool(dark.any(axis=1).mean() > LETTERED)


def _outermost(rings: list[Ellipse]) -> list[Ellipse]:
    """Without those whose centre lies in a larger one."""
    kept: list[Ellipse] = []
    for ring in sorted(rings, key=lambda ring: -max(ring[1])):
        if all(np.hypot(ring[0][0] - o[0][0], ring[0][1] - o[0][1]) > max(o[1]) / 2 for o in kept):
            kept.append(ring)
    return kept
