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
BAND_X_HEIGHTS, MAX_BAND_X_HEIGHTS = 0.8, 6.0
"""White over and under a heading, in all columns, more than between lines; and how far columns then are."""
SAMPLES_PER_X_HEIGHT = 2.0
LARGE_TYPE = 1.25
"""Titles are larger than the text by this factor, in x-heights."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
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
    found = [np.isin(np.arange(len(boxes)), rest[part]) for part in order_columns(columns, boxes[rest])]
    return [title, *found] if title.any() else found


def is_title(boxes: Boxes) -> Flags:
    """Tell which of lines ``(n, 4)`` make a title in large type above all others, be it no wider than one column; bool (n,)."""
    top, bottom = boxes[:, 1], boxes[:, 3]
    large = bottom - top > LARGE_TYPE * median(bottom - top)
    title = large & (bottom < top[~large].min(initial=np.inf))
    beside = (top[title, None] < bottom[None, title]) & (bottom[title, None] > top[None, title])
    return title if beside.sum() == title.sum() else np.zeros(len(boxes), bool)  # each column has a heading of its own


def _find(boxes: Boxes, x_height: float) -> Columns | None:
    """Three columns or more of text, by their look alone."""
    columns = columns_between_gutters(boxes, x_height)
    if columns is None or len(columns.edges) < 3:
        return None
    left, right = columns.edges.T
    single = columns.reach[:, 0] == columns.reach[:, 1]
    return columns if are_text_columns(boxes[single], left, right - left, x_height) else None


def columns_between_gutters(boxes: Boxes, x_height: float) -> Columns | None:
    """Find columns between stretches of x that hardly any line runs over; None where there is one, or too much runs over."""
    left, right = boxes[:, 0], boxes[:, 2]
    step = x_height / SAMPLES_PER_X_HEIGHT
    at = np.arange(left.min(), right.max() + step, step)
    inset = np.minimum(0.5 * x_height, 0.1 * (right - left))
    count = (((left + inset)[:, None] <= at) & ((right - inset)[:, None] >= at)).sum(axis=0)
    usual = float(np.sort(count)[int(0.75 * len(count))])
    filled = count > max(1.0, MAX_OVER_SHARE * usual)
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], filled.astype(np.int8), [0]))))
    gutters = np.array([at[_emptiest(count, a, b)] for a, b in zip(bounds[1:-1:2], bounds[2::2], strict=True)])
    first = np.searchsorted(gutters, left + inset)
    reach = np.stack((first, np.maximum(first, np.searchsorted(gutters, right - inset))), 1).astype(np.int64)
    single = reach[:, 0] == reach[:, 1]
    own = [boxes[single & (reach[:, 0] == k)] for k in range(len(gutters) + 1)]
    if len(own) < 2 or (~single).sum() > MAX_CROSSING_SHARE * len(boxes) or not all(len(part) for part in own):
        return None
    edges = np.array([(part[:, 0].min(), part[:, 2].max()) for part in own])
    return Columns(edges, _over_free_columns(reach, boxes, x_height))


def _over_free_columns(reach: Index, boxes: Boxes, x_height: float) -> Index:
    """Let headings over several columns reach over all, where none of the others has a line beside: they part these, too."""
    single = reach[:, 0] == reach[:, 1]
    last, widened = int(reach.max()), reach.copy()
    for k in np.flatnonzero(~single):
        others = single & ((reach[:, 0] < reach[k, 0]) | (reach[:, 0] > reach[k, 1]))
        above = boxes[k, 1] - boxes[others, 3]
        below = boxes[others, 1] - boxes[k, 3]
        beside = np.maximum(above, below) < BAND_X_HEIGHTS * x_height
        if not beside.any() and _all_near(reach[others, 0], above, below, MAX_BAND_X_HEIGHTS * x_height):
            widened[k] = 0, last
    return widened


def _all_near(column: Index, above: NDArray[np.float64], below: NDArray[np.float64], reach: float) -> bool:
    """Tell whether every column goes on close above a heading and below it; one that ends there may begin, or end, anywhere."""
    for k in np.flatnonzero(np.bincount(column)):
        own = column == k
        over, under = above[own & (above > 0)], below[own & (below > 0)]
        if len(over) and len(under) and max(over.min(), under.min()) > reach:
            return False
    return True


def _emptiest(count: Index, start: int, stop: int) -> int:
    """The middle of where the fewest lines run, between two columns."""
    least = np.flatnonzero(count[start:stop] == count[start:stop].min())
    return start + int(least[len(least) // 2])


def order_columns(columns: Columns, boxes: Boxes) -> list[Index]:
    """Order lines ``(n, 4)``: indices of each piece of a column and each heading, in reading order."""
    return _ordered(np.arange(len(boxes)), columns, boxes, 0, len(columns.edges) - 1)


def _ordered(index: Index, columns: Columns, boxes: Boxes, first: int, last: int) -> list[Index]:
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
