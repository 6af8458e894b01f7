"""Ruled boxes of a page: cells and frames, small squares, and rulings that words are written on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from carrel.forms.registration.rulings import Rulings

MIN_FILL, MIN_SMALL_FILL = 0.82, 0.55
"""Share of its box that the inside of a frame fills, and of a small one: writing takes some of it."""
MIN_CELL_PX, MAX_CELL_SHARE = 14, 0.6
"""Least side of a box, working px, and most of the page's area."""
MAX_SMALL_PX = 80
"""Most side of a box for a character or a tick."""
SMALL_ASPECTS = (0.55, 1.6)
NEAR_PX = 6


class Rect(NamedTuple):
    """A box, working px."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Tell whether a point lies inside, or as much as ``margin`` outside."""
        return self.left - margin <= x <= self.right + margin and self.top - margin <= y <= self.bottom + margin


def frames_of(rulings: Rulings) -> list[Rect]:
    """Return the insides of all frames that rulings make, from top to bottom."""
    import cv2

    wall = cv2.dilate(np.maximum(rulings.level, rulings.upright), np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats((wall == 0).astype(np.uint8), connectivity=4)
    height, width = wall.shape
    found: list[Rect] = []
    for left, top, wide, tall, area in stats[1:count].tolist():
        inside = left > 1 and top > 1 and left + wide < width - 1 and top + tall < height - 1
        small = min(wide, tall) < MIN_CELL_PX or wide * tall > MAX_CELL_SHARE * width * height
        rect = Rect(left - 1.0, top - 1.0, left + wide + 1.0, top + tall + 1.0)
        if inside and not small and area >= (MIN_SMALL_FILL if is_small(rect) else MIN_FILL) * wide * tall:
            found.append(rect)
    return sorted(found, key=lambda rect: (rect.top, rect.left))


def is_small(rect: Rect) -> bool:
    """Tell whether a box is of the size of one character or a tick."""
    return rect.width <= MAX_SMALL_PX and SMALL_ASPECTS[0] <= rect.width / rect.height <= SMALL_ASPECTS[1]


def lines_to_write_on(rulings: Rulings, frames: Sequence[Rect], min_length: float) -> list[tuple[float, float, float]]:
    """Return level rulings that are no side of a frame: left, right, and height on the page."""
    found: list[tuple[float, float, float]] = []
    for x1, y1, x2, y2 in rulings.segments():
        y = (y1 + y2) / 2
        if x2 - x1 < min_length or abs(y2 - y1) > 0.1 * (x2 - x1):
            continue
        side = any(
            (abs(y - f.top) < NEAR_PX or abs(y - f.bottom) < NEAR_PX)
            and min(x2, f.right) - max(x1, f.left) > 0.5 * f.width
            for f in frames
        )
        if not side:
            found.append((x1, x2, y))
    return found


def in_rows(rects: Sequence[Rect]) -> list[list[Rect]]:
    """Group boxes of one height on the page, each group from left to right."""
    rows: list[list[Rect]] = []
    for rect in sorted(rects, key=lambda r: (r.top + r.bottom, r.left)):
        row = rows[-1] if rows else []
        if row and abs(row[-1].top - rect.top) < NEAR_PX and abs(row[-1].bottom - rect.bottom) < NEAR_PX:
            row.append(rect)
        else:
            rows.append([rect])
    return [sorted(row) for row in rows]


def runs(row: Sequence[Rect], belongs: Callable[[Rect, Rect], bool]) -> list[list[Rect]]:
    """Split a row where a box does not belong to the one before it."""
    found: list[list[Rect]] = []
    for rect in row:
        if found and belongs(found[-1][-1], rect):
            found[-1].append(rect)
        else:
            found.append([rect])
    return found


def grid_of(frames: Sequence[Rect], min_rows: int = 4) -> tuple[list[tuple[float, float]], list[Rect]]:
    """Return the rows (top and bottom) and the columns (of their first rows) of the largest grid of cells; empty without one.

    Columns are boxes of the same left and right that stand one below the other in at least ``min_rows`` rows.
    """
    groups: list[list[Rect]] = []
    for frame in sorted(frames, key=lambda f: f.top):
        own = next((g for g in groups if _stands_below(g[-1], frame)), None)
        if own is None:
            groups.append([frame])
        else:
            own.append(frame)
    columns = [own for own in groups if len(own) >= min_rows]
    if len(columns) < 2:
        return [], []
    longest = max(columns, key=len)
    rows = [(frame.top, frame.bottom) for frame in longest]
    heads = [own[0] for own in columns if own[0].top < rows[-1][0] and own[-1].bottom > rows[0][1]]
    return rows, sorted(heads, key=lambda f: f.left)


def _stands_below(above: Rect, rect: Rect) -> bool:
    """Tell whether a box goes on with the column of the one above it; columns of a page that is not flat run a little aslant."""
    same = abs(above.left - rect.left) < NEAR_PX and abs(above.right - rect.right) < NEAR_PX
    return same and -NEAR_PX < rect.top - above.bottom < 2.5 * NEAR_PX
