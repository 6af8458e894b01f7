"""Lines in the cells of ruled tables: cut where a ruling passes, and found by their ink where they are short."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.components import components_of
from carrel.layout.ink import Ink, Mask
from carrel.layout.lines.candidates import Candidate, clear_of_separators, cut_candidate
from carrel.layout.lines.polygons import Baseline, cover_mask
from carrel.layout.tables.aligned import number_rows
from carrel.layout.tables.cell_rulings import keep_separating_rulings
from carrel.layout.tables.marks import find_marks
from carrel.layout.tables.rulings import Table

MIN_CELL_X_HEIGHTS = 0.7

MIN_ROWS_OF_CELLS, MIN_TEXT_ROWS = 3, 8
"""A ruled table of so many rows has so many with two cells."""
LETTER = (0.7, 3.0)
"""Least and largest height of the ink of a letter or digit, in x-heights."""
MIN_MARK_X_HEIGHTS = 0.12
MIN_PART, MIN_OF_UNIT = 0.2, 0.5
"""Heights of ink that is no speck, and of small letters at least, in x-heights of the lines: these may be overrated."""
MIN_LETTER_PX = 9.0
"""Working px: letters that are smaller cannot be told from specks by their size."""
MAX_COVERED = 0.4
RULING_EDGE_PX, RULING_END_X_HEIGHTS = 2, 1.5
"""Ink so near to the side of a ruling in px, and to its end in x-heights, is the ruling's."""
TABLE_EDGE_X_HEIGHTS = 0.5
"""Ink nearer to the edge of the table than this, in x-heights, is what is left of its frame."""
WORD_GAP = 1.5
BROKEN = 0.15
"""Ink nearer to each other than this, in x-heights, is of one letter whose stroke is broken."""
DESCENDER = 0.3
"""Share of what is taller than small letters that is taken to hang below the baseline: half of a 6 and a 9."""
OWN_ZONE = (1.5, 1.7)
"""Ink that ends so near over or under a baseline, in x-heights, is of that line: its loops and crossbars."""


def separating(table: Table, baselines: list[Baseline], ink: Ink) -> Table | None:
    """Return the table with the rulings alone that part its cells; None where words run across all of them."""
    rulings = keep_separating_rulings(baselines, table.rulings, ink)
    return replace(table, rulings=rulings) if rulings.any() else None


def split_cells(baselines: list[Baseline], table: Table, ink: Ink) -> list[Baseline]:
    """Split baselines where they run over a ruling of the table, and add those of cells that they leave out."""
    unit = median([baseline.x_height_px for baseline in baselines])
    clear = _clear_of_rulings(table, ink, unit)
    cells = cut_at_rulings(baselines, table.rulings, ink)
    letter = _letter_height(cells, clear, unit)
    cells += _missed_cells(cells, table, clear, letter, unit)
    return cells + _marks(cells, table, clear, letter)


def _letter_height(cells: list[Baseline], ink: Ink, unit: float) -> float:
    """The height of small letters by the ink in the cells: ``unit`` at most, which is too large where rows stand far apart."""
    parts = ink.parts
    height = parts.stats[:, cv2.CC_STAT_HEIGHT]
    letters = (parts.shares_within(cover_mask(cells, ink.mask.shape)) > MAX_COVERED) & (height > MIN_PART * unit)
    letters[0] = False
    least = max(MIN_OF_UNIT * unit, min(unit, MIN_LETTER_PX))
    return float(np.clip(median(height[letters]), least, unit)) if letters.any() else unit


def holds_cells(cells: list[Baseline], table: Table, unit: float) -> bool:
    """Tell whether lines stand beside each other in some rows of a table: edges of a sheet and frames around running text part nothing."""
    inside = [c for c in cells if table.holds(float(c.x.mean()), float(c.y.mean()))]
    boxes = np.array([(0.0, y, 0.0, y) for y in (float(cell.y.mean()) for cell in inside)]).reshape(-1, 4)
    in_row = np.bincount(number_rows(boxes, unit)) if len(boxes) else np.zeros(0, np.int64)
    return len(in_row) < MIN_TEXT_ROWS or int((in_row > 1).sum()) >= MIN_ROWS_OF_CELLS


def _clear_of_rulings(table: Table, ink: Ink, unit: float) -> Ink:
    """The ink without what is left of rulings, beside them and at their ends."""
    edges = np.ones((2 * round(RULING_END_X_HEIGHTS * unit) + 1, 2 * RULING_EDGE_PX + 1), np.uint8)
    mask = (ink.mask & (1 - cv2.dilate(table.rulings, edges))).astype(np.uint8)
    return replace(ink, mask=mask, parts=components_of(mask))


def _marks(cells: list[Baseline], table: Table, ink: Ink, unit: float) -> list[Baseline]:
    """Dashes and ditto marks in the table's rows of two cells or more."""
    heights = [float(cell.y.mean()) for cell in cells if table.holds(float(cell.x.mean()), float(cell.y.mean()))]
    boxes = np.array([(0.0, y, 0.0, y) for y in heights]).reshape(-1, 4)
    row = number_rows(boxes, unit)
    count = np.bincount(row)
    rows = (np.bincount(row, heights) / np.maximum(1, count))[count > 1] if heights else np.zeros(0)
    found = find_marks(cells, rows, ink, unit, repeated=True)
    return [mark for mark in found if table.holds(float(mark.x.mean()), float(mark.y.mean()), unit)]


