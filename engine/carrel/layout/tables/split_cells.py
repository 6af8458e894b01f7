"""Lines in the cells of ruled tables: cut where a rule passes, and found by their ink where they are short."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.components import components_of
from carrel.layout.ink import Ink
from carrel.layout.lines.candidates import Strand, between_separators, cut
from carrel.layout.lines.polygons import Body, covered_by
from carrel.layout.tables.cell_rulings import borders
from carrel.layout.tables.rulings import Table

SHORTEST = 0.7

LETTER = (0.7, 3.0)
"""Least and largest height of the ink of a letter or digit, in x-heights."""
THINNEST = 0.12
COVERED = 0.4
RULE_EDGE_PX, RULE_END = 2, 1.5
"""Ink so near to the side of a rule in px, and to its end in x-heights, is the rule's."""
BORDER = 1.3
"""Ink nearer to the border of the table than this, in x-heights, is what is left of the border."""
WORD_GAP = 1.5
DESCENDER = 0.3
"""Share of what is taller than small letters that is taken to hang below the baseline: half of a 6 and a 9."""
OWN_ZONE = (1.5, 1.7)
"""Ink that ends so near over or under a baseline, in x-heights, is of that line: its loops and crossbars."""

Mask = NDArray[np.uint8]


def lines_of_cells(bodies: list[Body], table: Table, ink: Ink) -> list[Body]:
    """The bodies cut where they run over a rule of the table, and those of cells that they leave out."""
    unit = median([body.x_height_px for body in bodies])
    table = replace(table, rules=borders(bodies, table.rules, ink))
    pieces = _cut_at_rules(bodies, table, ink)
    return pieces + _missed_cells(pieces, table, ink, unit)


def _cut_at_rules(bodies: list[Body], table: Table, ink: Ink) -> list[Body]:
    """The bodies; of those that run over a rule of the table the pieces that hold ink, be it a single mark.

    Marks so near to a rule that no line has room are what is left of it.
    """
    barrier = cv2.dilate(table.rules, np.ones((1, 5), np.uint8)).astype(np.uint8)
    pieces: list[Body] = []
    for body in bodies:
        unit = body.x_height_px
        middle = Strand(body.x, body.base - 0.45 * unit, np.ones_like(body.x))
        if between_separators(middle, barrier, unit).all():
            pieces.append(body)
            continue
        parts = [_long_enough(part, barrier, unit) for part in cut(middle, ink.mask, barrier, unit, cut_gap=np.inf)]
        pieces += [Body(part.x, part.y + 0.45 * unit, unit) for part in parts if part is not None]
    return pieces


def _long_enough(piece: Strand, barrier: Mask, unit: float) -> Strand | None:
    """The piece, drawn out at both ends if shorter than lines are (a digit, a ditto mark); None where it has no room."""
    missing = SHORTEST * unit - float(piece.x[-1] - piece.x[0])
    if missing <= 0:
        return piece
    x = np.arange(piece.x[0] - missing / 2, piece.x[-1] + missing / 2 + 0.5)
    longer = Strand(x, np.interp(x, piece.x, piece.y), np.ones_like(x))
    return longer if between_separators(longer, barrier, unit).all() else None


def _missed_cells(bodies: list[Body], table: Table, ink: Ink, unit: float) -> list[Body]:
    """Bodies of the letters and digits in the table that ``bodies`` leave out, those beside each other as one."""
    boxes = _uncovered_letters(bodies, table, ink, unit)
    found: list[Body] = []
    for group in _rows(boxes, table.rules, unit):
        left, right = float(boxes[group, 0].min()), float(boxes[group, 2].max())
        if _belongs_to_a_line((left + right) / 2, median(boxes[group, 3]), bodies):
            continue
        x = np.arange(left, max(right, left + SHORTEST * unit) + 1.0)
        tall = median(boxes[group, 3] - boxes[group, 1])
        base = median(boxes[group, 3]) - DESCENDER * max(0.0, tall - unit)
        found.append(Body(x, np.full(len(x), base), unit))
    return found


def _belongs_to_a_line(x: float, bottom: float, bodies: list[Body]) -> bool:
    """Whether ink around ``x`` that ends at ``bottom`` is a part of a line's letters."""
    for body in bodies:
        if body.x[0] <= x <= body.x[-1]:
            below = (bottom - float(np.interp(x, body.x, body.base))) / body.x_height_px
            if -OWN_ZONE[0] < below < OWN_ZONE[1]:
                return True
    return False


def _uncovered_letters(bodies: list[Body], table: Table, ink: Ink, unit: float) -> NDArray[np.int64]:
    """Boxes (left, top, right, bottom) of connected ink of the size of letters in the table and in no body."""
    covered = covered_by(bodies, ink.mask.shape)
    edges = np.ones((2 * round(RULE_END * unit) + 1, 2 * RULE_EDGE_PX + 1), np.uint8)
    beside = cv2.dilate(table.rules, edges)
    letters = components_of(ink.mask & (1 - beside))
    inside = letters.shares_within(covered)
    left, top, width, height = letters.stats[:, :4].T
    kept = (height > LETTER[0] * unit) & (height < LETTER[1] * unit) & (width > THINNEST * unit) & (inside < COVERED)
    kept &= width < 2.0 * LETTER[1] * unit
    kept[0] = False
    kept &= np.array([table.holds(x, y, BORDER * unit) for x, y in letters.centers()])
    return np.stack((left, top, left + width, top + height), 1)[kept].astype(np.int64)


def _rows(boxes: NDArray[np.int64], rules: Mask, unit: float) -> list[list[int]]:
    """Indices of boxes that stand side by side without a rule between them, left to right."""
    groups: list[list[int]] = []
    for k in np.argsort(boxes[:, 0]):
        left, top, _, bottom = boxes[k]
        for group in groups:
            before = boxes[group[-1]]
            shared = min(bottom, before[3]) - max(top, before[1])
            row = (top + bottom) // 2
            level = shared > 0.4 * min(bottom - top, before[3] - before[1])
            if level and left - before[2] < WORD_GAP * unit and not rules[row, before[2] : left].any():
                group.append(int(k))
                break
        else:
            groups.append([int(k)])
    return groups
