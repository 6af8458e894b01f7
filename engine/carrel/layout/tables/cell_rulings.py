"""Which upright rules are borders of cells: those that lines do not write across."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink, Mask, components_kept
from carrel.layout.lines.polygons import Body

WRITTEN_ACROSS = 0.5
"""A rule that more than this share of the lines over it write across is a shadow, a fold or from the back of the paper."""
SHORT, MOST_OVER_SHORT = 0.6, 5
"""A rule below this share of the height of the tallest that more lines run over is none: strokes of dense writing that
stand over each other."""
LEAST_LINES = 4
CLOSE = 0.5
"""Ink on both sides of a rule and nearer to it than this, in x-heights, is of one word."""
EDGE_PX = 2
"""Ink so near to a rule is the rule's."""


def borders(bodies: list[Body], rules: Mask, ink: Ink) -> Mask:
    """The ``rules`` ``(h, w)``, 0 or 1, without those that most of the lines which run over them write across."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rules, connectivity=8)
    labels = labels.astype(np.int32, copy=False)
    over, across = np.zeros((2, len(stats)), np.int64)
    for body in bodies:
        x, rows = _body_pixels(body, rules.shape)
        inked, crossed = ink.mask[rows, x].max(axis=0) > 0, labels[rows, x]
        for rule in np.unique(crossed[crossed > 0]):
            over[rule] += 1
            across[rule] += _is_one_word(inked, np.flatnonzero((crossed == rule).any(axis=0)), body.x_height_px)
    height = stats[:, cv2.CC_STAT_HEIGHT]
    strokes = (height < SHORT * height[1:].max(initial=0)) & (over > MOST_OVER_SHORT)
    shadows = (over >= LEAST_LINES) & (across > WRITTEN_ACROSS * over)
    return components_kept(rules, labels, ~strokes & ~shadows)


def _body_pixels(body: Body, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns ``(k,)`` and rows ``(r, k)`` of the small letters of a line."""
    offsets = np.arange(-round(0.9 * body.x_height_px), 0)[:, None]
    rows = np.clip(np.rint(body.base).astype(np.int64)[None, :] + offsets, 0, shape[0] - 1)
    return np.clip(np.rint(body.x).astype(np.int64), 0, shape[1] - 1), rows


def _is_one_word(inked: NDArray[np.bool_], rule: NDArray[np.int64], x_height_px: float) -> bool:
    """Whether there is ink close to both sides of the columns of a rule, along one line."""
    near = max(1, round(CLOSE * x_height_px))
    before, after = max(0, int(rule[0]) - EDGE_PX), int(rule[-1]) + EDGE_PX + 1
    return bool(inked[max(0, before - near) : before].any() and inked[after : after + near].any())
