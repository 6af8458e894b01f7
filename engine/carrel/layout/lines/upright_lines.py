"""Lines that run up or down an upright page, as notes in a margin do: found in ink that no line covers, turned level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink, Mask
from carrel.layout.lines.heatmaps import ScoredBaseline, segmenter_input, trace_baselines
from carrel.layout.page_ink import PageInk
from carrel.layout.types import FoundLine, FoundRegion, Heatmaps, Points, TableArea, extent_of, ring_of

LONG_X_HEIGHTS = 5.0  # of lines that stay: shorter ones may be letters of an upright line
MAX_COVERED = 0.3  # of a letter's ink by lines
LETTER_X_HEIGHTS = (0.4, 3.5)  # least longer side, and width
WORD_X_HEIGHTS = 14.0  # height of connected letters
STROKE_WIDTH, STROKE_HEIGHT = 0.4, 2.5  # x-heights: what is thinner and longer is a rest of a ruling
GAP_X_HEIGHTS, SIDE_GAP_X_HEIGHTS = 1.3, 0.7  # along and across: farther apart stand lines over each other
MIN_LENGTH_X_HEIGHTS, MIN_LETTERS, MIN_ASPECT = 8.0, 4, 3.0
MAX_INK_SHARE = 0.25  # of the page: more is a page on its side
MAX_GROUPS = 6
INPUT_X_HEIGHT_PX = 12.0
MIN_PROBABILITY = 0.75
MIN_FILLED_SHARE = 0.6  # of a group's length by its lines
SHORT_X_HEIGHTS, MIN_INSIDE_SHARE = 8.0, 0.3  # of level lines that are letters of upright ones
ABOVE, BELOW, BESIDE = 1.9, 0.9, 0.6  # the polygon, in x-heights from the baseline and its ends


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """A part of the page at ``corner`` (x, y), turned so that what runs up (or down) runs level."""

    gray: NDArray[np.uint8]
    corner: tuple[int, int]
    runs_up: bool

    def on_page(self, points: Points) -> Points:
        """Return points ``(n, 2)`` of the turned part on the page."""
        height, width = self.gray.shape
        x, y = points.T
        turned = (y, width - 1 - x) if self.runs_up else (height - 1 - y, x)
        return (np.stack(turned, 1) + self.corner).astype(np.float32)


def add_upright_lines(
    page: PageInk, lines: Sequence[FoundLine], heatmaps: Heatmaps, table: TableArea | None = None
) -> tuple[list[FoundLine], list[FoundRegion]]:
    """Find the lines that run up or down a page beside its level ``lines``, px of the page.

    Cells of the ``table``, px of the page, are no letters of upright lines: numbers of rows stand over each other like these.

    Returns
    -------
    list of FoundLine
        The level lines, without short ones that are letters of upright lines.
    list of FoundRegion
        A MarginTextZone for each block of upright lines; their direction is the likelier one by their look alone.
    """
    kept = list(lines)
    if not kept:
        return kept, []
    unit = median([line.x_height_px for line in kept])  # px of the page
    zones: list[FoundRegion] = []
    level = [line for line in kept if _is_long(line) or _is_cell(line, table)]
    for group, box in _groups(page.ink, level, unit):
        zone = _zone(page, group, box, unit, heatmaps)
        if zone is not None:
            zones.append(zone)
            kept = [line for line in kept if not _is_letter_of(line, zone, unit)]
    return kept, zones


def _is_long(line: FoundLine) -> bool:
    return bool(np.ptp(line.baseline[:, 0]) > LONG_X_HEIGHTS * line.x_height_px)


def _is_cell(line: FoundLine, table: TableArea | None) -> bool:
    if table is None:
        return False
    x, y = line.baseline.mean(axis=0)
    return bool(table.left <= x <= table.right and table.top <= y <= table.bottom)


def _groups(ink: Ink, level: Sequence[FoundLine], unit: float) -> list[tuple[Mask, tuple[int, int, int, int]]]:
    """Tall narrow groups of letters that no ``level`` line covers: their masks at working resolution, and their boxes there."""
    small = unit * ink.scale
    letters = _free_letters(ink, level, small)
    if int(letters.sum()) < MIN_LETTERS:
        return []
    reach = (max(3, round(GAP_X_HEIGHTS * small)), max(1, round(SIDE_GAP_X_HEIGHTS * small)))
    rows, columns = _around(ink.parts.stats[letters], reach, ink.parts.shape)
    mask = ink.parts.kept(letters).mask()[rows, columns]
    joined = cv2.dilate(mask, np.ones(reach, np.uint8)).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    tall = boxes[:, cv2.CC_STAT_HEIGHT] > np.maximum(
        MIN_LENGTH_X_HEIGHTS * small, MIN_ASPECT * boxes[:, cv2.CC_STAT_WIDTH]
    )
    tall[0] = False
    x, y = (ink.parts.stats[letters, k] + ink.parts.stats[letters, k + 2] // 2 for k in (0, 1))
    counts = np.bincount(labels[y - rows.start, x - columns.start], minlength=len(boxes))
    chosen = np.flatnonzero(tall & (counts >= MIN_LETTERS))
    written = sum(cv2.countNonZero(mask & (labels == k).astype(np.uint8)) for k in chosen)
    if len(chosen) > MAX_GROUPS or written > MAX_INK_SHARE * ink.parts.stats[1:, cv2.CC_STAT_AREA].sum():
        return []
    groups: list[tuple[Mask, tuple[int, int, int, int]]] = []
    for k in chosen:
        group = np.zeros(ink.parts.shape, np.uint8)
        group[rows, columns] = labels == k
        left, top = int(boxes[k, 0]) + columns.start, int(boxes[k, 1]) + rows.start
        groups.append((group, (left, top, left + int(boxes[k, 2]), top + int(boxes[k, 3]))))
    return groups


def _around(boxes: NDArray[np.int32], reach: tuple[int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a page of this ``shape`` that hold all boxes, and ``reach`` (rows, columns) more on every side."""
    left, top, width, height, _ = boxes.T
    return (
        slice(max(0, int(top.min()) - reach[0]), min(shape[0], int((top + height).max()) + reach[0])),
        slice(max(0, int(left.min()) - reach[1]), min(shape[1], int((left + width).max()) + reach[1])),
    )


