"""Regions and reading order of lines: recursive cuts along white space between the boxes of lines.

After Ha, Haralick and Phillips, "Recursive X-Y cut using bounding boxes of connected components",
DOI 10.1109/ICDAR.1995.602059.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.order.crossed_columns import split_crossed_columns
from carrel.layout.order.headed_columns import is_title, split_headed_columns
from carrel.layout.order.text_columns import are_text_columns, holds_text_columns, split_intervals
from carrel.layout.tables.cell_order import order_cells
from carrel.layout.types import Boxes, FoundLine, FoundRegion, TableArea, extent_of, ring_of

COLUMN_GAP = 2.4
INSET = 1.2
TABLE_COLUMNS, PART_COLUMNS = 3, 2
SAME_ROW_X_HEIGHTS = 0.6
"""Lines whose bottoms are nearer than this, in x-heights, stand in one row."""
PROSE_WIDTH = 25.0
NUMBER_WIDTH = 10.0
NOTE_WIDTH = 0.4
SAME_COLUMN = 0.6
SAME_BLOCK = 2.0


def boxes_of(lines: Sequence[FoundLine]) -> Boxes:
    """Return left, top, right, bottom of the small letters of lines, ``(n, 4)``."""
    rows: list[tuple[float, float, float, float]] = []
    for line in lines:
        x, y = line.baseline[:, 0], line.baseline[:, 1]
        middle = median(y)
        rows.append((float(x.min()), middle - 0.9 * line.x_height_px, float(x.max()), middle + 0.1 * line.x_height_px))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _widest_gap(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, float]:
    """Width and middle of the widest stretch that no interval covers; width 0 where there is none."""
    order = np.argsort(low)
    reach = np.maximum.accumulate(high[order])
    gaps = low[order][1:] - reach[:-1]
    if not len(gaps) or gaps.max() <= 0:
        return 0.0, 0.0
    k = int(gaps.argmax())
    return float(gaps[k]), float(reach[k] + gaps[k] / 2)


def _blocks(
    index: NDArray[np.int64], boxes: Boxes, unit: float, least_columns: int = TABLE_COLUMNS
) -> list[NDArray[np.int64]]:
    """Cut recursively: columns where white space runs through, else bands at the widest space between lines.

    Where the columns are those of a table its bands come first, so that it is read row by row. A table has
    ``least_columns`` at least; a part of one may have only two.
    """
    if len(index) <= 1:
        return [index]
    unit = min(unit, median(boxes[index, 3] - boxes[index, 1]))  # small print of a letterhead has small gaps
    if (parts := split_headed_columns(boxes[index], unit)) is not None:
        return [index[part] for part in parts]
    return _cut(index, boxes, unit, least_columns)


def _cut(index: NDArray[np.int64], boxes: Boxes, unit: float, least_columns: int) -> list[NDArray[np.int64]]:
    left, top, right, bottom = boxes[index].T
    inset = np.minimum(INSET * unit, 0.15 * (right - left))
    gap, across = _widest_gap(left + inset, right - inset)
    height, down = _widest_gap(top, bottom)
    if gap > COLUMN_GAP * unit and not _is_one_row(top, bottom):
        starts, widths = split_intervals(left + inset, right - inset, COLUMN_GAP * unit)
        column = np.searchsorted(starts, left + inset, side="right") - 1
        is_table = _is_table(widths, unit, least_columns) and not are_text_columns(boxes[index], starts, widths, unit)
        if is_table and _in_rows(column, bottom, unit, least_columns):
            return [index] if height <= 0 else _both(index, (top + bottom) / 2 < down, boxes, unit, PART_COLUMNS)
        if _side_by_side(top, bottom + SAME_ROW_X_HEIGHTS * unit, (left + right) / 2 < across):
            title = is_title(boxes[index])
            return _both(index, title if title.any() else (left + right) / 2 < across, boxes, unit)
    if (parts := split_crossed_columns(boxes[index], unit)) is not None:
        return [block for part in parts for block in _blocks(index[part], boxes, unit)]
    if height > 0 and _columns_appear(index, boxes, unit):
        return _both(index, (top + bottom) / 2 < down, boxes, unit)
    return [index]


def _both(
    index: NDArray[np.int64], first: NDArray[np.bool_], boxes: Boxes, unit: float, least_columns: int = TABLE_COLUMNS
) -> list[NDArray[np.int64]]:
    return _blocks(index[first], boxes, unit, least_columns) + _blocks(index[~first], boxes, unit, least_columns)


def _is_table(widths: NDArray[np.float64], unit: float, least_columns: int) -> bool:
    """At least so many columns, half of them too narrow for prose."""
    return len(widths) >= least_columns and 2 * int((widths < PROSE_WIDTH * unit).sum()) >= len(widths)


def _in_rows(column: NDArray[np.int64], bottom: NDArray[np.float64], unit: float, least_columns: int) -> bool:
    """Whether most lines of the shorter columns stand in a row with one of the longest: cells, not lists side by side.

    So do most lines in each of all but one of the ``least_columns``: two even lists beside a heading of its own are no table.
    """
    counts = np.bincount(column)
    longest = int(counts.argmax())
    in_row = np.abs(bottom[:, None] - bottom[None, column == longest]).min(axis=1) < SAME_ROW_X_HEIGHTS * unit
    shares = [float(in_row[column == k].mean()) for k in np.flatnonzero(counts) if k != longest]
    return sum(share > 0.5 for share in shares) >= least_columns - 1 and bool(in_row[column != longest].mean() > 0.5)


def _side_by_side(top: NDArray[np.float64], bottom: NDArray[np.float64], first: NDArray[np.bool_]) -> bool:
    """Whether more than half the lines of the smaller side share a row with the other: columns, not turns of a dialogue."""
    shared = np.minimum(bottom[first, None], bottom[None, ~first]) > np.maximum(top[first, None], top[None, ~first])
    smaller = shared.any(axis=1) if first.sum() <= (~first).sum() else shared.any(axis=0)
    return bool(smaller.mean() > 0.5)


def _is_one_row(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> bool:
    return bool(top.max() < bottom.min())


def _columns_appear(index: NDArray[np.int64], boxes: Boxes, unit: float) -> bool:
    """Whether lines stand side by side, so that a cut into bands may set columns free."""
    left, top, right, bottom = boxes[index].T
    beside = (left[:, None] > right[None, :] + 0.5 * unit) & (
        np.minimum(bottom[:, None], bottom) > np.maximum(top[:, None], top)
    )
    return bool(beside.any())


def _sorted_lines(index: NDArray[np.int64], boxes: Boxes) -> list[int]:
    """Top to bottom; lines that share a row left to right."""
    rest = sorted((int(i) for i in index), key=lambda i: float(boxes[i, 1] + boxes[i, 3]))
    ordered: list[int] = []
    while rest:
        first = rest[0]
        row = [
            i
            for i in rest
            if min(boxes[i, 3], boxes[first, 3]) - max(boxes[i, 1], boxes[first, 1])
            > 0.4 * (boxes[first, 3] - boxes[first, 1])
        ]
        row.sort(key=lambda i: float(boxes[i, 0]))
        ordered += row
        rest = [i for i in rest if i not in row]
    return ordered


def _without_numbers(block: list[int], boxes: Boxes, unit: float) -> list[list[int]]:
    """Set apart a short first or last line that stands well off the rest: a page number, a signature of sheets."""
    if len(block) < 4:
        return [block]
    middles = boxes[block, 1] + boxes[block, 3]
    steps = np.abs(np.diff(middles)) / 2
    far = steps > 1.6 * median(steps)
    short = boxes[block, 2] - boxes[block, 0] < NUMBER_WIDTH * unit
    first, last = int(far[0] and short[0]), len(block) - int(far[-1] and short[-1])
    return [part for part in (block[:first], block[first:last], block[last:]) if part]


def _extent(lines: list[FoundLine]) -> NDArray[np.float32]:
    return extent_of(line.polygon for line in lines)


def region_of(lines: list[FoundLine]) -> FoundRegion:
    """Return lines in their order as one region of text."""
    return FoundRegion("MainZone", ring_of(_extent(lines)), tuple(lines))


def _merged(blocks: list[list[FoundLine]], unit: float) -> list[list[FoundLine]]:
    """Join blocks that follow each other in one column without much space between: cuts made for a neighbour's sake."""
    merged = [blocks[0]]
    for block in blocks[1:]:
        above, below = _extent(merged[-1]), _extent(block)
        shared = min(above[2], below[2]) - max(above[0], below[0])
        whole = max(above[2], below[2]) - min(above[0], below[0])
        if shared >= SAME_COLUMN * whole and -2.0 * unit < below[1] - above[3] < SAME_BLOCK * unit:
            merged[-1] = merged[-1] + block
        else:
            merged.append(block)
    return merged


