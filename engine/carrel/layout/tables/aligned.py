"""Tables without rulings: lists, index cards, inventories, whose cells stand in rows and columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.layout.order.text_columns import are_text_columns, split_intervals
from carrel.layout.types import Boxes

TABLE_ROW_X_HEIGHTS = 0.7  # between the baselines of cells of one row
COLUMN_GAP_X_HEIGHTS = 1.2  # white between columns; words stand nearer
USUAL_PERCENTILE = 80  # of the lengths of lines: longer ones may reach over columns
MIN_ROWS = 4  # with two cells or more
MAX_CROSSING_ROWS = 2  # in succession in a table whose lines reach over two columns: long names beside amounts
MAX_CELL_X_HEIGHTS = 25.0  # median of a column; half of the columns at least are narrower
MAX_NUMBER_X_HEIGHTS = 8.0  # numbers, amounts, marks: one such column beside another makes rows of two columns too
MIN_PAIRED_SHARE = (
    0.75  # of the cells of the narrow column, or of all but the longest, that stand in a row with another
)


@dataclass(frozen=True, slots=True, eq=False)
class AlignedTable:
    """A table by alignment, px of the lines that it was found on.

    Parameters
    ----------
    box
        Left, top, right, bottom.
    rows
        (r,): baselines of its rows, ascending.
    columns
        ``(c, 2)``: left and right edges of its columns.
    x_height
        Of its lines.
    """

    box: tuple[float, float, float, float]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    x_height: float

    @property
    def has_cells(self) -> bool:
        """A table of cells, and not running text beside numbers, as clauses and contents are."""
        widths = self.columns[:, 1] - self.columns[:, 0]
        return len(widths) > 2 or float(widths.max()) < MAX_CELL_X_HEIGHTS * self.x_height


def find_aligned_table(boxes: Boxes, x_height: float) -> AlignedTable | None:
    """Find the rows and columns that lines make without rulings; return None where they are running text.

    Parameters
    ----------
    boxes
        ``(n, 4)``: left, top, right, bottom of the small letters of all lines; bottoms are baselines.
    x_height
        Px.
    """
    row = number_rows(boxes, x_height)
    lines_in_row = np.bincount(row)
    if np.count_nonzero(lines_in_row > 1) < MIN_ROWS:  # `np.unique` would load numpy.ma for every page
        return None
    shared = lines_in_row[row] > 1
    starts, widths = _columns_of(boxes[shared], x_height)
    inside = _longest_run(boxes, row, starts, widths, x_height)
    if not _is_table(boxes[inside], row[inside], starts, widths, x_height):
        return None
    left, top, right, bottom = boxes[inside].T
    heights = np.array([float(bottom[row[inside] == k].mean()) for k in np.unique(row[inside])])
    box = (float(left.min()), float(top.min()) - x_height, float(right.max()), float(bottom.max()) + x_height)
    return AlignedTable(box, heights, np.stack((starts, starts + widths), 1), x_height)


def number_rows(boxes: Boxes, x_height: float) -> NDArray[np.int64]:
    """Number the rows that lines ``(n, 4)`` stand in, by their baselines, from the top; int64 (n,)."""
    order = np.argsort(boxes[:, 3], kind="stable")
    row = np.zeros(len(boxes), np.int64)
    number, first = -1, -np.inf
    for k in order:
        if boxes[k, 3] - first > TABLE_ROW_X_HEIGHTS * x_height:
            number, first = number + 1, float(boxes[k, 3])
        row[k] = number
    return row


def _columns_of(boxes: Boxes, x_height: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left edges and widths of the columns of cells; what reaches over a quarter of them all counts only where need be."""
    length = boxes[:, 2] - boxes[:, 0]
    usual = boxes[length <= max(float(np.percentile(length, USUAL_PERCENTILE)), 3.0 * x_height)]
    inset = np.minimum(0.3 * x_height, 0.1 * (usual[:, 2] - usual[:, 0]))
    return split_intervals(usual[:, 0] + inset, usual[:, 2] - inset, COLUMN_GAP_X_HEIGHTS * x_height)


def _longest_run(
    boxes: Boxes, row: NDArray[np.int64], starts: NDArray[np.float64], widths: NDArray[np.float64], x_height: float
) -> NDArray[np.bool_]:
    """Lines of the most rows in succession in which none reaches over two columns, but for single ones, bool (n,)."""
    reach = COLUMN_GAP_X_HEIGHTS * x_height
    columns = (boxes[:, :1] < starts + widths - reach) & (boxes[:, 2:3] > starts + reach)
    whole = np.ones(int(row.max()) + 1, bool)
    np.logical_and.at(whole, row, columns.sum(axis=1) <= 1)
    runs = np.split(np.arange(len(whole)), np.flatnonzero(np.diff(whole.astype(np.int8))) + 1)
    for run in runs[1:-1]:
        if len(run) <= MAX_CROSSING_ROWS:
            whole[run] = True
    runs = np.split(np.arange(len(whole)), np.flatnonzero(np.diff(whole.astype(np.int8))) + 1)
    best = max((run for run in runs if whole[run[0]]), key=len, default=np.zeros(0, np.int64))
    return np.isin(row, best)


def _is_table(
    boxes: Boxes, row: NDArray[np.int64], starts: NDArray[np.float64], widths: NDArray[np.float64], x_height: float
) -> bool:
    """Tell whether cells make rows: three columns or more, half of them narrow; or two, one of them numbers."""
    if len(starts) < 2 or len(boxes) < 2 * MIN_ROWS or are_text_columns(boxes, starts, widths, x_height):
        return False
    column = np.clip(np.searchsorted(starts, (boxes[:, 0] + boxes[:, 2]) / 2, side="right") - 1, 0, None)
    counts = np.bincount(column, minlength=len(starts))
    paired = (np.bincount(row)[row] > 1) & (counts[column] < counts.max())
    others = counts[column] < counts.max()
    if int(counts.max()) * len(starts) == len(boxes):  # columns of one length: any may be the longest
        paired, others = np.bincount(row)[row] > 1, np.ones(len(boxes), bool)
    rows = len(np.unique(row[np.bincount(row)[row] > 1]))
    if rows < MIN_ROWS or paired.sum() < MIN_PAIRED_SHARE * others.sum():
        return False
    narrow = widths < MAX_CELL_X_HEIGHTS * x_height
    if len(starts) >= 3:
        return bool(2 * narrow.sum() >= len(starts))
    return bool(widths.min() < MAX_NUMBER_X_HEIGHTS * x_height)
