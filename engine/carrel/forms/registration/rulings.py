"""Long rulings of a page, level and upright, at a working scale, as they lie once the page is straight."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORKING_SIDE_PX = 1600
"""Longest side of the page that rulings are looked for in; smaller pages stay as they are."""
MIN_LENGTH_SHARE = 0.025
"""Least length of a ruling, as a share of the longest side."""
DARKER = 12
"""Gray levels by which a ruling is darker than the mean around it."""
AROUND_PX = 31
Mask = NDArray[np.uint8]
Segment = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Rulings:
    """Rulings of a page.

    ``level`` and ``upright`` are masks of the working picture, uint8 ``(h, w)``, 1 on a ruling; ``to_work``, float64 ``(3, 3)``,
    takes px of the scan there.
    """

    level: Mask
    upright: Mask
    to_work: NDArray[np.float64]

    def segments(self) -> list[Segment]:
        """Return the rulings as x and y of both ends, px of the working picture."""
        import cv2

        found: list[Segment] = []
        for mask, level in ((self.level, True), (self.upright, False)):
            count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            for n in range(1, count):
                left, top, width, height, _ = (int(v) for v in stats[n])
                own = labels[top : top + height, left : left + width] == n
                ends = (own[:, :3], own[:, -3:]) if level else (own[:3], own[-3:])
                at = [float(np.flatnonzero(end.any(axis=1 if level else 0)).mean()) for end in ends]
                if level:
                    found.append((left, top + at[0], left + width, top + at[1]))
                else:
                    found.append((left + at[0], top, left + at[1], top + height))
        return found


def rulings_of(
    gray: NDArray[np.uint8], skew_degrees: float = 0.0, min_length_share: float = MIN_LENGTH_SHARE
) -> Rulings:
    """Find the rulings of a scan.

    Parameters
    ----------
    gray
        uint8 ``(h, w)``, ink dark.
    skew_degrees
        As that of `carrel.page.Provenance`: the working picture is without it.
    min_length_share
        Least length of a ruling, as a share of the longest side.
    """
    import cv2

    to_work, size = working_frame(gray.shape, skew_degrees)
    work = cv2.warpAffine(
        gray,
        to_work[:2],
        size,
        flags=cv2.INTER_AREA if to_work[0, 0] < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mean = cv2.blur(work, (AROUND_PX, AROUND_PX))
    dark = cv2.threshold(cv2.subtract(mean, work), DARKER, 1, cv2.THRESH_BINARY)[1]
    length = max(8, round(min_length_share * max(size)))
    masks: list[Mask] = []
    for along, across in (((length, 1), (1, 3)), ((1, length), (3, 1))):
        thick = cv2.dilate(dark, np.ones(across[::-1] if along[0] == 1 else (3, 1), np.uint8))
        closed = cv2.morphologyEx(thick, cv2.MORPH_CLOSE, np.ones((along[1] // 6 + 1, along[0] // 6 + 1), np.uint8))
        opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones(along[::-1], np.uint8))
        masks.append(_thin(opened.astype(np.uint8), level=along[0] > 1))
    return Rulings(masks[0], masks[1], to_work)


def working_frame(shape: tuple[int, ...], skew_degrees: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the map from px of a scan to the working picture, float64 ``(3, 3)``, and that picture's width and height."""
    height, width = shape[:2]
    scale = min(1.0, WORKING_SIDE_PX / max(height, width))
    angle = math.radians(skew_degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = scale * np.array([[cos, sin], [-sin, cos]])
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ turn.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, -low
    wide, high_px = np.ceil(high - low).astype(int).tolist()
    return matrix, (max(wide, 1), max(high_px, 1))


def _thin(mask: Mask, *, level: bool) -> Mask:
    """The mask without what is thicker than a ruling: black bars, pictures."""
    import cv2

    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((9, 1) if level else (1, 9), np.uint8))
    grown = cv2.dilate(thick, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.subtract(mask, grown), np.uint8)
