"""Invisible text over the ink as PDF operators: every word at its place, lines in reading order for every reader."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from carrel.formats.pdf_font import ADVANCE_EM, Codes
from carrel.formats.pdf_spans import SMALLEST_PX, PlacedLine, Run, ends, place_line, with_gap
from carrel.page import Line, Page

_ALIKE = (0.6, 1.6)  # heights that share one size of type, as parts of the region's


def placed_lines(page: Page) -> list[PlacedLine]:
    """The lines of ``page`` that have words, as they are to be written."""
    placed: list[PlacedLine] = []
    for region in page.regions:
        lines = [line for line in region.lines if line.words]
        heights = [_height_px(line) for line in lines]
        common = statistics.median(heights) if heights else 0.0
        for line, height in zip(lines, heights, strict=True):
            alike = _ALIKE[0] * common <= height <= _ALIKE[1] * common
            placed.append(place_line(line, max(common if alike else height, SMALLEST_PX)))
    for index in range(1, len(placed)):
        placed[index - 1], placed[index] = with_gap(placed[index - 1], placed[index])
    return placed


def _height_px(line: Line) -> float:
    """How high the ink of ``line`` reaches, across its direction: between the middles of its upper and lower edge."""
    (x0, y0), (x1, y1) = ends(line.baseline)
    length = math.dist((x0, y0), (x1, y1))
    across = [((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length for x, y in line.polygon]
    return _middle([distance for distance in across if distance > 0]) - _middle([d for d in across if d <= 0])


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


class _Row:
    """What PDFium takes for one row so far: it sorts text objects of one height by x before it reads them."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def add(self, run: Run) -> None:
        if self._runs and not _same_height(self._runs[-1], run):
            self._runs = []
        self._runs.append(run)
        self._runs.sort(key=lambda one: one.start[0])

    def would_mix(self, line: PlacedLine) -> bool:
        """Whether ``line``'s words would be sorted in among those before."""
        if not self._runs or not _same_height(self._runs[-1], line.runs[0]):
            return False
        return min(run.start[0] for run in line.runs) < self._runs[-1].start[0]

    def divider(self, line: PlacedLine, height_px: int) -> Run:
        """A space at another height than the row and ``line``, which ends the row."""
        last, first = self._runs[-1], line.runs[0]
        distance = max(_advance(last), _advance(first)) / 2 + 2.0
        x, below, above = last.start[0], max(last.start[1], first.start[1]), min(last.start[1], first.start[1])
        y = below + distance if below + distance < height_px else above - distance
        return Run([" "], (x, y), (x + 1.0, y))


def _same_height(before: Run, run: Run) -> bool:
    return abs(run.start[1] - before.start[1]) <= max(_advance(before), _advance(run)) / 2 + 1.0


def _advance(run: Run) -> float:
    return math.dist(run.start, run.end) / len(run.clusters)


def text_operators(page: Page, points_per_px: float, codes: Codes) -> Iterator[list[str]]:
    """For each line of ``page`` that has words the PDF operators that show it unseen; to stand between BT and ET."""
    row = _Row()
    for line in placed_lines(page):
        runs = line.runs
        if row.would_mix(line):
            runs = [row.divider(line, page.height_px), *runs]
        for run in runs:
            row.add(run)
        size = line.size_px * points_per_px
        operators = [_run_operators(run, size, page.height_px, points_per_px, codes) for run in runs]
        yield [f"/F1 {size:.3f} Tf", *operators]


def _run_operators(run: Run, size: float, height_px: int, points_per_px: float, codes: Codes) -> str:
    (x0, y0), (x1, y1) = run.start, run.end
    dx, dy = (x1 - x0) * points_per_px, (y0 - y1) * points_per_px
    length = max(math.hypot(dx, dy), 0.02 * size)
    cosine, sine = (dx / length, dy / length) if dx or dy else (1.0, 0.0)
    left, up = _upright(cosine, sine)
    x, y = x0 * points_per_px, (height_px - y0) * points_per_px
    text = "".join(codes.encode(cluster) for cluster in run.clusters)
    stretch = f"{100 * length / (len(run.clusters) * ADVANCE_EM * size):.3f} Tz"
    return f"{stretch} {cosine:.5f} {sine:.5f} {left:.5f} {up:.5f} {x:.3f} {y:.3f} Tm <{text}> Tj"


def _upright(cosine: float, sine: float) -> tuple[float, float]:
    """The direction of letters' height: to the left of the text, for text that runs leftwards to its right."""
    return (sine, -cosine) if cosine < -abs(sine) else (-sine, cosine)
