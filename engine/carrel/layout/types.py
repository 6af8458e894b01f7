"""Lines and the regions that hold them, as segmentation finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Geometry

Points = NDArray[np.float32]
Floats = NDArray[np.floating]
Map = NDArray[np.float32]
Boxes = NDArray[np.float64]
"""``(n, 4)``: left, top, right, bottom."""
Heatmaps = Callable[[NDArray[np.float32]], NDArray[np.float32]]
LONG_ASPECT = 2.0
"""Longer pages than this, length to width, are receipts, rolls and strips."""
LEAST_SHRINKING = 0.995
"""What is so nearly of a size stays as it is: whole px, and a page is shrunk once only."""
SMALLEST_SIDE_PX = 24
"""Images with a side below this hold no line."""


def scale_to(shape: tuple[int, ...], side_px: int) -> float:
    """Return the scale, at most 1, at which a page ``(h, w)`` is ``side_px`` long; long ones are as large as one of `LONG_ASPECT`."""
    long, short = max(shape), min(shape)
    scale = side_px / long * max(1.0, (long / short / LONG_ASPECT) ** 0.5)
    return scale if scale < LEAST_SHRINKING else 1.0


class TableArea(NamedTuple):
    """Place of a table, px; ``kind`` is the SegmOnto zone of what is read row by row: text beside numbers is no table."""

    left: float
    top: float
    right: float
    bottom: float
    kind: str = "TableZone"


@dataclass(frozen=True, slots=True, eq=False)
class FoundLine:
    """One line of writing, in px of the image that was searched, x to the right, y down.

    Parameters
    ----------
    baseline
        ``(k, 2)`` float32, k >= 2, in reading direction.
    polygon
        ``(m, 2)`` float32, m >= 4: holds whole letters with ascenders, descenders and accents.
    x_height_px
        Height of letters without ascenders, as estimated from the ink; more than 0.
    """

    baseline: Points
    polygon: Points
    x_height_px: float

    def on_scan(self, geometry: Geometry) -> FoundLine:
        """Return the line in px of the scan."""
        baseline = geometry.curve_to_scan(self.baseline).astype(np.float32)
        polygon = geometry.curve_to_scan(self.polygon, closed=True).astype(np.float32)
        middle = self.baseline[len(self.baseline) // 2]
        foot, top = geometry.to_scan((middle, middle - (0, self.x_height_px)))
        return FoundLine(baseline, polygon, float(np.hypot(*(foot - top))))


@dataclass(frozen=True, slots=True, eq=False)
class FoundRegion:
    """A block of lines in reading order; ``kind`` is a SegmOnto zone such as MainZone or MarginTextZone.

    ``polygon`` is ``(m, 2)`` float32 like those of its lines.
    """

    kind: str
    polygon: Points
    lines: tuple[FoundLine, ...]

    def on_scan(self, geometry: Geometry) -> FoundRegion:
        """Return the region in px of the scan."""
        polygon = geometry.curve_to_scan(self.polygon, closed=True).astype(np.float32)
        return FoundRegion(self.kind, polygon, tuple(line.on_scan(geometry) for line in self.lines))


def extent_of(polygons: Iterable[Points]) -> Points:
    """Return left, top, right and bottom of polygons ``(k, 2)``, float32 ``(4,)``."""
    points = np.concatenate(list(polygons))
    return np.concatenate((points.min(axis=0), points.max(axis=0)))


def ring_of(extent: Points) -> Points:
    """Return the corners of left, top, right and bottom as a polygon, float32 ``(4, 2)``."""
    left, top, right, bottom = extent
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def is_upright(line: FoundLine) -> bool:
    """Tell whether a line runs up or down rather than across."""
    across, down = np.abs(line.baseline[-1] - line.baseline[0])
    return bool(down > 2 * across)


def flipped(line: FoundLine) -> FoundLine:
    """Return the same line read from its other end: its letters then stand on what was the top of the small ones."""
    along = line.baseline[-1] - line.baseline[0]
    up = np.array((along[1], -along[0])) / max(1e-6, float(np.hypot(*along)))
    return FoundLine((line.baseline + line.x_height_px * up)[::-1].astype(np.float32), line.polygon, line.x_height_px)
