"""Places of the words of a line when only the line's text, baseline and polygon are known."""

from __future__ import annotations

import math
import unicodedata

from carrel.direction import is_right_to_left
from carrel.page import Box, Points

_SPACE_WIDTH = 0.6  # of a letter
_FloatPoint = tuple[float, float]


def place_words(text: str, baseline: Points, polygon: Points) -> tuple[Box, ...]:
    """Return boxes for the words of ``text``, in its order: the line's length shared out by number of letters.

    Parameters
    ----------
    text
        White space between words is a single space.
    baseline
        At least two distinct points; for slanted and vertical lines the words follow its chord.
    polygon
        At least three points; what of it lies above a word's share gives the box.

    Returns
    -------
    One box per word, each at least 1 px wide and high.
    """
    tokens = text.split()
    if not tokens:
        return ()
    start, end = _reading_ends(text, baseline)
    length = math.dist(start, end)
    direction = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    along = [(x - start[0]) * direction[0] + (y - start[1]) * direction[1] for x, y in polygon]
    first, last = min(along), max(along)
    return tuple(
        _slice_box(polygon, start, direction, first + low * (last - first), first + high * (last - first))
        for low, high in _shares(tokens)
    )


def _reading_ends(text: str, baseline: Points) -> tuple[_FloatPoint, _FloatPoint]:
    """Start and end of the baseline in the reading direction of ``text``."""
    start, end = baseline[0], baseline[-1]
    if start == end:  # a closed baseline: take its width
        box = Box.around(baseline)
        start, end = (box.left, box.bottom), (box.right, box.bottom)
    horizontal = abs(end[0] - start[0]) >= abs(end[1] - start[1])
    if horizontal and is_right_to_left(text) != (end[0] < start[0]):
        start, end = end, start
    return start, end


def _shares(tokens: list[str]) -> list[tuple[float, float]]:
    """Begin and end of each token as parts of the line, in [0, 1]."""
    widths = [max(sum(not unicodedata.combining(character) for character in token), 1) for token in tokens]
    total = sum(widths) + _SPACE_WIDTH * (len(widths) - 1)
    shares: list[tuple[float, float]] = []
    position = 0.0
    for width in widths:
        shares.append((position / total, (position + width) / total))
        position += width + _SPACE_WIDTH
    return shares


def _slice_box(polygon: Points, origin: _FloatPoint, direction: _FloatPoint, low: float, high: float) -> Box:
    """The box of what lies between ``low`` and ``high`` along ``direction``."""

    def position(point: _FloatPoint) -> float:
        return (point[0] - origin[0]) * direction[0] + (point[1] - origin[1]) * direction[1]

    kept: list[_FloatPoint] = [(float(x), float(y)) for x, y in polygon]
    kept = _keep(kept, [position(point) - low for point in kept])
    kept = _keep(kept, [high - position(point) for point in kept])
    if not kept:  # rounding at a polygon's tip
        kept = [(origin[0] + direction[0] * (low + high) / 2, origin[1] + direction[1] * (low + high) / 2)]
    xs, ys = [x for x, _ in kept], [y for _, y in kept]
    left, top = math.floor(min(xs) + 1e-6), math.floor(min(ys) + 1e-6)
    return Box(left, top, max(math.ceil(max(xs) - 1e-6), left + 1), max(math.ceil(max(ys) - 1e-6), top + 1))


def _keep(points: list[_FloatPoint], distances: list[float]) -> list[_FloatPoint]:
    """The part of a polygon with distances >= 0 (Sutherland and Hodgman, 10.1145/360767.360802)."""
    kept: list[_FloatPoint] = []
    for index, (point, distance) in enumerate(zip(points, distances, strict=True)):
        before, distance_before = points[index - 1], distances[index - 1]
        if (distance < 0) != (distance_before < 0):
            part = distance_before / (distance_before - distance)
            kept.append((before[0] + part * (point[0] - before[0]), before[1] + part * (point[1] - before[1])))
        if distance >= 0:
            kept.append(point)
    return kept
