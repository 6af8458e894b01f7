"""Frames set askew: the outlines of stamps in boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.components import Components
from carrel.layout.ink import Ink

MIN_SIDE_X_HEIGHTS, MAX_SIDE_SHARE = 4.0, 0.35
"""Least side in x-heights, largest in sides of the page."""
MIN_SKEW_DEGREES = 2.0
"""Least degrees; frames that stand upright are as often part of a form, a heading or a table."""
MAX_INK_SHARE, MIN_INK_PX = 0.4, 1.2
"""Ink of a frame is at most this share of its box, and at least this many px for each of a quarter of its girth."""
MIN_FILL, MIN_CLOSED_FRAME, MIN_OWN_INK = 0.88, 0.8, 0.6
"""Least share of the box around a frame that it fills, of its contour that is ink, and of its ink that lies there."""
LINE_X_HEIGHTS = 0.35
"""Thickness of a frame's line, in x-heights."""
MIN_WRITTEN_X_HEIGHTS2 = 0.5
"""Least ink in it, in squares of the x-height."""


def find_frames(ink: Ink) -> list[NDArray[np.float32]]:
    """Find the corners ``(4, 2)`` of closed frames that stand askew, with nothing tied to them and writing in them; working px."""
    _, _, width, height, area = ink.dark.stats.T
    short, long = np.minimum(width, height), np.maximum(width, height)
    hollow = (area < MAX_INK_SHARE * width * height) & (area > MIN_INK_PX * (width + height))
    size = (short > MIN_SIDE_X_HEIGHTS * ink.x_height_px) & (long < MAX_SIDE_SHARE * max(ink.dark.shape))
    size[0] = False
    found = (_frame(ink.dark, int(k), ink.x_height_px) for k in np.flatnonzero(hollow & size))
    return [corners for corners in found if corners is not None]


def _frame(parts: Components, which: int, unit: float) -> NDArray[np.float32] | None:
    """The corners of a component that is a frame; None where it is none."""
    left, top, width, height, _ = (int(v) for v in parts.stats[which])
    rows = slice(*np.searchsorted(parts.pixels, np.array((top, top + height)) * parts.shape[1]))
    y, x = np.divmod(parts.pixels[rows][parts.member[rows] == which], parts.shape[1])
    hull = cv2.convexHull(np.stack((x - left, y - top), 1).astype(np.int32)).astype(np.int32)
    box = cv2.minAreaRect(hull)
    askew = abs((box[2] + 45.0) % 90.0 - 45.0)
    if (
        min(box[1]) < MIN_SIDE_X_HEIGHTS * unit
        or askew < MIN_SKEW_DEGREES
        or cv2.contourArea(hull) < MIN_FILL * box[1][0] * box[1][1]
    ):
        return None
    own, contour = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    own[y - top, x - left] = 1
    cv2.polylines(contour, [hull], True, (1,))
    thick = max(3, round(LINE_X_HEIGHTS * unit) | 1)
    covered = cv2.dilate(own, np.ones((thick, thick), np.uint8)).astype(np.uint8)
    near = cv2.dilate(contour, np.ones((2 * thick + 1, 2 * thick + 1), np.uint8)).astype(np.uint8)
    if cv2.countNonZero(contour & covered) < MIN_CLOSED_FRAME * cv2.countNonZero(contour):
        return None
    if (
        cv2.countNonZero(own & near) < MIN_OWN_INK * len(x)
        or _written_in(parts, which, hull, (left, top)) < MIN_WRITTEN_X_HEIGHTS2 * unit**2
    ):
        return None
    return (cv2.boxPoints(box) + np.array((left, top))).astype(np.float32)


def _written_in(parts: Components, which: int, hull: NDArray[np.int32], origin: tuple[int, int]) -> int:
    """Px of ink inside a frame that is not its own."""
    area = np.zeros(parts.shape, np.uint8)
    cv2.fillPoly(area, [hull + np.array(origin)], (1,))
    return int(((area.ravel()[parts.pixels] > 0) & (parts.member != which)).sum())