def _kind(box: NDArray[np.float32], main: NDArray[np.float32], lines: int, unit: float) -> str:
    """Zone of a block by its place beside the largest one: numbers over or under it, notes next to it."""
    left, top, right, bottom = box
    narrow = right - left < NOTE_WIDTH * (main[2] - main[0])
    middle = (left + right) / 2
    if lines == 1 and right - left < NUMBER_WIDTH * unit and (bottom <= main[1] or top >= main[3]):
        return "NumberingZone"
    if narrow and not main[0] <= middle <= main[2] and min(bottom, main[3]) > max(top, main[1]):
        return "MarginTextZone"
    return "MainZone"


def in_reading_order(lines: list[FoundLine], table: TableArea | None = None) -> tuple[FoundRegion, ...]:
    """Group lines into regions and put both into reading order.

    ``table`` is where a table stands: its lines make a region of their own, row by row.
    """
    if table is None or not lines:
        return _regions(lines)
    boxes = boxes_of(lines)
    across, down = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    inside = (across >= table.left) & (across <= table.right) & (down >= table.top) & (down <= table.bottom)
    above = ~inside & (down < table.top)
    if holds_text_columns(boxes[inside], median([line.x_height_px for line in lines])):
        return _regions(lines)
    groups = [
        [line for line, taken in zip(lines, mask, strict=True) if taken] for mask in (above, inside, ~inside & ~above)
    ]
    cells = order_cells(boxes[inside])
    rows = (FoundRegion(table.kind, ring_of(_extent(groups[1])), tuple(groups[1][k] for k in cells)),) if cells else ()
    return _regions(groups[0]) + rows + _regions(groups[2])


def _regions(lines: list[FoundLine]) -> tuple[FoundRegion, ...]:
    """Regions of running text."""
    if not lines:
        return ()
    boxes = boxes_of(lines)
    unit = median([line.x_height_px for line in lines])
    sorted_blocks = [_sorted_lines(block, boxes) for block in _blocks(np.arange(len(lines)), boxes, unit)]
    blocks = [[lines[i] for i in part] for block in sorted_blocks for part in _without_numbers(block, boxes, unit)]
    blocks = _merged(blocks, unit)
    extents = [_extent(block) for block in blocks]
    main = max(extents, key=lambda box: float((box[2] - box[0]) * (box[3] - box[1])))
    return tuple(
        FoundRegion(_kind(box, main, len(block), unit), ring_of(box), tuple(block))
        for block, box in zip(blocks, extents, strict=True)
    )
