"""Frames set askew: the outlines of stamps in boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.components import Components
from carrel.layout.ink import Ink

CELL = 0.4
"""Gaps in a frame that are smaller than this, in x-heights, do not matter."""
SMALLEST, LARGEST = 4.0, 0.35
"""Least side in x-heights, largest in sides of the page."""
ASKEW = 2.0
"""Least degrees; frames that stand level are as often part of a form, a heading or a table."""
THICKEST, THINNEST = 0.6, 1.0
"""Cells of a frame are at most this share of its box, and at least this many for each of half of its girth."""
RECTANGLE, CLOSED, OWN = 0.88, 0.78, 0.5
"""Least share of the box around a frame that it fills, of its outline that is ink, and of its ink that lies there."""
LINE = 0.35
"""Thickness of a frame's line, in x-heights."""
WRITTEN = 0.5
"""Least ink in it, in squares of the x-height."""

Mask = NDArray[np.uint8]
Corners = NDArray[np.float32]


def find_frames(ink: Ink) -> list[Corners]:
    """Corners ``(4, 2)`` of closed frames that stand askew, with nothing tied to them and writing in them; working px."""
    dark, unit = ink.dark, ink.x_height_px
    cell = max(1, round(CELL * unit))
    size = (-(-dark.shape[1] // cell), -(-dark.shape[0] // cell))
    padded = cv2.copyMakeBorder(
        dark.mask(),
        0,
        size[1] * cell - dark.shape[0],
        0,
        size[0] * cell - dark.shape[1],
        cv2.BORDER_CONSTANT,
        value=(0,),
    )
    coarse = cv2.resize(padded * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 0
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(coarse.astype(np.uint8), connectivity=8)
    labels = numbers.astype(np.int32, copy=False)
    _, _, width, height, area = stats.T
    hollow = (area < THICKEST * width * height) & (area > THINNEST * (width + height))
    fits = np.minimum(width, height) * cell > SMALLEST * unit
    fits &= np.maximum(width, height) * cell < LARGEST * max(dark.shape)
    fits[0] = False
    found = (_frame(dark, labels, int(k), stats[k] * cell, cell, unit) for k in np.flatnonzero(hollow & fits))
    return [corners for corners in found if corners is not None]


def _frame(
    dark: Components, labels: NDArray[np.int32], which: int, box: NDArray[np.int32], cell: int, unit: float
) -> Corners | None:
    """The corners of what is dark in the cells of one number, if that is a frame."""
    left, top, width, height = (int(v) for v in box[:4])
    rows = slice(*np.searchsorted(dark.pixels, np.array((top, top + height)) * dark.shape[1]))
    y, x = np.divmod(dark.pixels[rows], dark.shape[1])
    inside = (x >= left) & (x < left + width)
    y, x = y[inside], x[inside]
    own = labels[y // cell, x // cell] == which
    here = np.stack((x, y), 1) - np.array((left, top))
    hull = cv2.convexHull(here[own].astype(np.int32)).astype(np.int32)
    around = cv2.minAreaRect(hull)
    askew = abs((around[2] + 45.0) % 90.0 - 45.0)
    if min(around[1]) < SMALLEST * unit or askew < ASKEW:
        return None
    if cv2.contourArea(hull) < RECTANGLE * around[1][0] * around[1][1]:
        return None
    line, rest = (_drawn(here[part], (height, width)) for part in (own, ~own))
    if not _is_frame(line, rest, hull, unit):
        return None
    return (cv2.boxPoints(around) + np.array((left, top))).astype(np.float32)


def _drawn(points: NDArray[np.int64], shape: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    mask[points[:, 1], points[:, 0]] = 1
    return mask


def _is_frame(own: Mask, others: Mask, hull: NDArray[np.int32], unit: float) -> bool:
    """Whether ink is a line along its hull, closed but for small gaps, with other ink inside."""
    outline, inside = np.zeros_like(own), np.zeros_like(own)
    cv2.polylines(outline, [hull], True, (1,))
    cv2.fillPoly(inside, [hull], (1,))
    thick = max(3, round(LINE * unit) | 1)
    covered = cv2.dilate(own, np.ones((thick, thick), np.uint8)).astype(np.uint8)
    near = cv2.dilate(outline, np.ones((2 * thick + 1, 2 * thick + 1), np.uint8)).astype(np.uint8)
    return (
        cv2.countNonZero(outline & covered) >= CLOSED * cv2.countNonZero(outline)
        and cv2.countNonZero(own & near) >= OWN * cv2.countNonZero(own)
        and cv2.countNonZero(others & inside) >= WRITTEN * unit**2
    )
