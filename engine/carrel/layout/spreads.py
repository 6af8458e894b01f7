"""Spreads: two pages in one picture, found by their gutter, each deskewed and segmented apart."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Affine, Geometry
from carrel.image.prepare import prepare
from carrel.layout.fold import MIDDLE, find_fold, is_crossed, rulings_cross
from carrel.layout.ink import Ink
from carrel.layout.tables.rulings import Table, find_table
from carrel.layout.types import FoundRegion

MIN_ASPECT = 1.15  # width to height: two pages side by side; single pages lie below, but for broadsheets on their side
MIN_GUTTER_X_HEIGHTS = 2.5  # without ink: more than between words
MAX_GUTTER_INK_SHARE = 0.004  # of the ink of the page: specks, and what a line's end reaches over
CROSSING_X_HEIGHTS, MAX_CROSSING_ROWS_X_HEIGHTS = (0.1, 1.25), 0.5  # from the gutter; rows of words across it
MIN_HALF_INK_SHARE = 0.12  # of either page: less is a marginal note
LINE_GAP_X_HEIGHTS = 2.5
MIN_PAGE_LINE_X_HEIGHTS, MIN_PAGE_LINES = 14.0, 3  # long lines of either page: columns of numbers have none
MIN_WORD_X_HEIGHTS, MIN_LONG_SHARE = 1.5, 0.6
"""Of what is written, by its length, in long lines: a table has a few long cells."""
ROW_INK_X_HEIGHTS = 1.0  # more tells no more of a row
MIN_ROW_CORRELATION = 0.8
"""Of the ink of the halves of one table; both spreads without a fold on val and train pages have less than 0.4."""
MIN_ACROSS_SHARE = 0.1
"""A table runs across where it reaches so many widths beyond the gutter on both sides."""
SAME_RULING_SHARE = 0.025  # of the width: rulings of two pages of one form stand so near to the same place
SAME_FORM_SHARE = 0.7  # of the rulings of either page that the other has too


def segment_spread(
    gray: NDArray[np.uint8], gutter_px: float, segment: Callable[[NDArray[np.uint8]], tuple[FoundRegion, ...]]
) -> tuple[FoundRegion, ...]:
    """Let ``segment`` segment both pages of a spread, each deskewed; left then right, in px of ``gray``."""
    middle = round(gutter_px)
    regions: list[FoundRegion] = []
    for left, half in ((0, gray[:, :middle]), (middle, gray[:, middle:])):
        prepared = prepare(np.ascontiguousarray(half), flatten=False, perspective=False)
        to_page = prepared.geometry.then(Geometry((Affine(((1, 0, left), (0, 1, 0))),)))
        regions += [region.on_scan(to_page) for region in segment(prepared.gray)]
    return tuple(regions)


def is_wide(gray: NDArray[np.uint8]) -> bool:
    """Tell whether a picture is as wide as two pages side by side."""
    height, width = gray.shape
    return width >= MIN_ASPECT * height


def find_gutter(small: NDArray[np.uint8], ink: Ink, rulings: Callable[[], NDArray[np.uint8]]) -> float | None:
    """Find the gutter of a wide picture, px from the left at full size; None where it holds one page.

    A fold that no words cross runs down near its middle, or a band without writing between two
    pages with writing. A table that runs across makes one page of both: level rulings cross the fold, or it is not two
    tables of one form.
    """
    fold = find_fold(small)
    if fold is not None and not is_crossed(ink, fold):
        return None if rulings_cross(small, fold, ink.x_height_px) else fold / ink.scale
    gutter = _empty_band(ink)
    if gutter is None or _words_cross(ink, round(gutter)) or not _hold_long_lines(ink, round(gutter)):
        return None
    table = find_table(small, rulings(), ink.x_height_px)
    if table is not None and _runs_across(table, gutter, ink.mask.shape[1]):
        return None
    return gutter / ink.scale


def _empty_band(ink: Ink) -> float | None:
    """Middle of the widest band near the middle of the page that hardly any ink crosses, working px."""
    columns = cv2.reduce(ink.mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0].astype(np.int64)
    total, width = int(columns.sum()), len(columns)
    if not total:
        return None
    sums = np.concatenate(([0], np.cumsum(columns)))
    band = max(3, round(MIN_GUTTER_X_HEIGHTS * ink.x_height_px))
    starts = np.arange(round(MIDDLE[0] * width), max(round(MIDDLE[0] * width) + 1, round(MIDDLE[1] * width) - band))
    starts = starts[starts + band < width]
    inked = sums[starts + band] - sums[starts]
    empty = starts[inked <= MAX_GUTTER_INK_SHARE * total]
    if not len(empty):
        return None
    runs = np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1)
    widest = max(runs, key=len)
    middle = (int(widest[0]) + int(widest[-1]) + band) / 2
    left = int(sums[round(middle)])
    return middle if min(left, total - left) >= MIN_HALF_INK_SHARE * total else None


def _words_cross(ink: Ink, gutter: int) -> bool:
    """Tell whether letters stand close to both sides of a band's middle in some rows: a heading, or text below two columns."""
    near, far = (max(1, round(share * ink.x_height_px)) for share in CROSSING_X_HEIGHTS)
    left = ink.mask[:, max(0, gutter - far) : max(1, gutter - near)].any(axis=1)
    right = ink.mask[:, gutter + near : gutter + far].any(axis=1)
    return int((left & right).sum()) > MAX_CROSSING_ROWS_X_HEIGHTS * ink.x_height_px


