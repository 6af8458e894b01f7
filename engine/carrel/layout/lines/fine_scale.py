"""A second look at writing that was too small to be seen: closer, and only where ink was left over."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.heatmaps import baselines, segmenter_input
from carrel.layout.lines.polygons import Body, covered_by
from carrel.layout.types import Heatmaps

SMALLEST_LETTER_PX = 4
TALLEST_LETTER = 3.0
LEAST_LETTERS = 8
LEAST_WIDTH = 6.0
INPUT_LETTER_PX = 15.0
CLOSER_BY = 1.25
"""A look that is not closer than the first by this factor would show nothing new."""
LARGEST_LOOK_PX = 1_200_000
MOST_PX = 2_000_000
COVERED = 0.3
PROBABLE = 0.75
"""Least probability of a line; more than at the first look, which would have seen a clear one."""

Box = tuple[int, int, int, int]


def seen_closer(gray: NDArray[np.uint8], ink: Ink, bodies: list[Body], heatmaps: Heatmaps, scale: float) -> list[Body]:
    """Bodies of small writing that ``bodies``, found with ``scale`` px of the segmenter's input per px of the page, miss.

    Groups of connected ink that look like small letters are shown to the segmenter again, larger. The looks together
    take at most ``MOST_PX`` of input, the groups of most letters first.
    """
    covered = covered_by(bodies, ink.mask.shape)
    found: list[Body] = []
    left_px = MOST_PX
    for (left, top, right, bottom), letter in _groups(ink, covered, bodies):
        factor = INPUT_LETTER_PX / letter  # px of the input per working px
        pixels = (right - left) * (bottom - top)
        factor = min(factor, float(np.sqrt(LARGEST_LOOK_PX / pixels)))
        if factor * ink.scale < CLOSER_BY * scale or pixels * factor**2 > left_px:
            continue
        left_px -= round(pixels * factor**2)
        page = [round(side / ink.scale) for side in (left, top, right, bottom)]
        look = segmenter_input(gray[page[1] : page[3], page[0] : page[2]], factor * ink.scale)
        for one in baselines(heatmaps(look)):
            x = np.arange(left + one.strand.x[0] / factor, left + one.strand.x[-1] / factor + 1.0)
            base = top + np.interp((x - left) * factor, one.strand.x, one.strand.y) / factor
            body = Body(x, base, one.x_height_px / factor)
            if one.probability >= PROBABLE and _is_new(body, covered):
                found.append(body)
    return found


def _groups(ink: Ink, covered: NDArray[np.uint8], bodies: list[Body]) -> list[tuple[Box, float]]:
    """Boxes around letters that no body holds, working px, and the height of their letters; most letters first."""
    unit = median([body.x_height_px for body in bodies])
    stats = ink.parts.stats
    inside = ink.parts.shares_within(covered)
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    letters = (
        (inside < COVERED) & (height >= SMALLEST_LETTER_PX) & (height < TALLEST_LETTER * unit) & (width < 6 * height)
    )
    letters[0] = False
    if letters.sum() < LEAST_LETTERS:
        return []
    usual = median(height[letters])
    mask = ink.parts.kept(letters).mask()
    reach = np.ones((round(1.5 * usual) | 1, round(3.0 * usual) | 1), np.uint8)
    count, places, boxes, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, reach), connectivity=8)
    middle = (stats[:, :2] + stats[:, 2:4] // 2)[letters]
    member = places[middle[:, 1].clip(0, mask.shape[0] - 1), middle[:, 0].clip(0, mask.shape[1] - 1)]
    groups: list[tuple[int, Box, float]] = []
    for k in range(1, count):
        heights = height[letters][member == k]
        left, top, wide, tall = (int(side) for side in boxes[k, :4])
        if len(heights) >= LEAST_LETTERS and wide > LEAST_WIDTH * median(heights):
            letter = median(heights)
            margin = round(2 * letter)
            box = (max(0, left - margin), max(0, top - margin), left + wide + margin, top + tall + margin)
            groups.append(
                (len(heights), (box[0], box[1], min(mask.shape[1], box[2]), min(mask.shape[0], box[3])), letter)
            )
    return [(box, letter) for _, box, letter in sorted(groups, key=lambda group: -group[0])]


def _is_new(body: Body, covered: NDArray[np.uint8]) -> bool:
    """Whether most of the middle of a body lies in no other."""
    rows = np.clip(np.rint(body.base - 0.5 * body.x_height_px).astype(np.int64), 0, covered.shape[0] - 1)
    columns = np.clip(np.rint(body.x).astype(np.int64), 0, covered.shape[1] - 1)
    return float(covered[rows, columns].mean()) < COVERED