def cut_at_rulings(baselines: list[Baseline], rulings: Mask, ink: Ink) -> list[Baseline]:
    """Return the baselines; of those that run over a ruling the parts that hold ink, be it a single mark.

    Marks so near to a ruling that no line has room are what is left of it.
    """
    barrier = cv2.dilate(rulings, np.ones((1, 5), np.uint8)).astype(np.uint8)
    kept: list[Baseline] = []
    for baseline in baselines:
        unit = baseline.x_height_px
        middle = Candidate(baseline.x, baseline.y - 0.45 * unit, np.ones_like(baseline.x))
        if clear_of_separators(middle, barrier, unit).all():
            kept.append(baseline)
            continue
        parts = [
            _long_enough(part, barrier, unit) for part in cut_candidate(middle, ink.mask, barrier, unit, cut_gap=np.inf)
        ]
        kept += [Baseline(part.x, part.y + 0.45 * unit, unit) for part in parts if part is not None]
    return kept


def _long_enough(part: Candidate, barrier: Mask, unit: float) -> Candidate | None:
    """The part, drawn out at both ends if shorter than lines are (a digit, a ditto mark); None where it has no room."""
    missing = MIN_CELL_X_HEIGHTS * unit - float(part.x[-1] - part.x[0])
    if missing <= 0:
        return part
    x = np.arange(part.x[0] - missing / 2, part.x[-1] + missing / 2 + 0.5)
    longer = Candidate(x, np.interp(x, part.x, part.y), np.ones_like(x))
    return longer if clear_of_separators(longer, barrier, unit).all() else None


def _missed_cells(baselines: list[Baseline], table: Table, ink: Ink, letter: float, unit: float) -> list[Baseline]:
    """Baselines of the letters and digits in the table that ``baselines`` leave out, those beside each other as one.

    ``letter`` is the height of small letters by the ink, ``unit`` that of the lines.
    """
    boxes = _uncovered_letters(baselines, table, ink, letter)
    found: list[Baseline] = []
    for group in _rows(boxes, table.rulings, letter):
        left, right = float(boxes[group, 0].min()), float(boxes[group, 2].max())
        if _belongs_to_a_line((left + right) / 2, median(boxes[group, 3]), baselines):
            continue
        x = np.arange(left, max(right, left + MIN_CELL_X_HEIGHTS * letter) + 1.0)
        tall = median(boxes[group, 3] - boxes[group, 1])
        base = median(boxes[group, 3]) - DESCENDER * max(0.0, tall - letter)
        found.append(Baseline(x, np.full(len(x), base), unit))
    return found


def _belongs_to_a_line(x: float, bottom: float, baselines: list[Baseline]) -> bool:
    """Whether ink around ``x`` that ends at ``bottom`` is a part of a line's letters."""
    for baseline in baselines:
        if baseline.x[0] <= x <= baseline.x[-1]:
            below = (bottom - float(np.interp(x, baseline.x, baseline.y))) / baseline.x_height_px
            if -OWN_ZONE[0] < below < OWN_ZONE[1]:
                return True
    return False


def _uncovered_letters(baselines: list[Baseline], table: Table, ink: Ink, unit: float) -> NDArray[np.int64]:
    """Boxes (left, top, right, bottom) of connected ink of the size of letters in the table and in no baseline."""
    covered = cover_mask(baselines, ink.mask.shape)
    letters = ink.parts
    inside = letters.shares_within(covered)
    left, top, width, height = letters.stats[:, :4].T
    kept = (
        (height > LETTER[0] * unit)
        & (height < LETTER[1] * unit)
        & (width > MIN_MARK_X_HEIGHTS * unit)
        & (inside < MAX_COVERED)
    )
    kept &= width < 2.0 * LETTER[1] * unit
    kept[0] = False
    kept &= np.array([table.holds(x, y, TABLE_EDGE_X_HEIGHTS * unit) for x, y in letters.centers()])
    return np.stack((left, top, left + width, top + height), 1)[kept].astype(np.int64)


def _rows(boxes: NDArray[np.int64], rulings: Mask, unit: float) -> list[list[int]]:
    """Indices of boxes that stand side by side without a ruling between them, left to right."""
    groups: list[list[int]] = []
    for k in np.argsort(boxes[:, 0]):
        left, top, _, bottom = boxes[k]
        for group in groups:
            before = boxes[group[-1]]
            shared = min(bottom, before[3]) - max(top, before[1])
            row = (top + bottom) // 2
            in_row = shared > 0.4 * min(bottom - top, before[3] - before[1])
            in_row |= -shared < BROKEN * unit and left - before[2] < BROKEN * unit
            if in_row and left - before[2] < WORD_GAP * unit and not rulings[row, before[2] : left].any():
                group.append(int(k))
                break
        else:
            groups.append([int(k)])
    return groups
