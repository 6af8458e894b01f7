"""Columns of running text, as of newspapers, indexes and directories, beside the columns of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.types import Boxes

MIN_LINES = 5  # of every column
MIN_LINE_X_HEIGHTS = 12.0  # median of a column; cells of registers and lists are shorter, lines of newspapers never
MIN_FILLED_SHARE = 0.55  # of the column's width by its median line: an index has 0.73, names in a list 0.3
MAX_UNEVEN_SHARE = 0.15  # by which the distances between columns differ: text is set evenly, tables are not
MIN_FULL_LENGTH, MIN_FULL_SHARE = 0.88, 0.6
"""Justified text: so many lines of a column are so long, in widths of the column; such columns may be uneven."""
MAX_LINE_MEDIANS = 1.6
"""Lines longer than this many median lines are headings over several columns."""


def split_intervals(low: NDArray[np.float64], high: NDArray[np.float64], gap: float) -> tuple[Boxes, Boxes]:
    """Return where the stretches begin that intervals make and that lie more than ``gap`` apart, and how wide they are."""
    order = np.argsort(low)
    reach = np.maximum.accumulate(high[order])
    first = np.flatnonzero(np.concatenate(([True], low[order][1:] - reach[:-1] > gap)))
    last = np.concatenate((first[1:] - 1, [len(low) - 1]))
    return low[order][first], reach[last] - low[order][first]


def are_text_columns(boxes: Boxes, starts: NDArray[np.float64], widths: NDArray[np.float64], x_height: float) -> bool:
    """Tell whether three or more columns are columns of text, to be read one after the other, and not of a table.

    Columns of text are set at even distances, or justified, and filled by lines that are too long for cells.

    Parameters
    ----------
    boxes
        ``(n, 4)``: left, top, right, bottom of all lines, px.
    starts, widths
        (k,): left edges of the columns, ascending, and their widths, px.
    x_height
        Px.
    """
    if len(starts) < 3:
        return False
    distances = np.diff(starts)
    is_even = float(np.ptp(distances)) <= MAX_UNEVEN_SHARE * float(distances.mean())
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    column = np.clip(np.searchsorted(starts, middle, side="right") - 1, 0, None)
    lengths = [(boxes[:, 2] - boxes[:, 0])[column == k] for k in range(len(starts))]
    if len(lengths[-1]) < MIN_LINES:  # the text ends in the last column
        lengths = lengths[:-1]
    return len(lengths) > 1 and all(
        len(own) >= MIN_LINES
        and median(own) >= max(MIN_LINE_X_HEIGHTS * x_height, MIN_FILLED_SHARE * width)
        and (is_even or float((own >= MIN_FULL_LENGTH * width).mean()) >= MIN_FULL_SHARE)
        for own, width in zip(lengths, widths, strict=False)
    )


def holds_text_columns(boxes: Boxes, x_height: float) -> bool:
    """Tell whether lines ``(n, 4)`` between upright rulings stand in columns of text."""
    if len(boxes) < 3 * MIN_LINES:
        return False
    length = boxes[:, 2] - boxes[:, 0]
    short = boxes[length <= MAX_LINE_MEDIANS * median(length)]
    inset = np.minimum(0.5 * x_height, 0.1 * (short[:, 2] - short[:, 0]))
    return are_text_columns(short, *split_intervals(short[:, 0] + inset, short[:, 2] - inset, 0.5 * x_height), x_height)