def _hold_long_lines(ink: Ink, gutter: int) -> bool:
    """Tell whether both pages have lines of text, which tables and cards that are cut in two have on one side only."""
    window = np.ones((1, round(LINE_GAP_X_HEIGHTS * ink.x_height_px) | 1), np.uint8)
    for half in (ink.mask[:, :gutter], ink.mask[:, gutter:]):
        joined = cv2.morphologyEx(half, cv2.MORPH_CLOSE, window, borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
        stats = cv2.connectedComponentsWithStats(joined, connectivity=8)[2][1:]
        width = stats[:, cv2.CC_STAT_WIDTH].astype(np.int64)
        lines = width[width > MIN_PAGE_LINE_X_HEIGHTS * ink.x_height_px]
        words = width[width > MIN_WORD_X_HEIGHTS * ink.x_height_px]
        if len(lines) < MIN_PAGE_LINES:
            return False
        if lines.sum() < MIN_LONG_SHARE * words.sum() and _rows_go_on(ink, gutter):
            return False
    return True


def _rows_go_on(ink: Ink, gutter: int) -> bool:
    """Tell whether both halves have their ink in the same rows, as the cells of one table do."""
    profiles: list[NDArray[np.float64]] = []
    for half in (ink.mask[:, :gutter], ink.mask[:, gutter:]):
        inked = np.minimum(half.sum(axis=1, dtype=np.float64), ROW_INK_X_HEIGHTS * ink.x_height_px)
        rows = cv2.blur(inked[:, None], (1, max(1, round(ink.x_height_px))))[:, 0]
        profiles.append((rows - rows.mean()).astype(np.float64))
    size = float(np.sqrt((profiles[0] ** 2).sum() * (profiles[1] ** 2).sum()))
    return float((profiles[0] * profiles[1]).sum()) > MIN_ROW_CORRELATION * size


def _runs_across(table: Table, gutter: float, width: int) -> bool:
    """Tell whether one table reaches over both pages, and not a table of the same form on each."""
    left, _, right, _ = table.box
    if gutter - left < MIN_ACROSS_SHARE * width or right - gutter < MIN_ACROSS_SHARE * width:
        return False
    places = _ruling_places(table)
    first, second = places[places < gutter], places[places >= gutter]
    return not _same_form(first, second, SAME_RULING_SHARE * width)


def _ruling_places(table: Table) -> NDArray[np.float64]:
    """Mean x of every upright ruling of at least a third of the table's height."""
    count, _, stats, centers = cv2.connectedComponentsWithStats(table.rulings, connectivity=8)
    long = stats[1:count, cv2.CC_STAT_HEIGHT] > (table.box[3] - table.box[1]) / 3
    return np.sort(centers[1:count, 0][long]).astype(np.float64)


def _same_form(first: NDArray[np.float64], second: NDArray[np.float64], reach: float) -> bool:
    """Tell whether two pages have their rulings at the same places, one page shifted."""
    if min(len(first), len(second)) < 2:
        return False
    for shift in np.unique((second[:, None] - first[None, :]).ravel()):
        near = np.abs(second[:, None] - first[None, :] - shift) <= reach
        if min(near.any(axis=0).mean(), near.any(axis=1).mean()) >= SAME_FORM_SHARE:
            return True
    return False
