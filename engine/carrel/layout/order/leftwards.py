"""Reading order of pages whose text runs from right to left: columns, notes and cells from the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.layout.order.regions import in_reading_order
from carrel.layout.types import FoundLine, FoundRegion, Points, TableArea

_TABLE, _STAMP = "TableZone", "StampZone"


def in_leftward_order(regions: Sequence[FoundRegion]) -> tuple[FoundRegion, ...]:
    """Group the lines of ``regions`` again and put them into the order of a page that is read from the right.

    The page is deskewed by its own baselines and mirrored, ordered as if it ran to the right, and mirrored back; the lines
    themselves are those that were given. Stamps come last.
    """
    stamps = tuple(region for region in regions if region.kind == _STAMP)
    text = [region for region in regions if region.kind != _STAMP]
    lines = [line for region in text for line in region.lines]
    if not lines:
        return tuple(regions)
    mirror = _mirror(lines)
    mirrored_lines = [_mapped(line, mirror) for line in lines]
    given = {id(mirrored): line for mirrored, line in zip(mirrored_lines, lines, strict=True)}
    table = next((region for region in text if region.kind == _TABLE), None)
    ordered = in_reading_order(mirrored_lines, _area(table, mirror) if table else None)
    back = np.linalg.inv(mirror).astype(np.float32)
    found = (
        FoundRegion(region.kind, region.polygon @ back.T, tuple(given[id(line)] for line in region.lines))
        for region in ordered
    )
    return (*found, *stamps)


def _mirror(lines: Sequence[FoundLine]) -> Points:
    """The matrix ``(2, 2)`` that makes the mean direction of baselines level, then turns left to right."""
    x, y = np.sum([line.baseline[-1] - line.baseline[0] for line in lines], axis=0)
    length = float(np.hypot(x, y))
    cos, sin = (x / length, y / length) if length else (1.0, 0.0)
    return np.array(((-cos, -sin), (-sin, cos)), np.float32)


def _mapped(line: FoundLine, mirror: Points) -> FoundLine:
    return FoundLine((line.baseline @ mirror.T)[::-1], line.polygon @ mirror.T, line.x_height_px)


def _area(table: FoundRegion, mirror: Points) -> TableArea:
    corners = table.polygon @ mirror.T
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return TableArea(float(left), float(top), float(right), float(bottom))
