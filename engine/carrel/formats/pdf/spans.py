"""Places of the words of a line as invisible text: apart from each other, in order, level where that still meets the ink.

Readers put text together again from places alone. PDFium sorts what stands on one height by x, poppler wants gaps of
0.15 em between words and letters of one word on one height to 0.5 pt; so words neither overlap nor touch, and only
those that are really slanted are turned.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from carrel.direction import clusters, is_right_to_left, reordered
from carrel.page import Box, Line, Points

GAP_EM = 0.2
_OFF_EM = 0.3  # how far above or below its place a letter may stand for the sake of a level line
_GIVEN_PART = 0.4  # of its length that a word gives up at most to a gap, on each side
_ONE_LINE_EM = 0.5  # words of one line stand within this for poppler
_NARROWEST_PX = 0.5
SMALLEST_PX = 1.0
_Point = tuple[float, float]
_Range = tuple[float, float]
_Span = tuple[_Point, _Point]


class Run(NamedTuple):
    """Clusters of text from ``start`` to ``end``, in px of the scan, on the line's foot."""

    clusters: list[str]
    start: _Point
    end: _Point


class PlacedLine(NamedTuple):
    """Words of a line in reading order, each followed by a space, and the size of their type in px."""

    runs: list[Run]
    size_px: float


def place_line(line: Line, size_px: float) -> PlacedLine:
    """Place the words of ``line`` in type of ``size_px``, or smaller where words are too close to leave gaps otherwise."""
    steep = is_steep(line.baseline)
    ranges = [
        (float(w.box.top), float(w.box.bottom)) if steep else (float(w.box.left), float(w.box.right))
        for w in line.words
    ]
    ranges = _apart(_in_order(ranges, line, steep), GAP_EM * size_px)
    gaps = [after[0] - before[1] for before, after in pairwise(sorted(ranges))]
    size_px = max(min([size_px, *(gap / GAP_EM for gap in gaps)]), SMALLEST_PX)
    spans = [_span(word.text, line, steep, *reach) for word, reach in zip(line.words, ranges, strict=True)]
    runs: list[Run] = []
    for word, (start, end) in zip(line.words, _deskewed(spans, steep, size_px), strict=True):
        runs.append(Run(clusters(word.text), start, end))
        runs.append(Run([_space_after(word.text)], end, _beyond(start, end, GAP_EM * size_px)))
    return PlacedLine(runs if steep else [_left_to_right(run) for run in runs], size_px)


def with_gap(line: PlacedLine, following: PlacedLine) -> tuple[PlacedLine, PlacedLine]:
    """Return two lines; where the second begins just behind the first's end, as cells of a table do, with a gap between them."""
    last, first = line.runs[-2], following.runs[0]
    gap = first.start[0] - last.end[0]
    beside = abs(first.start[1] - last.end[1]) < line.size_px and last.start[0] < first.end[0]
    if not (beside and -line.size_px < gap < GAP_EM * line.size_px):
        return line, following
    (_, end), (start, _) = _apart([(last.start[0], last.end[0]), (first.start[0], first.end[0])], GAP_EM * line.size_px)
    last, first = last._replace(end=(end, last.end[1])), first._replace(start=(start, first.start[1]))
    size_px = max(min(line.size_px, (start - end) / GAP_EM), SMALLEST_PX)
    space = line.runs[-1]._replace(start=last.end, end=_beyond(last.start, last.end, GAP_EM * size_px))
    return PlacedLine([*line.runs[:-2], last, space], size_px), following._replace(runs=[first, *following.runs[1:]])


def _in_order(ranges: list[_Range], line: Line, steep: bool) -> list[_Range]:
    """``ranges`` so that words which all run in one direction also stand in it."""
    if steep:
        (_, first), (_, last) = ends(line.baseline)
        directions = {last < first}
    else:
        directions = {is_right_to_left(word.text) for word in line.words}
    return sorted(ranges, reverse=directions.pop()) if len(directions) == 1 else ranges


