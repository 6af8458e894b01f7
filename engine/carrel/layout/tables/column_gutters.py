"""Gutters between columns of text, be they narrow: lines that run over white which stands over white are cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.polygons import Baseline

STEP_PX = 2  # between the places that are looked at, across and down
MIN_WHITE_X_HEIGHTS = 0.8  # common to all lines; the white of one may be wider
BESIDE_X_HEIGHTS = 3.0  # of a line's ends, where the next column may begin
MIN_LINES = 6  # beside a gutter or over it, one below the other
MAX_CHANCE = 1e-3  # of so many spaces between words over each other, somewhere on a page
MIN_PART_X_HEIGHTS = 12.0  # median length of what stands at either side: cells are shorter
LARGE_TYPE = 1.25  # of headings, whose spaces may lie over a gutter, in x-heights
SAME_GUTTER_X_HEIGHTS = 1.5  # between spaces of neighbouring lines

Flags = NDArray[np.bool_]
Span = tuple[float, float]


def cut_at_gutters(baselines: Sequence[Baseline], ink: Ink) -> list[Baseline]:
    """Cut lines, working px, at the gutters of columns that they run over; the others come back as they are."""
    if not any(one.x[-1] - one.x[0] > 2 * MIN_PART_X_HEIGHTS * one.x_height_px for one in baselines):
        return list(baselines)
    order = sorted(range(len(baselines)), key=lambda k: float(baselines[k].y.mean()))
    lines = [baselines[k] for k in order]
    spaces = dict(zip(order, _between_long_parts(lines, _spaces_in_gutters(lines, ink)), strict=True))
    return [part for k, one in enumerate(baselines) for part in _parts(one, spaces[k])]


def _spaces_in_gutters(lines: list[Baseline], ink: Ink) -> list[list[Span]]:
    """For each line, of ``lines`` from the top, its spaces that stand over and under spaces of others."""
    shape = len(lines), ink.mask.shape[1] // STEP_PX + 1
    covered, white = np.zeros(shape, bool), np.zeros(shape, bool)
    runs: list[list[tuple[int, int]]] = []
    for k, line in enumerate(lines):
        first, empty = _white_places(line, ink)
        inked = np.flatnonzero(~empty)
        if not len(inked):
            runs.append([])
            continue
        covered[k, first + inked[0] : first + inked[-1]] = True
        aside = round(MIN_WHITE_X_HEIGHTS * line.x_height_px / 2 / STEP_PX)
        after = np.flatnonzero(np.diff(inked) > 2 * aside + 1)
        runs.append([(first + int(inked[a]) + 1, first + int(inked[a + 1])) for a in after])
        for start, stop in runs[-1]:
            white[k, start + aside : stop - aside] = True
    enough = _count_over_each_other(covered, white) >= _least(covered, white)
    found = [
        [
            (float(a * STEP_PX), float(b * STEP_PX))
            for a, b in own
            if enough[k, a:b].any() and _is_inside(lines[k], a, b)
        ]
        for k, own in enumerate(runs)
    ]
    if not any(found):
        return found
    over = _run_over_gutters(covered, enough)
    return [[] if over[k] else own for k, own in enumerate(found)]


def _is_inside(line: Baseline, first: int, last: int) -> bool:
    """Tell whether white, from the ``first`` place to the ``last``, lies between letters of a line."""
    return bool(line.x[0] < first * STEP_PX and last * STEP_PX < line.x[-1])


def _run_over_gutters(covered: Flags, gutter: Flags) -> Flags:
    """Tell which lines run with letters over more of the gutters close above, or close below, than with white, ``(lines,)``."""
    over = np.zeros(len(gutter), bool)
    for order in (range(len(gutter)), reversed(range(len(gutter)))):
        near = np.zeros(gutter.shape[1], bool)
        for k in order:
            crossed = near & covered[k]
            kept = int((np.diff((crossed & gutter[k]).astype(np.int8)) > 0).sum())
            over[k] |= int((np.diff(crossed.astype(np.int8)) > 0).sum()) > 2 * kept
            near = np.where(covered[k] & ~over[k], gutter[k], near)
    return over


def _white_places(line: Baseline, ink: Ink) -> tuple[int, Flags]:
    """Tell from a place before a line's start to one behind its end, every ``STEP_PX``, where small letters leave white.

    What stands close beside shows the white between.
    """
    height, width = ink.mask.shape
    reach = BESIDE_X_HEIGHTS * line.x_height_px
    first = max(0, int((line.x[0] - reach) / STEP_PX))
    x = np.arange(first * STEP_PX, min(width - 1.0, line.x[-1] + reach), STEP_PX).astype(np.int64)
    rows = (
        np.rint(np.interp(x, line.x, line.y)).astype(np.int64)
        + np.arange(-round(line.x_height_px), 1, STEP_PX)[:, None]
    )
    return first, ink.mask[rows.clip(0, height - 1), x].max(axis=0) == 0


def _count_over_each_other(covered: Flags, white: Flags) -> NDArray[np.int32]:
    """Count at each white place, ``(lines, places)``, how many lines that run over it in succession are white there."""
    goes_on, one = (white | ~covered).astype(np.int32), white.astype(np.int32)
    total = -one
    for order in (range(len(one)), reversed(range(len(one)))):
        run = np.zeros(one.shape[1], np.int32)
        for k in order:
            run *= goes_on[k]
            run += one[k]
            total[k] += run
    return np.where(white, total, 0)


def _least(covered: Flags, white: Flags) -> float:
    """The least count that chance would not make of spaces between words."""
    share = white.sum() / max(1, covered.sum())
    if not 0.0 < share < 1.0:
        return MIN_LINES
    return max(MIN_LINES, float(np.log(MAX_CHANCE / covered.sum()) / np.log(share)))


def _between_long_parts(lines: list[Baseline], spaces: list[list[Span]]) -> list[list[Span]]:
    """The spaces of those gutters that most often stand between parts too long for cells."""
    unit = median([line.x_height_px for line in lines])
    found: list[tuple[float, int, Span, float]] = []
    for k, (line, own) in enumerate(zip(lines, spaces, strict=True)):
        inside = own if line.x_height_px <= LARGE_TYPE * unit else []
        edges = [float(line.x[0]), *(x for span in inside for x in span), float(line.x[-1])]
        lengths = (np.array(edges[1::2]) - np.array(edges[::2])) / line.x_height_px
        found += [
            ((a + b) / 2, k, (a, b), float(min(before, after)))
            for (a, b), before, after in zip(inside, lengths[:-1], lengths[1:], strict=True)
        ]
    found.sort(key=lambda one: one[0])
    middles = np.array([one[0] for one in found])
    reach = SAME_GUTTER_X_HEIGHTS * unit
    kept: list[list[Span]] = [[] for _ in lines]
    for gutter in np.split(np.arange(len(found)), np.flatnonzero(np.diff(middles) > reach) + 1):
        if len(gutter) and median([found[k][3] for k in gutter]) >= MIN_PART_X_HEIGHTS:
            for k in gutter:
                kept[found[k][1]].append(found[k][2])
    return kept


def _parts(line: Baseline, spaces: list[Span]) -> list[Baseline]:
    """The parts of a line before, between and behind its ``spaces``."""
    edges = [float(line.x[0]), *(x for span in sorted(spaces) for x in span), float(line.x[-1])]
    parts: list[Baseline] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        inside = (line.x >= start) & (line.x <= stop)
        if inside.sum() > 1:
            parts.append(Baseline(line.x[inside], line.y[inside], line.x_height_px))
    return parts if spaces else [line]
