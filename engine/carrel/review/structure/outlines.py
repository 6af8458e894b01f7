"""Outlines of lines that people split, join and draw: polygons in whole pixels, without any library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from carrel.page import Point, Points

Vector = tuple[float, float]


def direction(baseline: Sequence[Point]) -> Vector:
    """Return the unit vector from a baseline's start to its end; to the right where both are one point."""
    dx, dy = baseline[-1][0] - baseline[0][0], baseline[-1][1] - baseline[0][1]
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length else (1.0, 0.0)


def along(point: Sequence[float], way: Vector) -> float:
    """Return how far a point lies in a direction, in px."""
    return point[0] * way[0] + point[1] * way[1]


def point_at(baseline: Points, share: float) -> tuple[Vector, int]:
    """Return the point at a share of a baseline's length, and the number of its points that lie before it."""
    lengths = [math.dist(a, b) for a, b in pairwise(baseline)]
    left = share * sum(lengths)
    for number, ((a, b), length) in enumerate(zip(pairwise(baseline), lengths, strict=True), 1):
        if left <= length and length:
            part = left / length
            return (a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])), number
        left -= length
    return (float(baseline[-1][0]), float(baseline[-1][1])), len(baseline) - 1


def cut(polygon: Points, at: Vector, way: Vector) -> tuple[Points, Points]:
    """Cut a polygon across a direction at a point: the part before it and the part behind it, either empty if nothing is there.

    By Sutherland and Hodgman (doi:10.1145/360767.360802).
    """
    edge = along(at, way)
    return _kept(polygon, lambda p: edge - along(p, way)), _kept(polygon, lambda p: along(p, way) - edge)


def _kept(polygon: Points, inside: Callable[[Vector], float]) -> Points:
    found: list[Vector] = []
    for a, b in zip(polygon, (*polygon[1:], *polygon[:1]), strict=True):
        da, db = inside(a), inside(b)
        if da >= 0:
            found.append(a)
        if (da > 0 > db) or (da < 0 < db):
            part = da / (da - db)
            found.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
    return whole(found)


def whole(points: Sequence[Sequence[float]]) -> Points:
    """Return points in whole pixels, none twice in a row; empty where fewer than three are left."""
    rounded = [(round(x), round(y)) for x, y in points]
    kept = tuple(p for i, p in enumerate(rounded) if p != rounded[i - 1])
    return kept if len(kept) >= 3 else ()


def hull(points: Sequence[Point]) -> Points:
    """Return the convex hull, by Andrew's monotone chain (doi:10.1016/0020-0190(79)90072-3)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)

    def half(chain: Sequence[Point]) -> list[Point]:
        found: list[Point] = []
        for p in chain:
            while len(found) >= 2 and _turn(found[-2], found[-1], p) <= 0:
                found.pop()
            found.append(p)
        return found[:-1]

    return (*half(ordered), *half(ordered[::-1]))


def _turn(a: Point, b: Point, c: Point) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def chained(first: Points, second: Points, way: Vector) -> Points:
    """Return the outline of two polygons of which the second follows the first in a direction, the gap between them filled.

    Where they overlap in that direction, each is cut in the middle of the overlap.
    """
    end, start = max(along(p, way) for p in first), min(along(p, way) for p in second)
    if end > start:
        middle = (end + start) / 2
        at = (way[0] * middle, way[1] * middle)
        first, second = cut(first, at, way)[0] or first, cut(second, at, way)[1] or second
    (upper, lower), (upper_2, lower_2) = _edges(first, way), _edges(second, way)
    return whole([*upper, *upper_2, *lower_2[::-1], *lower[::-1]])


def _edges(polygon: Points, way: Vector) -> tuple[Points, Points]:
    """The upper and the lower edge of a polygon, both in the direction."""
    ends = [along(p, way) for p in polygon]
    first, last = ends.index(min(ends)), ends.index(max(ends))
    turned = (*polygon[first:], *polygon[:first])
    split = (last - first) % len(polygon)
    one, other = turned[: split + 1], (turned[0], *turned[split:][::-1])
    across = (-way[1], way[0])  # down, for a line that runs to the right
    mean_one = sum(along(p, across) for p in one) / len(one)
    mean_other = sum(along(p, across) for p in other) / len(other)
    return (one, other) if mean_one <= mean_other else (other, one)


def band(baseline: Points, above_px: int, below_px: int) -> Points:
    """Return the polygon that reaches so far above and below a baseline."""
    way = direction(baseline)
    up = (way[1], -way[0])
    upper = [(x + up[0] * above_px, y + up[1] * above_px) for x, y in baseline]
    lower = [(x - up[0] * below_px, y - up[1] * below_px) for x, y in reversed(baseline)]
    return whole([*upper, *lower])


def clamped(points: Points, width_px: int, height_px: int) -> Points:
    """Return points moved onto the page."""
    return tuple((min(max(x, 0), width_px - 1), min(max(y, 0), height_px - 1)) for x, y in points)
