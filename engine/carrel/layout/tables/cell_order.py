"""Reading order inside a ruled table: row by row, and in a row cell by cell."""

from __future__ import annotations

import numpy as np

from carrel.image.median import median
from carrel.layout.types import Boxes

SAME_ROW_HEIGHTS = 0.8
"""Lines whose bottoms are nearer than this, in heights of a line, stand in one row."""
ROW_SPACE = 1.5
"""A row of the table ends where the space below a line is larger by this factor than usual."""
MAX_MEDIAN_LINES = 1.5


def order_cells(boxes: Boxes) -> list[int]:
    """Order the lines of a table whose small letters are ``boxes`` ``(n, 4)``: left, top, right, bottom.

    An entry of a register is a row of cells, some of several lines; it ends where white space runs through all columns.
    Rows that no space parts are read line by line.
    """
    ordered: list[int] = []
    for entry in _entries(boxes):
        columns = _columns(boxes, entry)
        lines = sorted(len(column) for column in columns)
        if len(columns) > 2 and median(lines) <= MAX_MEDIAN_LINES < lines[-1]:
            ordered += [k for column in columns for k in sorted(column, key=lambda k: float(boxes[k, 3]))]
        else:
            ordered += _line_by_line(boxes, entry)
    return ordered


def _entries(boxes: Boxes) -> list[list[int]]:
    """Indices of the lines, top to bottom, parted where the space between rows of lines is clearly more than usual."""
    if not len(boxes):
        return []
    order = np.argsort(boxes[:, 1])
    reach = np.maximum.accumulate(boxes[order, 3])
    spaces = boxes[order, 1][1:] - reach[:-1]
    height = median(boxes[:, 3] - boxes[:, 1])
    usual = median(spaces[spaces > 0]) if (spaces > 0).any() else height
    cuts = np.flatnonzero(spaces > ROW_SPACE * max(usual, 0.5 * height)) + 1
    return [[int(k) for k in part] for part in np.split(order, cuts)]


def _columns(boxes: Boxes, entry: list[int]) -> list[list[int]]:
    """Lines of an entry that lie over each other, left to right."""
    columns: list[list[int]] = []
    right = -np.inf
    for k in sorted(entry, key=lambda k: float(boxes[k, 0])):
        middle = float(boxes[k, 0] + boxes[k, 2]) / 2
        if columns and (middle < right or float(boxes[k, 0]) < right - 0.3 * float(boxes[k, 2] - boxes[k, 0])):
            columns[-1].append(k)
            right = max(right, float(boxes[k, 2]))
        else:
            columns.append([k])
            right = float(boxes[k, 2])
    return columns


def _line_by_line(boxes: Boxes, entry: list[int]) -> list[int]:
    """Top to bottom; lines that stand in a row left to right: marks and digits whose height is underrated, too."""
    usual = median(boxes[entry, 3] - boxes[entry, 1])
    rest = sorted(entry, key=lambda k: float(boxes[k, 3]))
    ordered: list[int] = []
    while rest:
        first = rest[0]
        reach = SAME_ROW_HEIGHTS * max(usual, float(boxes[first, 3] - boxes[first, 1]))
        row = [k for k in rest if float(boxes[k, 3] - boxes[first, 3]) < reach]
        ordered += sorted(row, key=lambda k: float(boxes[k, 0]))
        rest = [k for k in rest if k not in row]
    return ordered
