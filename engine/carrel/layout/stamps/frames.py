"""Frames set askew: the outlines of stamps in boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.components import Components
from carrel.layout.ink import Ink

SMALLEST, LARGEST = 4.0, 0.35
"""Least side in x-heights, largest in sides of the page."""
ASKEW = 2.0
"""Least degrees; frames that stand level are as often part of a form, a heading or a table."""
THICKEST, THINNEST = 0.4, 1.2
"""Ink of a frame is at most this share of its box, and at least this many px for each of a quarter of its girth."""
RECTANGLE, CLOSED, OWN = 0.88, 0.8, 0.6
"""Least share of the box around a frame that it fills, of its outline that is ink, and of its ink that lies there."""
LINE = 0.35
"""Thickness of a frame's line, in x-heights."""
WRITTEN = 0.5
"""Least ink in it, in squares of the x-height."""


def find_frames(ink: Ink) -> list[NDArray[np.float32]]:
    """Corners ``(4, 2)`` of closed frames that stand askew, with nothing tied to them and writing in them; working px."""
    _, _, width, height, area = ink.dark.stats.T
    short, long = np.minimum(width, height), np.maximum(width, height)
    hollow = (area < THICKEST * width * height) & (area > THINNEST * (width + height))
    size = (short > SMALLEST * ink.x_height_px) & (long < LARGEST * max(ink.dark.shape))
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
    if min(box[1]) < SMALLEST * unit or askew < ASKEW or cv2.contourArea(hull) < RECTANGLE * box[1][0] * box[1][1]:
        return None
    own, outline = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    own[y - top, x - left] = 1
    cv2.polylines(outline, [hull], True, (1,))
    thick = max(3, round(LINE * unit) | 1)
    covered = cv2.dilate(own, np.ones((thick, thick), np.uint8)).astype(np.uint8)
    near = cv2.dilate(outline, np.ones((2 * thick + 1, 2 * thick + 1), np.uint8)).astype(np.uint8)
    if cv2.countNonZero(outline & covered) < CLOSED * cv2.countNonZero(outline):
        return None
    if cv2.countNonZero(own & near) < OWN * len(x) or _written_in(parts, which, hull, (left, top)) < WRITTEN * unit**2:
        return None
    return (cv2.boxPoints(box) + np.array((left, top))).astype(np.float32)


def _written_in(parts: Components, which: int, hull: NDArray[np.int32], origin: tuple[int, int]) -> int:
    """Px of ink inside a frame that is not its own."""
    area = np.zeros(parts.shape, np.uint8)
    cv2.fillPoly(area, [hull + np.array(origin)], (1,))
    return int(((area.ravel()[parts.pixels] > 0) & (parts.member != which)).sum())
