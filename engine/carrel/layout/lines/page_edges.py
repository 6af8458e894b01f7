"""Lines that the edge of the scan cuts off: those of the facing page, and those whose letters it halves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.image.median import median
from carrel.layout.types import FoundLine

EDGE_SHARE = 0.02
"""A line that ends nearer to the side of the scan than this share of its width is cut: it is of a facing page, no cell of a table."""
MIN_CUT_LINES = 4
MIN_CUT_SHARE = 0.2
"""A facing page has as many lines as this share of the others at least,"""
MIN_CUT_SHARE_BESIDE = 0.3
"""and as this share of those beside its own; numbers in the margin have fewer."""
HEAD_X_HEIGHTS, FOOT_X_HEIGHTS = 0.8, 0.25
"""How far a baseline must be from the upper and the lower edge of the scan, in x-heights."""
SHORT_SHARE = 0.6
"""Cut lines are shorter than this share of the others."""


def without_facing_page(lines: Sequence[FoundLine], width_px: int) -> list[FoundLine]:
    """Drop the lines of a facing page that the left or right edge of the scan cuts through.

    A facing page is a column beside nearly all other lines, of which several run into the edge. Lines of a scan
    that is merely close-cut start or end with the others and stay.
    """
    kept = list(lines)
    for mirrored in (False, True):
        spans = np.array([_span(line, width_px, mirrored) for line in kept]).reshape(-1, 2)
        dropped = _facing(spans, np.array([_middle(line) for line in kept]), width_px)
        kept = [line for line, drop in zip(kept, dropped, strict=True) if not drop]
    return kept


def without_halved_lines(lines: Sequence[FoundLine], height_px: int) -> list[FoundLine]:
    """Drop the lines whose letters the upper or lower edge of the scan cuts through: nobody can read them.

    Of an image of a few lines, cut close, all stay.
    """
    whole = [
        line
        for line in lines
        if HEAD_X_HEIGHTS * line.x_height_px < _middle(line) < height_px - FOOT_X_HEIGHTS * line.x_height_px
    ]
    return whole if len(whole) >= MIN_CUT_LINES else list(lines)


def _middle(line: FoundLine) -> float:
    return median(line.baseline[:, 1])


def _span(line: FoundLine, width_px: int, mirrored: bool) -> tuple[float, float]:
    left, right = float(line.polygon[:, 0].min()), float(line.polygon[:, 0].max())
    return (width_px - right, width_px - left) if mirrored else (left, right)


def _facing(spans: np.ndarray, heights: np.ndarray, width_px: int) -> np.ndarray:
    """Which lines ``(n, 2)``, left and right, at ``heights`` (n,), belong to a page that the right edge cuts, bool (n,)."""
    none = np.zeros(len(spans), bool)
    cut = spans[:, 1] >= (1 - EDGE_SHARE) * width_px
    if cut.sum() < MIN_CUT_LINES or cut.all():
        return none
    gutter = float(np.percentile(spans[~cut, 1], 90))
    ends = cut & (spans[:, 0] > gutter - EDGE_SHARE * width_px)
    if ends.sum() < max(MIN_CUT_LINES, MIN_CUT_SHARE * int((~cut).sum())):
        return none
    beside = ~cut & (heights >= heights[ends].min()) & (heights <= heights[ends].max())
    if ends.sum() < MIN_CUT_SHARE_BESIDE * int(beside.sum()):
        return none
    begins = spans[ends, 0]
    facing = spans[:, 0] >= float(np.percentile(begins, 10)) - EDGE_SHARE * width_px
    lengths = spans[:, 1] - spans[:, 0]
    return facing if median(lengths[facing]) < SHORT_SHARE * median(lengths[~facing]) else none
