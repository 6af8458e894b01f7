"""Initials: a letter as tall as the first lines of its paragraph stands at their head, and is a line of its own before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.components import Components
from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline
from carrel.layout.types import Boxes, FoundLine, FoundRegion, extent_of, ring_of

HEIGHT_X_HEIGHTS = (2.8, 12.0)
WIDTH_SHARES = (0.35, 1.8)  # of the height: braces are narrower
MIN_LINES = 2  # beside an initial
MIN_LINE_HEIGHTS = 3.0  # length of these, in heights of the initial
BEFORE_X_HEIGHTS, BEHIND_X_HEIGHTS = 1.0, 2.5  # of an initial's edges: where lines beside it begin
MIN_STROKE_X_HEIGHTS = 0.5  # width of the thickest stroke
MIN_ROW_X_HEIGHTS = 0.4  # ink in each row but near head and foot
"""Letters of two lines of a hand that join are thinner, or hang together by a thread."""
MIDDLE = (0.2, 0.8)  # of the height
MIN_OWN_INK = 0.8  # of the ink in its box
SIDE_X_HEIGHTS, START_X_HEIGHTS = 0.3, 0.45  # of paper around an initial, and to where lines behind it begin
ABOVE_X_HEIGHTS = 2.5  # where a small letter stands in the place of an initial, the first line is above it
MIN_REST_X_HEIGHTS = 4.0  # of a line behind an initial


def part_initials(baselines: Sequence[Baseline], ink: Ink) -> tuple[list[Baseline], Boxes, Ink]:
    """Separate initials from the lines that they stand before, working px.

    Returns
    -------
    list of Baseline
        The lines; those beside an initial begin behind it.
    ndarray of float64, (n, 4)
        Left, top, right and bottom of each initial.
    Ink
        The ink without them.
    """
    kept, boxes, parts = list(baselines), [], ink.parts
    taken = np.zeros(len(parts.stats), bool)
    unit = median([baseline.x_height_px for baseline in kept])
    for number in _candidates(parts, unit):
        left, top, wide, high, _ = (int(side) for side in parts.stats[number])
        beside = [k for k, one in enumerate(kept) if _begins_beside(one, left, top, left + wide, top + high)]
        if len(beside) < MIN_LINES or not _is_letter(ink, parts.stats[number], unit):
            continue
        taken[number] = True
        boxes.append((left, top, left + wide, top + high))
        for k in beside:
            kept[k] = _behind(kept[k], left + wide + START_X_HEIGHTS * unit)
    if not boxes:
        return kept, np.zeros((0, 4)), ink
    rest = parts.kept(~taken)
    return kept, np.array(boxes, np.float64), replace(ink, parts=rest, mask=rest.mask())


def _candidates(parts: Components, unit: float) -> NDArray[np.int64]:
    """Components of an initial's size, for small letters of ``unit`` px."""
    width, height = parts.stats[:, cv2.CC_STAT_WIDTH], parts.stats[:, cv2.CC_STAT_HEIGHT]
    large = (height > HEIGHT_X_HEIGHTS[0] * unit) & (height < HEIGHT_X_HEIGHTS[1] * unit)
    large &= (width > WIDTH_SHARES[0] * height) & (width < WIDTH_SHARES[1] * height)
    large[0] = False
    return np.flatnonzero(large)


def _begins_beside(baseline: Baseline, left: float, top: float, right: float, bottom: float) -> bool:
    """Tell whether a long line begins at, or close behind, an initial that its small letters stand beside."""
    unit, start = baseline.x_height_px, float(baseline.x[0])
    middle = float(baseline.y[0]) - 0.5 * unit
    is_long = baseline.x[-1] - right > MIN_LINE_HEIGHTS * (bottom - top)
    begins = left - BEFORE_X_HEIGHTS * unit < start < right + BEHIND_X_HEIGHTS * unit
    return bool(is_long and begins and top - 0.5 * unit < middle < bottom)


def _is_letter(ink: Ink, stats: NDArray[np.int32], unit: float) -> bool:
    """Tell whether a component is one bold letter, with hardly any other ink in its box or close beside it."""
    left, top, wide, high, area = (int(side) for side in stats)
    aside = max(1, round(SIDE_X_HEIGHTS * unit))
    box = ink.mask[top : top + high, max(0, left - aside) : left + wide + aside]
    if area < MIN_OWN_INK * cv2.countNonZero(box):
        return False
    first, last = (round(share * high) for share in MIDDLE)
    thinnest = int(box[first:last].sum(axis=1).min())
    thickest = 2.0 * float(cv2.distanceTransform(box, cv2.DIST_L2, 3).max())
    return thinnest >= MIN_ROW_X_HEIGHTS * unit and thickest >= MIN_STROKE_X_HEIGHTS * unit


def _behind(baseline: Baseline, start: float) -> Baseline:
    """The line from ``start`` on."""
    rest = baseline.x >= start
    if baseline.x[-1] - start < MIN_REST_X_HEIGHTS * baseline.x_height_px:
        return baseline
    return Baseline(baseline.x[rest], baseline.y[rest], baseline.x_height_px)


def with_initials(regions: Sequence[FoundRegion], boxes: Boxes) -> tuple[FoundRegion, ...]:
    """Put initials ``(n, 4)``, px of the page, into the regions as lines, each before the first of the lines behind it."""
    placed = list(regions)
    for box in boxes:
        left, top, right, bottom = box
        behind = [
            (_level(line), k, place)
            for k, region in enumerate(placed)
            for place, line in enumerate(region.lines)
            if _is_behind(line, left, top, right, bottom)
        ]
        if behind:
            _, k, place = min(behind)
            region = placed[k]
            line = _line_of(box, region.lines[place])
            lines = (*region.lines[:place], line, *region.lines[place:])
            placed[k] = FoundRegion(region.kind, ring_of(extent_of((region.polygon, line.polygon))), lines)
    return tuple(placed)


def _line_of(box: NDArray[np.float64], first: FoundLine) -> FoundLine:
    """An initial in the row of the ``first`` line behind it."""
    left, top, right, bottom = box
    edge = SIDE_X_HEIGHTS * first.x_height_px
    extent = np.array((left - edge, top - edge, right + edge, bottom + edge), np.float32)
    base = float(first.baseline[0, 1])
    baseline = np.array([(left, base), (right, base)], np.float32)
    return FoundLine(baseline, ring_of(np.maximum(extent, 0)), first.x_height_px)


def _is_behind(line: FoundLine, left: float, top: float, right: float, bottom: float) -> bool:
    """Tell whether a line stands beside an initial, or above it and as far to the right as those beside."""
    unit, start, level = line.x_height_px, float(line.baseline[0, 0]), _level(line)
    if top - 0.5 * unit < level < bottom:
        return start > left
    return top - ABOVE_X_HEIGHTS * unit < level < top and right < start < right + BEHIND_X_HEIGHTS * unit


def _level(line: FoundLine) -> float:
    """The middle of a line's first small letter."""
    return float(line.baseline[0, 1]) - 0.5 * line.x_height_px