def _apart(ranges: Sequence[_Range], gap: float) -> list[_Range]:
    """Ranges of neighbours moved apart by ``gap``, or by as much as they can give."""
    order = sorted(range(len(ranges)), key=lambda index: sum(ranges[index]))
    moved = [ranges[index] for index in order]
    for index in range(1, len(moved)):
        (low, high), (next_low, next_high) = moved[index - 1], moved[index]
        centre, next_centre = (low + high) / 2, max((next_low + next_high) / 2, (low + high) / 2 + 2 * _NARROWEST_PX)
        if high > next_low:  # boxes of slanted words reach into each other
            high = next_low = min(max((high + next_low) / 2, centre), next_centre)
        lack = gap - (next_low - high)
        if lack > 0:
            given = min(lack, _GIVEN_PART * (high - low))
            high, next_low = high - given, next_low + min(lack - given, _GIVEN_PART * (next_high - next_low))
        moved[index - 1], moved[index] = (
            (low, max(high, low + _NARROWEST_PX)),
            (next_low, max(next_high, next_low + _NARROWEST_PX)),
        )
    back = dict(zip(order, moved, strict=True))
    return [back[index] for index in range(len(ranges))]


def _span(text: str, line: Line, steep: bool, low: float, high: float) -> tuple[_Point, _Point]:
    """Where a word starts and ends on the baseline, in its own reading direction."""
    start, end = _on_baseline(line.baseline, low, steep), _on_baseline(line.baseline, high, steep)
    first, last = ends(line.baseline)
    backwards = last[1] < first[1] if steep else is_right_to_left(text)
    return (end, start) if backwards else (start, end)


def _deskewed(spans: list[_Span], steep: bool, size_px: float) -> list[_Span]:
    """``spans`` made level where they fall little, and moved towards one height where that makes one line of them.

    No letter moves by more than ``_OFF_EM``.
    """
    across = 0 if steep else 1
    heights = [(start[across] + end[across]) / 2 for start, end in spans]
    most = [_OFF_EM * size_px - abs(end[across] - start[across]) / 2 for start, end in spans]
    middle = statistics.median(heights)
    moved = [at + min(max(middle - at, -reach), reach) for at, reach in zip(heights, most, strict=True)]
    if max(moved) - min(moved) < _ONE_LINE_EM * size_px:
        heights = moved
    return [
        _at_height(span, at, steep) if reach > 0 else span for span, at, reach in zip(spans, heights, most, strict=True)
    ]


def _at_height(span: _Span, at: float, steep: bool) -> _Span:
    (x0, y0), (x1, y1) = span
    return ((at, y0), (at, y1)) if steep else ((x0, at), (x1, at))


def _space_after(text: str) -> str:
    """A space; behind a hyphen one that does not break, or PDFium makes U+0002 of the hyphen at a line's end."""
    return "\u00a0" if text.endswith(("-", "\u00ad")) else " "


def _beyond(start: _Point, end: _Point, distance: float) -> _Point:
    """The point so far behind ``end``, seen from ``start``."""
    length = math.dist(start, end)
    part = distance / length if length else 0.0
    return end[0] + part * (end[0] - start[0]), end[1] + part * (end[1] - start[1])


def _left_to_right(run: Run) -> Run:
    """``run`` as it stands on the page: reversed if it runs leftwards, except for numbers and Latin letters in it."""
    if run.end[0] >= run.start[0]:
        return run
    return Run(reordered(run.clusters), run.end, run.start)


def ends(baseline: Points) -> tuple[_Point, _Point]:
    """Return the first and last point of ``baseline``; for a closed one those of its width."""
    start, end = baseline[0], baseline[-1]
    if start != end:
        return start, end
    box = Box.around(baseline)
    return (box.left, box.bottom), (box.right, box.bottom)


def is_steep(baseline: Points) -> bool:
    """Tell whether a line runs rather up or down than across."""
    (x0, y0), (x1, y1) = ends(baseline)
    return abs(y1 - y0) > abs(x1 - x0)


def _on_baseline(baseline: Points, at: float, steep: bool) -> _Point:
    """The point of the baseline at x = ``at`` (y where it is steep), going on straight beyond its ends."""
    axis = 1 if steep else 0
    points = sorted(set(baseline), key=lambda point: point[axis])
    segments = [(a, b) for a, b in pairwise(points) if a[axis] != b[axis]]
    if not segments:
        return (points[0][0], at) if steep else (at, points[0][1])
    a, b = next((pair for pair in segments if at <= pair[1][axis]), segments[-1])
    part = (at - a[axis]) / (b[axis] - a[axis])
    return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])