def _free_letters(ink: Ink, level: Sequence[FoundLine], small: float) -> NDArray[np.bool_]:
    """Which components of ink are of the size of letters, or of words on end, and in no level line; bool (k,)."""
    covered = np.zeros(ink.mask.shape, np.uint8)
    for line in level:
        cv2.fillPoly(covered, [np.rint(line.polygon * ink.scale).astype(np.int32)], (1,))
    width, height = ink.parts.stats[:, cv2.CC_STAT_WIDTH], ink.parts.stats[:, cv2.CC_STAT_HEIGHT]
    letters = np.maximum(width, height) > LETTER_X_HEIGHTS[0] * small
    letters &= (width < LETTER_X_HEIGHTS[1] * small) & (height < WORD_X_HEIGHTS * small)
    letters &= (width > STROKE_WIDTH * small) | (height < STROKE_HEIGHT * small)
    letters[0] = False
    return letters & (ink.parts.shares_within(covered) < MAX_COVERED)


def _zone(
    page: PageInk, group: Mask, box: tuple[int, int, int, int], unit: float, heatmaps: Heatmaps
) -> FoundRegion | None:
    """The lines of a group, in the direction in which the segmenter sees them better; None where they do not fill it."""
    scale = min(1.0, INPUT_X_HEIGHT_PX / unit)
    found = [
        (turned, [f for f in trace_baselines(heatmaps(segmenter_input(turned.gray, scale))) if _is_line(f)])
        for turned in _turned(page, group, box, unit)
    ]
    turned, best = max(found, key=lambda pair: sum(_length(f) * f.probability for f in pair[1]))
    if max((_length(f) for f in best), default=0.0) < MIN_FILLED_SHARE * scale * (box[3] - box[1]) / page.ink.scale:
        return None
    best.sort(key=lambda f: float(f.candidate.y.mean()))
    lines = tuple(_placed(f, turned, scale) for f in best)
    return FoundRegion("MarginTextZone", ring_of(extent_of(line.polygon for line in lines)), lines)


def _is_line(found: ScoredBaseline) -> bool:
    return found.probability >= MIN_PROBABILITY and _length(found) > LONG_X_HEIGHTS * found.x_height_px


def _length(found: ScoredBaseline) -> float:
    return float(found.candidate.x[-1] - found.candidate.x[0])


def _turned(page: PageInk, group: Mask, box: tuple[int, int, int, int], unit: float) -> list[_Turned]:
    """The group alone on white, turned both ways."""
    scale = page.ink.scale
    height, width = page.gray.shape
    left, top = (max(0, int(side / scale - 2 * unit)) for side in box[:2])
    right, bottom = min(width, int(box[2] / scale + 2 * unit)), min(height, int(box[3] / scale + 2 * unit))
    size = (group.shape[1], group.shape[0])
    own = cv2.dilate(group, np.ones((max(1, round(unit * scale)) | 1,) * 2, np.uint8))
    whole = cv2.resize(own, (width, height), interpolation=cv2.INTER_NEAREST) if size != (width, height) else own
    part = np.where(whole[top:bottom, left:right] > 0, page.gray[top:bottom, left:right], 255).astype(np.uint8)
    return [
        _Turned(np.ascontiguousarray(np.rot90(part, -1)), (left, top), True),
        _Turned(np.ascontiguousarray(np.rot90(part, 1)), (left, top), False),
    ]


def _placed(found: ScoredBaseline, turned: _Turned, scale: float) -> FoundLine:
    x, y = found.candidate.x / scale, found.candidate.y / scale
    unit = found.x_height_px / scale
    knots = np.unique(np.linspace(0, len(x) - 1, 8).astype(int))
    x, y = x[knots], y[knots]
    ends = np.concatenate(([x[0] - BESIDE * unit], x, [x[-1] + BESIDE * unit]))
    base = np.concatenate((y[:1], y, y[-1:]))
    ring = np.concatenate((np.stack((ends, base - ABOVE * unit), 1), np.stack((ends, base + BELOW * unit), 1)[::-1]))
    limit = (turned.gray.shape[1] - 1, turned.gray.shape[0] - 1)
    baseline, polygon = (turned.on_page(np.clip(points, 0, limit)) for points in (np.stack((x, y), 1), ring))
    return FoundLine(baseline, polygon, unit)


def _is_letter_of(line: FoundLine, zone: FoundRegion, unit: float) -> bool:
    """Tell whether a short level line is made of letters of upright ones, and maybe of what stands beside them."""
    if float(np.ptp(line.baseline[:, 0])) > SHORT_X_HEIGHTS * max(unit, line.x_height_px):
        return False
    along = np.linspace(line.baseline[0], line.baseline[-1], 9) - (0, 0.5 * line.x_height_px)
    inside = [cv2.pointPolygonTest(zone.polygon, (float(x), float(y)), True) >= -unit for x, y in along]
    return float(np.mean(inside)) >= MIN_INSIDE_SHARE
