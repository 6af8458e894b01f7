"""Places of fields on a page: boxes of the template on the scan, the lines that run through them, and ink that no line covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.forms.fields import BoxPx
from carrel.forms.registration.register import Matrix, Points, mapped
from carrel.page import Line

MIN_LINE_SHARE = 0.5
"""Share of a line's area, within the columns of a box, that must lie in the box for the line to belong to it."""
MIN_CUT_SHARE = 0.12
"""Share of a line's length, or of the box's width, below which a line only reaches into a box."""
WHOLE_SHARE = 0.9
"""Share of a line's length in a box from which all of it is the box's."""
SAME_ROW = 0.45
"""Heights of a line by which baselines differ in one row."""
INK_DARKER, MIN_INK = 45, 0.004
"""Gray levels by which ink is darker than the box's paper, and the ink from which it holds writing, as a share of a square of its
height: a digit in a wide box is little of it."""
RULING_SHARE, RULING_HEIGHTS, LONGEST_STROKE_SHARE = 0.4, 1.5, 0.85
"""Length of a level ruling in a box, as a share of its width and in its heights: the foot of a 2 in a box of its own is shorter."""
EDGE_SHARE = 0.06
"""Share of a box's width, at both edges, in which an upright stroke may be its frame."""
LEAST_STROKE_SHARE = 0.11
"""Height of the tallest stroke, as a share of the box, below which it holds specks or a leader."""
ABOVE_INK, BELOW_INK = 0.45, 0.35
"""Paper above and below ink that no line was found in, in heights of the ink: digits fill about half of a usual line."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One row of writing in a field: ``baseline`` and ``polygon``, px of the scan, ``(n, 2)``. ``line`` is the page's line that it is
    of, None where it was found by its ink; ``whole`` says that all of that line lies in it."""

    baseline: NDArray[np.float32]
    polygon: NDArray[np.float32]
    line: Line | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """A page's line in px of the template."""

    line: Line
    baseline: Points
    polygon: Points
    extent: tuple[float, float, float, float]
    """Left, top, right, bottom."""

    @property
    def height(self) -> float:
        return self.extent[3] - self.extent[1]


