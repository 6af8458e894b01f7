"""Three or more columns of text under headings: what runs over some of them parts what stands above it from what stands below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.order.text_columns import MIN_LINES, are_text_columns
from carrel.layout.types import Boxes

Flags = NDArray[np.bool_]
Index = NDArray[np.int64]
MAX_OVER_SHARE = 0.15  # of the lines of a column: so many may run over the white beside it
MAX_CROSSING_SHARE = 0.15  # of all lines
SAMPLES_PER_X_HEIGHT = 2.0
LARGE_TYPE = 1.25
"""Titles are larger than the text by this factor, in x-heights."""


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Left and right edges of columns, (c, 2), and which of them each line runs over: first and last, (n, 2)."""

    edges: NDArray[np.float64]
    reach: Index


def split_headed_columns(boxes: Boxes, x_height: float) -> list[Flags] | None:
    """Divide lines into columns and headings over several of them, in reading order; None where there are no three columns.

    ``boxes`` ``(n, 4)`` are left, top, right, bottom. Each part is bool (n,): a piece of one column, or a heading.
    """
    if len(boxes) < 3 * MIN_LINES:
        return None
    title = is_title(boxes)
    columns = _find(boxes[~title], x_height)
    if columns is None:
        return None
    rest = np.flatnonzero(~title)
    parts = _ordered(np.arange(len(rest)), columns, boxes[rest], 0, len(columns.edges) - 1)
    found = [np.isin(np.arange(len(boxes)), rest[part]) for part in parts]
    return [title, *found] if title.any() else found


def is_title(boxes: Boxes) -> Flags:
    """Tell which of lines ``(n, 4)`` make a title in large type above all others, be it no wider than one column; bool (n,)."""
    top, bottom = boxes[:, 1], boxes[:, 3]
    large = bottom - top > LARGE_TYPE * median(bottom - top)
    return large & (bottom < top[~large].min(initial=np.inf))


def _find(boxes: Boxes, x_height: float) -> _Columns | None:
    """Columns between stretches of x that hardly any line runs over."""
    left, right = boxes[:, 0], boxes[:, 2]
    step = x_height / SAMPLES_PER_X_HEIGHT
    at = np.arange(left.min(), right.max() + step, step)
    inset = np.minimum(0.5 * x_height, 0.1 * (right - left))
    over = ((left + inset)[:, None] <= at) & ((right - inset)[:, None] >= at)
    count = over.sum(axis=0)
    usual = float(np.partition(count, int(0.75 * len(count)))[int(0.75 * len(count))])
    filled = count > max(1.0, MAX_OVER_SHARE * usual)
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], filled.astype(np.int8), [0]))))
    starts, ends = at[bounds[::2]], at[np.minimum(bounds[1::2], len(at)) - 1]
    if len(starts) < 3:
        return None
    gutters = (ends[:-1] + starts[1:]) / 2
    middle_first = np.searchsorted(gutters, left + inset)
    reach = np.stack((middle_first, np.maximum(middle_first, np.searchsorted(gutters, right - inset))), 1)
    single = reach[:, 0] == reach[:, 1]
    if (~single).sum() > MAX_CROSSING_SHARE * len(boxes):
        return None
    own = [boxes[single & (reach[:, 0] == k)] for k in range(len(starts))]
    if any(not len(part) for part in own):
        return None
    edges = np.array([(part[:, 0].min(), part[:, 2].max()) for part in own])
    if not are_text_columns(boxes[single], edges[:, 0], edges[:, 1] - edges[:, 0], x_height):
        return None
    return _Columns(edges, reach.astype(np.int64))


def _ordered(index: Index, columns: _Columns, boxes: Boxes, first: int, last: int) -> list[Index]:
    """Parts of the lines ``index`` in the columns from ``first`` to ``last``: one block of columns under common headings after
    the other, each from its topmost heading over all of it downwards."""
    reach = columns.reach[index]
    crossing = reach[:, 0] < reach[:, 1]
    blocks = _blocks(reach[crossing], first, last)
    if len(blocks) > 1:
        return [
            part
            for low, high in blocks
            for part in _ordered(index[(reach[:, 0] >= low) & (reach[:, 1] <= high)], columns, boxes, low, high)
        ]
    if not len(index):
        return []
    if not crossing.any():  # a single column: blocks part the others
        return [index]
    middle = (boxes[index, 1] + boxes[index, 3]) / 2
    widest = crossing & (reach[:, 1] - reach[:, 0] == (reach[:, 1] - reach[:, 0]).max())
    heading = int(np.flatnonzero(widest)[middle[widest].argmin()])
    above, below = middle < middle[heading], middle > middle[heading]
    rest = below | ((middle == middle[heading]) & (np.arange(len(index)) != heading))
    return [
        *_ordered(index[above], columns, boxes, first, last),
        index[[heading]],
        *_ordered(index[rest], columns, boxes, first, last),
    ]


def _blocks(reach: Index, first: int, last: int) -> list[tuple[int, int]]:
    """Runs of columns that headings, of first and last column ``reach``, join."""
    joined = np.zeros(last - first + 1, bool)  # to the next
    for low, high in reach:
        joined[low - first : high - first] = True
    ends = np.flatnonzero(~joined)
    starts = np.concatenate(([0], ends[:-1] + 1))
    return [(int(a) + first, int(b) + first) for a, b in zip(starts, ends, strict=True)]
