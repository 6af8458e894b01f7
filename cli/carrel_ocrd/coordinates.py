"""Outlines as OCR-D wants them: words within their lines, lines within their regions."""

from __future__ import annotations

from typing import Any

from ocrd_utils import points_from_polygon, polygon_from_points
from shapely.geometry import MultiPolygon  # pyright: ignore[reportMissingModuleSource]
from shapely.geometry import Polygon as _Polygon  # pyright: ignore[reportMissingModuleSource]

Polygon: Any = _Polygon
_SLACK_PX = 1.0
"""By which a child may reach out: coordinates are whole px."""


def contain(pcgts: Any) -> None:
    """Cut words to their lines, and widen regions to hold their lines, where they reach out."""
    for region in pcgts.get_Page().get_AllRegions(classes=["Text"]):
        for line in region.get_TextLine():
            outline = _polygon(line)
            for word in line.get_Word():
                _cut(word, outline)
            _widen(region, outline)


def _cut(word: Any, outline: Any) -> None:
    own = _polygon(word)
    if own.within(outline.buffer(_SLACK_PX)):
        return
    shared = own.intersection(outline)
    if isinstance(shared, MultiPolygon):
        shared = max(shared.geoms, key=lambda part: part.area)
    if isinstance(shared, Polygon) and not shared.is_empty:
        _set(word, shared)


def _widen(region: Any, outline: Any) -> None:
    own = _polygon(region)
    if not outline.within(own.buffer(_SLACK_PX)):
        both = own.union(outline)
        _set(region, both if isinstance(both, Polygon) else both.convex_hull)


def _polygon(segment: Any) -> Any:
    """The outline of a segment; one that crosses itself is mended."""
    polygon = Polygon(polygon_from_points(segment.get_Coords().get_points()))
    mended = polygon if polygon.is_valid else polygon.buffer(0)
    return mended if isinstance(mended, Polygon) and not mended.is_empty else polygon.convex_hull


def _set(segment: Any, polygon: Any) -> None:
    points = [(round(x), round(y)) for x, y in polygon.exterior.coords[:-1]]
    segment.get_Coords().set_points(points_from_polygon(points))
