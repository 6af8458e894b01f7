"""Columns or cells, by what is read: a line of running text goes on in the next one of its column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.order.headed_columns import Columns, columns_between_gutters, is_title, order_columns
from carrel.layout.order.regions import boxes_of, region_of
from carrel.layout.order.sorted_lists import find_sorted_lists
from carrel.layout.types import FoundRegion
from carrel.page import STAMP_ZONE

MIN_LINES = 5  # of every column but the last
MIN_WORDS = 1.6  # of the mean line of a column; cells have fewer, or begin with capitals and numbers
MIN_SMALL_INITIALS = 0.5  # of the lines of a column: running text has 0.7 to 0.9, cells of names and numbers 0
MIN_TEXT_COLUMNS = 0.75  # of the columns
MIN_HYPHENS = 3  # at ends of lines: so many words that go on settle it
MIN_HYPHENS_KEPT = 0.8  # of them go on with a small letter in the next line of the column
MAX_CHANGES = 2  # of column, for each column and twice for what runs over some: more are rows
HYPHENS = "-\u2010\u00ac\u00ad"


def in_read_columns(regions: Sequence[FoundRegion], texts: Sequence[str]) -> tuple[FoundRegion, ...] | None:
    """Arrange lines that were taken for cells, or for one block after the other, as columns; None where they are none.

    Parameters
    ----------
    regions
        Of a page, px of the scan, in reading order.
    texts
        What was read in all their lines, in their order.
    """
    text_of = dict(zip((id(line) for region in regions for line in region.lines), texts, strict=True))
    text = [region for region in regions if region.kind not in (STAMP_ZONE, "MarginTextZone")]
    lines = [line for region in text for line in region.lines]
    if len(text) == len(regions) == 1 and regions[0].kind != "TableZone":
        return None
    if len(lines) < 3 * MIN_LINES:
        return None
    boxes = boxes_of(lines)
    title = is_title(boxes)
    rest = np.flatnonzero(~title)
    unit = median([line.x_height_px for line in lines])
    columns = columns_between_gutters(boxes[rest], unit)
    if columns is None or len(columns.edges) < 3 or not _are_read_across(columns):
        return None
    read = [text_of[id(lines[k])] for k in rest]
    if are_read_on(read, boxes[rest], columns):
        found = [part[np.argsort(boxes[rest][part, 3], kind="stable")] for part in order_columns(columns, boxes[rest])]
    else:
        found = find_sorted_lists(read, boxes[rest], columns, unit)
    if found is None:
        return None
    parts = [np.flatnonzero(title), *(rest[part] for part in found)]
    ordered = [region_of([lines[k] for k in part]) for part in parts if len(part)]
    return (*ordered, *(region for region in regions if all(region is not other for other in text)))


def _are_read_across(columns: Columns) -> bool:
    """Tell whether lines in their present order change from column to column again and again."""
    changes = int((np.diff(columns.reach, axis=0) != 0).any(axis=1).sum())
    crossing = int((columns.reach[:, 0] != columns.reach[:, 1]).sum())
    return changes > MAX_CHANGES * (len(columns.edges) + 2 * crossing)


def are_read_on(texts: Sequence[str], boxes: NDArray[np.float64], columns: Columns) -> bool:
    """Tell whether the lines of most columns go on in the next line: by words that are parted, or by small initials."""
    own = [
        [texts[k] for k in _down(boxes, (columns.reach == column).all(axis=1))] for column in range(len(columns.edges))
    ]
    if any(len(part) < MIN_LINES for part in own[:-1]):
        return False
    full = [part for part in own if len(part) >= MIN_LINES]
    parted = [_goes_on(after) for part in full for before, after in pairwise(part) if _is_parted(before)]
    if len(parted) >= MIN_HYPHENS and sum(parted) >= MIN_HYPHENS_KEPT * len(parted):
        return True
    running = [
        float(np.mean([_goes_on(line) for line in part])) >= MIN_SMALL_INITIALS
        and float(np.mean([len(line.split()) for line in part])) >= MIN_WORDS
        for part in full
    ]
    return sum(running) >= MIN_TEXT_COLUMNS * len(running)


def _down(boxes: NDArray[np.float64], chosen: NDArray[np.bool_]) -> list[int]:
    index = np.flatnonzero(chosen)
    return index[np.argsort(boxes[index, 3], kind="stable")].tolist()


def _is_parted(text: str) -> bool:
    """Tell whether a line ends within a word."""
    return len(text) > 2 and text[-1] in HYPHENS and text[-2].isalpha()


def _goes_on(text: str) -> bool:
    """Tell whether a line begins with a small letter, as the middle of a sentence does."""
    return text.lstrip("\"'([\u201c\u2018\u00ab ")[:1].islower()
