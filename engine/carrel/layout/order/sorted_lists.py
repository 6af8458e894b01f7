"""Sorted lists that go on from column to column, by what is read: names in the order of the alphabet, alone or with numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carrel.layout.order.headed_columns import Columns
from carrel.layout.tables.aligned import number_rows
from carrel.layout.types import Boxes

MIN_LINES = 5  # of every column but the last
MIN_SORTED_SHARE = 0.85  # of the lines of a column that follow the line above in the alphabet, or begin as it does
MIN_RISING_SHARE = 0.15  # of those that begin otherwise than the line above
MIN_GOING_ON_SHARE = 0.5  # of the columns that begin after the end of the column before: parallel lists begin anew
MIN_WORDS_SHARE, MIN_NUMBERS_SHARE = 0.8, 0.7  # of the lines of a column


def find_sorted_lists(
    texts: list[str], boxes: Boxes, columns: Columns, x_height: float
) -> list[NDArray[np.int64]] | None:
    """Divide the lines of two or more columns that are one sorted list, and columns of numbers behind them, in reading order.

    Parameters
    ----------
    texts
        What was read in the lines.
    boxes
        Of the lines, ``(n, 4)``: left, top, right, bottom.
    columns
        Which the lines stand in.
    x_height
        Px.

    Returns
    -------
    list of ndarray, or None
        Indices of the lines of each column with its numbers, row by row, after those of a heading above; None where the
        columns are no such list.
    """
    single = columns.reach[:, 0] == columns.reach[:, 1]
    own = [np.flatnonzero(single & (columns.reach[:, 0] == k)) for k in range(len(columns.edges))]
    cells = [_cells(texts, part, boxes, x_height) for part in own]
    words = [k for k, column in enumerate(cells) if _share(column, _begins_with_letter) >= MIN_WORDS_SHARE]
    numbers = [k for k, column in enumerate(cells) if _share(column, _is_number) >= MIN_NUMBERS_SHARE]
    if len(words) < 2 or words[0] != 0 or sorted(words + numbers) != list(range(len(own))):
        return None
    lists = [[_key(text) for text in cells[column]] for column in words]
    if not all(_is_sorted(keys) for keys in lists) or any(len(keys) < MIN_LINES for keys in lists[:-1]):
        return None
    if sum(before[-1] <= after[0] for before, after in pairwise(lists)) < MIN_GOING_ON_SHARE * (len(lists) - 1):
        return None
    head = np.flatnonzero(~single)
    if len(head) and boxes[head, 3].max() > boxes[single, 1].min():
        return None
    ends = [*words[1:], len(own)]
    parts = [np.concatenate(own[first:end]) for first, end in zip(words, ends, strict=True)]
    return [_by_rows(part, boxes, x_height) for part in ([head, *parts] if len(head) else parts)]


def _cells(texts: list[str], part: NDArray[np.int64], boxes: Boxes, x_height: float) -> list[str]:
    """What was read in each row of a column; a line in pieces is one."""
    row = number_rows(boxes[part], x_height)
    joined = [""] * (int(row.max()) + 1)
    for k in np.argsort(boxes[part, 0], kind="stable"):
        joined[row[k]] += texts[part[k]]
    return joined


def _by_rows(part: NDArray[np.int64], boxes: Boxes, x_height: float) -> NDArray[np.int64]:
    return part[np.lexsort((boxes[part, 0], number_rows(boxes[part], x_height)))]


def _share(cells: list[str], holds: Callable[[str], bool]) -> float:
    return float(np.mean([holds(text) for text in cells]))


def _begins_with_letter(text: str) -> bool:
    return text[:1].isalpha()


def _is_number(text: str) -> bool:
    return sum(c.isdigit() for c in text) > sum(c.isalpha() for c in text)


def _key(text: str) -> str:
    """The first word, as it is sorted."""
    return "".join(c for c in text.lstrip().partition(" ")[0] if c.isalpha()).casefold()


def _is_sorted(keys: Sequence[str]) -> bool:
    pairs = list(pairwise(keys))
    if not pairs:
        return True
    in_order = [before[:3] <= after[:3] for before, after in pairs]
    rising = [before < after for before, after in pairs]
    return sum(in_order) >= MIN_SORTED_SHARE * len(pairs) and sum(rising) >= MIN_RISING_SHARE * len(pairs)
