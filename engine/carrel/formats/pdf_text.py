"""Invisible text over the ink: where each word of a line starts, in which direction it runs, how long it is.

Words follow their line's baseline, slanted and bent ones too; their letters share the word's length evenly.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple
from unicodedata import bidirectional

from carrel.formats.pdf_font import ADVANCE_EM, Codes, clusters
from carrel.formats.placing import is_right_to_left
from carrel.page import Box, Line, Points

_NARROWEST_EM = 0.05
_GAP_EM = 0.2
_SMALLEST_PX = 4.0
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
_FORWARDS = ("L", "EN", "AN")
_Point = tuple[float, float]


class Run(NamedTuple):
    """Clusters of text from ``start`` to ``end``, in px of the scan, on the line's foot."""

    clusters: list[str]
    start: _Point
    end: _Point


def letter_size_px(line: Line, runs: list[Run]) -> float:
    """The size of type for ``line``: its polygon's height, at most what its letters' width suggests.

    A tall size makes gaps look narrow, and viewers then join words: poppler wants gaps of 0.15 em.
    """
    (x0, y0), (x1, y1) = _ends(line.baseline)
    length = math.dist((x0, y0), (x1, y1))
    across = [((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length for x, y in line.polygon]
    height = _middle([distance for distance in across if distance > 0]) - _middle([d for d in across if d <= 0])
    widths = [math.dist(run.start, run.end) / len(run.clusters) for run in runs if run.clusters != [" "]]
    return max(min(height, statistics.median(widths) / ADVANCE_EM), _SMALLEST_PX)


def _middle(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def _ends(baseline: Points) -> tuple[_Point, _Point]:
    start, end = baseline[0], baseline[-1]
    if start != end:
        return start, end
    box = Box.around(baseline)
    return (box.left, box.bottom), (box.right, box.bottom)


def line_runs(line: Line) -> list[Run]:
    """The words of ``line`` in reading order, each followed by a space that fills the gap to the next.

    Letters that are read from right to left are written as they stand from left to right: viewers turn them round.
    """
    if not line.words:
        return []
    steep = _is_steep(line.baseline)
    ranges = _without_overlaps([(w.box.top, w.box.bottom) if steep else (w.box.left, w.box.right) for w in line.words])
    spans = [_span(word.text, line, steep, *reach) for word, reach in zip(line.words, ranges, strict=True)]
    runs: list[Run] = []
    for index, (word, (start, end)) in enumerate(zip(line.words, spans, strict=True)):
        runs.append(Run(clusters(word.text), start, end))
        runs.append(Run([" "], end, spans[index + 1][0] if index + 1 < len(spans) else end))
    return runs if steep else [_left_to_right(run) for run in runs]


def _left_to_right(run: Run) -> Run:
    """``run`` as it stands on the page: reversed if it runs leftwards, except for numbers and Latin letters in it."""
    if run.end[0] >= run.start[0]:
        return run
    turned: list[str] = []
    for backwards, members in groupby(run.clusters, key=lambda cluster: bidirectional(cluster[0]) not in _FORWARDS):
        group = list(members)
        turned = ([cluster.translate(_MIRRORED) for cluster in reversed(group)] if backwards else group) + turned
    return Run(turned, run.end, run.start)


def _is_steep(baseline: Points) -> bool:
    (x0, y0), (x1, y1) = _ends(baseline)
    return abs(y1 - y0) > abs(x1 - x0)


def _without_overlaps(ranges: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Ranges of neighbours that reach into each other, as boxes of slanted words do, cut in the middle."""
    cut: list[tuple[float, float]] = [(float(low), float(high)) for low, high in ranges]
    for index in range(1, len(cut)):
        (low, high), (next_low, next_high) = cut[index - 1], cut[index]
        if low < next_low < high < next_high:
            middle = (next_low + high) / 2
            cut[index - 1], cut[index] = (low, middle), (middle, next_high)
        elif next_low < low < next_high < high:
            middle = (low + next_high) / 2
            cut[index - 1], cut[index] = (middle, high), (next_low, middle)
    return cut


def _span(text: str, line: Line, steep: bool, low: float, high: float) -> tuple[_Point, _Point]:
    """Where a word starts and ends on the baseline, in its own reading direction."""
    start, end = _on_baseline(line.baseline, low, steep), _on_baseline(line.baseline, high, steep)
    first, last = _ends(line.baseline)
    backwards = last[1] < first[1] if steep else is_right_to_left(text)
    return (end, start) if backwards else (start, end)


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


def line_operators(line: Line, height_px: int, points_per_px: float, codes: Codes) -> Iterator[str]:
    """PDF operators that show ``line`` unseen; to stand between BT and ET."""
    runs = line_runs(line)
    size_px = letter_size_px(line, runs)
    size = size_px * points_per_px
    yield f"/F1 {size:.3f} Tf"
    for run in _with_gaps(runs, size_px):
        (x0, y0), (x1, y1) = run.start, run.end
        dx, dy = (x1 - x0) * points_per_px, (y0 - y1) * points_per_px
        length = max(math.hypot(dx, dy), _NARROWEST_EM * size)
        cosine, sine = _direction(dx, dy)
        left, up = _upright(cosine, sine)
        x, y = x0 * points_per_px, (height_px - y0) * points_per_px
        text = "".join(codes.encode(cluster) for cluster in run.clusters)
        yield f"{100 * length / (len(run.clusters) * ADVANCE_EM * size):.3f} Tz"
        yield f"{cosine:.5f} {sine:.5f} {left:.5f} {up:.5f} {x:.3f} {y:.3f} Tm <{text}> Tj"


def _with_gaps(runs: list[Run], size_px: float) -> list[Run]:
    """``runs`` with words that end earlier where the gap behind them is too narrow to be seen as one."""
    spaced = list(runs)
    for index in range(1, len(runs), 2):
        word, space = spaced[index - 1], spaced[index]
        length = math.dist(word.start, word.end)
        wanted = _GAP_EM * size_px - math.dist(space.start, space.end)
        if wanted > 0 and length:
            part = max(1 - wanted / length, 0.5)
            end = tuple(a + part * (b - a) for a, b in zip(word.start, word.end, strict=True))
            spaced[index - 1] = word._replace(end=(end[0], end[1]))
            spaced[index] = space._replace(start=(end[0], end[1]))
    return spaced


def _direction(dx: float, dy: float) -> tuple[float, float]:
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length else (1.0, 0.0)


def _upright(cosine: float, sine: float) -> tuple[float, float]:
    """The direction of letters' height: to the left of the text, for text that runs leftwards to its right."""
    return (sine, -cosine) if cosine < -abs(sine) else (-sine, cosine)
