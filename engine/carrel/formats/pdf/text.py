"""Invisible text over the ink as PDF operators: every word at its place, lines in reading order for every reader."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from carrel.formats.pdf.font import ADVANCE_EM, Codes
from carrel.formats.pdf.spans import SMALLEST_PX, PlacedLine, Run, ends, place_line, with_gap
from carrel.page import Line, Page

_TALLER = 1.15  # type than ink: poppler joins what stands within half an em of height to one line
_ROUNDING_PX = 1.0
_ALIKE = (0.6, 1.6)  # heights that share one size of type, as parts of the region's


def placed_lines(page: Page) -> list[PlacedLine]:
    """Return the lines of ``page`` that have words, as they are to be written."""
    placed: list[PlacedLine] = []
    for region in page.regions:
        lines = [line for line in region.lines if line.words]
        heights = [_height_px(line) for line in lines]
        common = statistics.median(heights) if heights else 0.0
        for line, height in zip(lines, heights, strict=True):
            alike = _ALIKE[0] * common <= height <= _ALIKE[1] * common
            placed.append(place_line(line, max(_TALLER * (common if alike else height), SMALLEST_PX)))
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


class _Letter(NamedTuple):
    """Where a run starts, in px, and how wide PDFium takes its letters to be: stretched or not, whichever is more."""

    x: float
    y: float
    width: float

    def on_row_of(self, other: _Letter) -> bool:
        return abs(self.y - other.y) <= max(self.width, other.width) / 2 + _ROUNDING_PX


class _Row:
    """What PDFium takes for one row so far: it sorts text objects of one height by x before it reads them."""

    def __init__(self) -> None:
        self._letters: list[_Letter] = []

    def add(self, runs: Sequence[Run], size_px: float) -> None:
        for letter in (_letter(run, size_px) for run in runs):
            if self._letters and not letter.on_row_of(self._letters[-1]):
                self._letters = []
            self._letters.append(letter)
            self._letters.sort()

    def divider(self, line: PlacedLine, height_px: int) -> Run | None:
        """Return a space away from the row and from ``line`` where they would mix: it ends the row."""
        first = _letter(line.runs[0], line.size_px)
        if not self._letters or not first.on_row_of(self._letters[-1]):
            return None
        last = self._letters[-1]
        if min(run.start[0] for run in line.runs) >= last.x:
            return None
        distance = max(last.width, first.width, ADVANCE_EM * line.size_px) / 2 + 2 * _ROUNDING_PX
        below, above = max(last.y, first.y) + distance, min(last.y, first.y) - distance
        y = below if below < height_px else above
        return Run([" "], (last.x, y), (last.x + 1.0, y))


def _letter(run: Run, size_px: float) -> _Letter:
    return _Letter(*run.start, max(math.dist(run.start, run.end) / len(run.clusters), ADVANCE_EM * size_px))


def text_operators(page: Page, points_per_px: float, codes: Codes) -> Iterator[list[str]]:
    """Return for each line of ``page`` that has words the PDF operators that show it unseen; to stand between BT and ET."""
    row = _Row()
    for line in placed_lines(page):
        divider = row.divider(line, page.height_px)
        runs = [divider, *line.runs] if divider else line.runs
        row.add(runs, line.size_px)
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