class Places:
    """The lines of a registered page, ready to be asked for those of a box."""

    def __init__(self, matrix: Matrix, gray: NDArray[np.uint8], lines: Sequence[Line]) -> None:
        self._matrix, self._gray = matrix, gray
        back = np.asarray(np.linalg.inv(matrix), np.float64)
        self._lines = [_flat(line, back) for line in lines]

    def quad(self, box: BoxPx) -> Points:
        """Return the corners of a box on the scan, ``(4, 2)``: left top first, clockwise."""
        left, top, right, bottom = box
        return mapped(self._matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64))

    def picture(self, box: BoxPx) -> NDArray[np.uint8]:
        """Return a box as it is on the scan, upright, at the scan's own resolution."""
        import cv2

        quad = self.quad(box)
        width, height = (max(2, round(float(np.hypot(*(quad[k] - quad[0]))))) for k in (1, 3))
        width, height = min(width, 8000), min(height, 8000)
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        low = np.clip(np.floor(quad.min(axis=0)).astype(int) - 2, 0, None)
        high = np.ceil(quad.max(axis=0)).astype(int) + 3
        part = self._gray[low[1] : high[1], low[0] : high[0]]  # OpenCV takes at most 32767 px a side
        if not part.size:
            return np.full((height, width), 255, np.uint8)
        change = cv2.getPerspectiveTransform((quad - low).astype(np.float32), target)
        border = cv2.BORDER_REPLICATE
        warped = cv2.warpPerspective(part, change, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(warped, np.uint8)

    def strips(self, box: BoxPx, labels: Sequence[BoxPx] = ()) -> list[Strip]:
        """Return the rows of writing in a box, from top to bottom; without any, by its ink. ``labels`` are printed words."""
        cut = [found for line in self._lines if (found := _cut(line, box)) and not _is_label(found, labels)]
        if cut:
            return [self._joined(row, box) for row in _rows(cut)]
        found = self._by_ink(box, labels)
        return [found] if found else []

    def _joined(self, row: Sequence[tuple[_Flat, Points, Points]], box: BoxPx) -> Strip:
        """The pieces of a row as one strip."""
        row = sorted(row, key=lambda piece: piece[1][0, 0])
        baseline = np.concatenate([piece[1] for piece in row])
        baseline = baseline[np.concatenate(([True], np.diff(baseline[:, 0]) > 0.5))]
        if len(row) == 1:
            polygon, line = row[0][2], row[0][0]
            share = np.ptp(row[0][1][:, 0]) / max(float(np.ptp(line.baseline[:, 0])), 1.0)
            return self._on_scan(baseline, polygon, line.line, whole=bool(share >= WHOLE_SHARE))
        points = np.concatenate([piece[2] for piece in row])
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        longest = max(row, key=lambda piece: np.ptp(piece[1][:, 0]))
        return self._on_scan(baseline, polygon, longest[0].line, whole=False)

    def _on_scan(self, baseline: Points, polygon: Points, line: Line | None, *, whole: bool) -> Strip:
        if len(baseline) < 2:
            further = np.array([max(4.0, float(np.ptp(polygon[:, 0]))), 0.0])
            baseline = np.vstack([baseline, baseline[-1:] + further])
        points = mapped(self._matrix, np.vstack([baseline, polygon])).astype(np.float32)
        return Strip(points[: len(baseline)], points[len(baseline) :], line, whole)

    def _by_ink(self, box: BoxPx, labels: Sequence[BoxPx]) -> Strip | None:
        """The writing in a box by its ink, without what runs along its edges and without printed labels."""
        picture = self.picture(box)
        height, width = picture.shape
        ink = without_frame(ink_mask(picture))
        sx, sy = width / (box[2] - box[0]), height / (box[3] - box[1])
        for left, top, right, bottom in labels:
            x1, x2 = (round((x - box[0]) * sx) for x in (left, right))
            y1, y2 = (round((y - box[1]) * sy) for y in (top, bottom))
            ink[max(0, y1 - 3) : max(0, y2 + 3), max(0, x1 - 3) : max(0, x2 + 3)] = 0
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if not holds_writing(ink):
            return None
        tall = float(np.ptp(rows) + 1)
        top, bottom = rows[0] - ABOVE_INK * tall, rows[-1] + 1 + BELOW_INK * tall
        left, right = columns[0] - 0.4 * tall, columns[-1] + 1 + 0.4 * tall
        polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        baseline = np.array([[left, rows[-1] + 1.0], [right, rows[-1] + 1.0]])
        scale, corner = np.array([sx, sy]), np.array(box[:2])
        return self._on_scan(baseline / scale + corner, polygon / scale + corner, None, whole=False)


def ink_mask(picture: NDArray[np.uint8], paper: float = 0.0) -> NDArray[np.uint8]:
    """Return the ink of a small picture, uint8 ``(h, w)``: 1 where it is clearly darker than the paper (its median, or what is
    known to be ``paper`` where that is lighter)."""
    paper = max(paper, float(np.median(picture)))
    return (picture < paper - INK_DARKER).astype(np.uint8)


def holds_writing(ink: NDArray[np.uint8]) -> bool:
    """Tell whether the ink of a box, uint8 ``(h, w)``, is more than specks and a leader of dots."""
    import cv2

    height = ink.shape[0]
    if ink.sum() < MIN_INK * height**2:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    return bool((stats[1:, cv2.CC_STAT_HEIGHT] >= LEAST_STROKE_SHARE * height).any())


def without_frame(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ink without what runs along an edge for most of its length, without strokes that only reach in, and without specks."""
    import cv2

    height, width = ink.shape
    along = min(LONGEST_STROKE_SHARE * width, max(RULING_SHARE * width, RULING_HEIGHTS * height))
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, max(9, round(along))), np.uint8))
    upright = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((max(9, round(0.6 * height)), 1), np.uint8))
    across = max(3, round(EDGE_SHARE * width))
    upright[:, across : width - across] = 0
    runs = cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8))
    rest = np.where(runs > 0, np.uint8(0), ink)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
    found = rest.copy()
    for n in range(1, count):
        left, top, wide, tall, area = (int(v) for v in stats[n])
        touches = left <= 1 or top <= 1 or left + wide >= width - 1 or top + tall >= height - 1
        sliver = touches and (wide < min(0.04 * width, 0.2 * height) or tall < 0.12 * height)
        if area < 4 or sliver:
            found[labels == n] = 0
    return found


def _flat(line: Line, back: Matrix) -> _Flat:
    polygon = mapped(back, np.array(line.polygon, np.float64))
    left, top, right, bottom = [*polygon.min(axis=0).tolist(), *polygon.max(axis=0).tolist()]
    return _Flat(line, mapped(back, np.array(line.baseline, np.float64)), polygon, (left, top, right, bottom))


def _cut(line: _Flat, box: BoxPx) -> tuple[_Flat, Points, Points] | None:
    """A line's baseline and polygon in a box; None where it does not belong to it."""
    left, top, right, bottom = box
    if line.extent[1] >= bottom or line.extent[3] <= top or line.extent[0] >= right or line.extent[2] <= left:
        return None
    baseline = _between(line.baseline, left, right)
    if baseline is None:
        return None
    length = float(np.ptp(baseline[:, 0]))
    if length < MIN_CUT_SHARE * min(right - left, max(float(np.ptp(line.baseline[:, 0])), 1.0)):
        return None
    if not top <= baseline[:, 1].mean() - 0.2 * line.height <= bottom:
        return None
    columns = _clipped(line.polygon, (left, -1e6, right, 1e6))
    inside = _clipped(columns, (left, top, right, bottom))
    if len(columns) < 3 or len(inside) < 3 or _area(inside) < MIN_LINE_SHARE * _area(columns):
        return None
    return line, baseline, columns


def _is_label(found: tuple[_Flat, Points, Points], labels: Sequence[BoxPx]) -> bool:
    """Whether all of a cut line lies on printed labels of the template."""
    (left, top), (right, bottom) = found[2].min(axis=0), found[2].max(axis=0)
    covered = sum(
        max(0.0, min(right, box[2]) - max(left, box[0]))
        for box in labels
        if min(bottom, box[3]) - max(top, box[1]) > 0.5 * (box[3] - box[1])
    )
    return covered > 0.75 * (right - left)


def _between(baseline: Points, left: float, right: float) -> Points | None:
    order = np.argsort(baseline[:, 0], kind="stable")
    x, y = baseline[order].T
    low, high = max(left, float(x[0])), min(right, float(x[-1]))
    if high - low < 1.0:
        return None
    inner = (x > low) & (x < high)
    at = np.concatenate(([low], x[inner], [high]))
    return np.stack([at, np.interp(at, x, y)], axis=1)


def _rows(cut: Sequence[tuple[_Flat, Points, Points]]) -> list[list[tuple[_Flat, Points, Points]]]:
    rows: list[list[tuple[_Flat, Points, Points]]] = []
    for piece in sorted(cut, key=lambda piece: float(piece[1][:, 1].mean())):
        before = rows[-1][-1] if rows else None
        if before and piece[1][:, 1].mean() - before[1][:, 1].mean() < SAME_ROW * min(
            piece[0].height, before[0].height
        ):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return rows


def _clipped(polygon: Points, box: tuple[float, float, float, float]) -> Points:
    """A polygon within an upright box; I. Sutherland, G. Hodgman, doi:10.1145/360767.360802."""
    for axis, bound, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        if len(polygon) < 3:
            break
        before = np.roll(polygon, 1, axis=0)
        b = sign * (polygon[:, axis] - bound)
        a = np.roll(b, 1)
        crosses = (a < 0) != (b < 0)
        met = before + (polygon - before) * (a / np.where(crosses, a - b, 1.0))[:, None]
        polygon = np.stack([met, polygon], axis=1)[np.stack([crosses, b >= 0], axis=1)]
    return polygon


def _area(polygon: Points) -> float:
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
