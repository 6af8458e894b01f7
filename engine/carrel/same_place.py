"""Lines and regions of two readings of a page that are the same.

A line is the same where its baseline lies within a third of its height of the other one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from carrel.page import Box, Line, Points, Region

SAME_HEIGHT_SHARE = 1 / 3  # of the line's height, beside the baseline
SAME_LENGTH_SHARE = 0.8  # of either baseline that must lie that near; the ends of a line move more than its height
LEAST_DISTANCE_PX = 2.0  # rounding alone moves points by this
SAME_AREA_SHARE = 0.5  # of two outlines' boxes together, for regions without lines
_SAMPLES = 24  # points along a baseline
_Item = TypeVar("_Item", Line, Region)


def same_lines(lines: Sequence[Line], others: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the lines that are the same on two readings of a page, as pairs of positions; nearest first."""
    return _best_pairs(lines, others, _distance)


def same_outlines(regions: Sequence[Region], others: Sequence[Region]) -> list[tuple[int, int]]:
    """Find the regions that cover about the same place, as pairs of positions; nearest first."""
    return _best_pairs(regions, others, _apart)


def _best_pairs(
    items: Sequence[_Item], others: Sequence[_Item], distance: Callable[[_Item, _Item], float | None]
) -> list[tuple[int, int]]:
    candidates = [
        (apart, a, b)
        for a, item in enumerate(items)
        for b, other in enumerate(others)
        if (apart := distance(item, other)) is not None
    ]
    return one_to_one(candidates)


def one_to_one(candidates: Iterable[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Choose the pairs with the least cost first, each side used once; among equals the first positions."""
    lefts, rights, pairs = set[int](), set[int](), list[tuple[int, int]]()
    for _, left, right in sorted(candidates):
        if left not in lefts and right not in rights:
            lefts.add(left)
            rights.add(right)
            pairs.append((left, right))
    return pairs


def _distance(line: Line, other: Line) -> float | None:
    """Mean distance of two baselines in px; None where they are not the same line."""
    if len(line.baseline) < 2 or len(other.baseline) < 2:
        return None
    near = max(SAME_HEIGHT_SHARE * min(line_height(line), line_height(other)), LEAST_DISTANCE_PX)
    if not _boxes_meet(Box.around(line.baseline), Box.around(other.baseline), near):
        return None
    total = 0.0
    for one, two in ((line.baseline, other.baseline), (other.baseline, line.baseline)):
        distances = [_to_polyline(point, two) for point in _sampled(one)]
        if sum(distance <= near for distance in distances) < SAME_LENGTH_SHARE * len(distances):
            return None
        total += sum(distances) / len(distances)
    return total / 2


def line_height(line: Line) -> float:
    """Return the height of a line in px: the area of its polygon by the length of its baseline."""
    points = line.polygon
    area = (
        abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, (*points[1:], *points[:1]), strict=True))) / 2
    )
    return area / max(sum(math.dist(a, b) for a, b in pairwise(line.baseline)), 1.0)


def _boxes_meet(box: Box, other: Box, margin: float) -> bool:
    return (
        box.left - margin < other.right
        and other.left - margin < box.right
        and box.top - margin < other.bottom
        and other.top - margin < box.bottom
    )


def _sampled(baseline: Points) -> list[tuple[float, float]]:
    """Points at equal steps along a baseline."""
    lengths = [math.dist(a, b) for a, b in pairwise(baseline)]
    step = sum(lengths) / (_SAMPLES - 1)
    found: list[tuple[float, float]] = []
    before = 0.0
    for (a, b), length in zip(pairwise(baseline), lengths, strict=True):
        while len(found) < _SAMPLES and (along := len(found) * step - before) <= length + 1e-9:
            part = along / length if length else 0.0
            found.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
        before += length
    return found


def _to_polyline(point: tuple[float, float], line: Points) -> float:
    return min(_to_segment(point, a, b) for a, b in pairwise(line))


def _to_segment(point: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    across, down = b[0] - a[0], b[1] - a[1]
    squared = across * across + down * down
    part = ((point[0] - a[0]) * across + (point[1] - a[1]) * down) / squared if squared else 0.0
    part = min(max(part, 0.0), 1.0)
    return math.hypot(point[0] - a[0] - part * across, point[1] - a[1] - part * down)


def _apart(region: Region, other: Region) -> float | None:
    """One less the share of two outlines' boxes that both cover; None where that is too little."""
    if not region.polygon or not other.polygon:
        return None if region.polygon or other.polygon else 0.0
    a, b = Box.around(region.polygon), Box.around(other.polygon)
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    both = max(width, 0) * max(height, 0)
    share = both / (_area(a) + _area(b) - both)
    return 1 - share if share >= SAME_AREA_SHARE else None


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)
