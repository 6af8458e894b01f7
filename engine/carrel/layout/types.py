"""What layout analysis finds: lines and the regions that hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Affine = NDArray[np.float64]
"""``(2, 3)``: a point ``(x, y)`` goes to ``matrix @ (x, y, 1)``."""
Heatmaps = Callable[[NDArray[np.float32]], NDArray[np.float32]]
SMALLEST_SIDE_PX = 24
"""Images with a side below this hold no line."""


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

    def moved(self, matrix: Affine) -> FoundLine:
        """The line in another image; ``matrix`` turns and shifts but does not scale."""
        return FoundLine(_moved(self.baseline, matrix), _moved(self.polygon, matrix), self.x_height_px)


@dataclass(frozen=True, slots=True, eq=False)
class FoundRegion:
    """A block of lines in reading order; ``kind`` is a SegmOnto zone such as MainZone or MarginTextZone.

    ``polygon`` is ``(m, 2)`` float32 like those of its lines.
    """

    kind: str
    polygon: Points
    lines: tuple[FoundLine, ...]

    def moved(self, matrix: Affine) -> FoundRegion:
        """The region in another image; see `FoundLine.moved`."""
        return FoundRegion(self.kind, _moved(self.polygon, matrix), tuple(line.moved(matrix) for line in self.lines))


def _moved(points: Points, matrix: Affine) -> Points:
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
