"""Stamps as regions of their own, and the lines that are theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from carrel.layout.order.regions import in_reading_order
from carrel.layout.page_ink import PageInk
from carrel.layout.stamps.frames import find_frames
from carrel.layout.stamps.rings import find_rings
from carrel.layout.types import SMALLEST_SIDE_PX, FoundLine, FoundRegion, Points, TableArea
from carrel.page import STAMP_ZONE

RING_EDGE_RADII = 1.06
"""How far the line of a ring may reach out, in its radii."""
MIN_LENGTH_IN_STAMP = 0.8
"""Lines with so much of their length in a stamp are the stamp's."""
ACROSS_RADII = 0.65
"""Lines whose middle lies within so many radii, run across a round stamp; the others along its ring."""
CORNER_DEGREES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A stamp: ``polygon`` ``(m, 2)`` float32, px of the page; ``round`` for a ring, else a frame."""

    polygon: Points
    round: bool

    def holds(self, points: Points, share: float = 1.0) -> float:
        """Measure the share of ``points`` ``(n, 2)`` that lie in the stamp, or in what it is when shrunk to ``share``."""
        center = self.polygon.mean(axis=0)
        polygon = center + share * (self.polygon - center)
        return float(np.mean([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in points]))


def find_stamps(page: PageInk) -> list[Stamp]:
    """Find closed rings, and closed frames that stand askew, with writing in them."""
    if min(page.gray.shape) < SMALLEST_SIDE_PX:
        return []
    gray, scale = page.small
    rings = [Stamp(_polygon(ring), True) for ring in find_rings(gray, page.ink)]
    frames = [Stamp(frame, False) for frame in find_frames(page.ink) if not any(ring.holds(frame) for ring in rings)]
    return [Stamp(stamp.polygon / np.float32(scale), stamp.round) for stamp in rings + frames]


def in_order_with_stamps(
    lines: list[FoundLine], page: PageInk, table: TableArea | None = None
) -> tuple[FoundRegion, ...]:
    """Arrange regions as `carrel.layout.order.regions.in_reading_order`, each stamp after the one it lies in or next to.

    Lines along a ring are left out: what is read there is no text.
    """
    stamps = find_stamps(page)
    text, inside = _divided(lines, stamps)
    regions = in_reading_order(text, table)
    zones = [
        FoundRegion(STAMP_ZONE, stamp.polygon, tuple(sorted(own, key=lambda line: _height(line.baseline))))
        for stamp, own in zip(stamps, inside, strict=True)
    ]
    zones.sort(key=lambda zone: _height(zone.polygon))
    places = [_place(zone, regions) for zone in zones]
    ordered = [zone for zone, place in zip(zones, places, strict=True) if place < 0]
    for k, region in enumerate(regions):
        ordered += [region, *(zone for zone, place in zip(zones, places, strict=True) if place == k)]
    return tuple(ordered)


def _polygon(ring: tuple[Sequence[float], Sequence[float], float]) -> Points:
    (x, y), (width, height), degrees = ring
    axes = int(RING_EDGE_RADII * width / 2) + 1, int(RING_EDGE_RADII * height / 2) + 1
    corners = cv2.ellipse2Poly((round(x), round(y)), axes, round(degrees), 0, 359, CORNER_DEGREES)
    return np.array(corners, np.float32)


def _divided(lines: list[FoundLine], stamps: list[Stamp]) -> tuple[list[FoundLine], list[list[FoundLine]]]:
    """Lines outside of stamps, and those in each but along its ring."""
    stamp_of = [
        next((k for k, stamp in enumerate(stamps) if stamp.holds(_middle(line)) > MIN_LENGTH_IN_STAMP), -1)
        for line in lines
    ]
    text = [line for line, k in zip(lines, stamp_of, strict=True) if k < 0]
    stamp_of = [-1 if k < 0 or _goes_on(line, text) else k for line, k in zip(lines, stamp_of, strict=True)]
    inside = [
        [line for line, own in zip(lines, stamp_of, strict=True) if own == k and _is_across(line, stamp)]
        for k, stamp in enumerate(stamps)
    ]
    return [line for line, k in zip(lines, stamp_of, strict=True) if k < 0], inside


def _middle(line: FoundLine) -> Points:
    """Points ``(8, 2)`` along the small letters of a line."""
    x, y = line.baseline[:, 0], line.baseline[:, 1]
    along = np.linspace(0.0, 1.0, 8)
    at = np.linspace(0.0, 1.0, len(x))
    return np.stack((np.interp(along, at, x), np.interp(along, at, y) - 0.45 * line.x_height_px), 1).astype(np.float32)


def _is_across(line: FoundLine, stamp: Stamp) -> bool:
    return not stamp.round or stamp.holds(_middle(line)[3:5], ACROSS_RADII) > 0.0


def _goes_on(line: FoundLine, text: list[FoundLine]) -> bool:
    """Whether a line is the end, the beginning or a part of one of the text that a stamp is printed over."""
    near = 3.0 * line.x_height_px
    for other in text:
        for end, start in ((other.baseline[-1], line.baseline[0]), (line.baseline[-1], other.baseline[0])):
            if -near < start[0] - end[0] < near and abs(start[1] - end[1]) < 0.5 * line.x_height_px:
                return True
    return False


def _height(points: Points) -> float:
    return float(points[:, 1].mean())


def _place(zone: FoundRegion, regions: Sequence[FoundRegion]) -> int:
    """Index of the last of the regions that are nearest to the centre of a stamp; -1 where there are none."""
    x, y = (float(v) for v in zone.polygon.mean(axis=0))
    away = [max(0.0, -cv2.pointPolygonTest(region.polygon, (x, y), True)) for region in regions]
    return max((k for k, distance in enumerate(away) if distance == min(away)), default=-1)
