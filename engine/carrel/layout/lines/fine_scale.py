"""A finer second scale for writing that was too small for the first, only where ink was left over."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink
from carrel.layout.lines.heatmaps import segmenter_input, trace_baselines
from carrel.layout.lines.polygons import Baseline, cover_mask
from carrel.layout.types import Heatmaps

SMALLEST_LETTER_PX = 4
TALLEST_LETTER = 3.0
MIN_LETTERS = 8
MIN_WIDTHS = 0.75
"""Least width of a group, in heights of its letters for each letter that it must have."""
MIN_LARGE_LETTERS = 3
LARGE_LETTER, LARGEST_LETTER = 2.5, 20.0
"""Heights of large letters, in x-heights of the page: of titles."""
INPUT_LETTER_PX = 15.0
MIN_FACTOR = 1.25
"""A scale that is not finer than the first by this factor would show nothing new."""
MAX_TILE_PX = 1_200_000
MAX_TILES_PX = 2_000_000
COVERED_SHARE = 0.3
MIN_FINE_PROBABILITY = 0.75
"""Least probability of a line; more than at the first scale, which would have shown a clear one."""

Box = tuple[int, int, int, int]


def segment_at_fine_scale(
    gray: NDArray[np.uint8], ink: Ink, baselines: list[Baseline], heatmaps: Heatmaps, scale: float
) -> list[Baseline]:
    """Segment small writing that ``baselines``, found with ``scale`` px of the segmenter's input per px of the page, miss.

    Groups of connected ink that look like small letters are shown to the segmenter again, larger. The tiles together
    take at most ``MAX_TILES_PX`` of input, the groups of most letters first.
    """
    unit = median([baseline.x_height_px for baseline in baselines])
    covered = cover_mask(baselines, ink.mask.shape)
    small = _groups(ink, covered, (SMALLEST_LETTER_PX, TALLEST_LETTER * unit), MIN_LETTERS)
    large = _groups(ink, covered, (LARGE_LETTER * unit, LARGEST_LETTER * unit), MIN_LARGE_LETTERS)
    found: list[Baseline] = []
    left_px = MAX_TILES_PX
    for (left, top, right, bottom), letter in small + large:
        factor = INPUT_LETTER_PX / letter  # px of the input per working px
        pixels = (right - left) * (bottom - top)
        factor = min(factor, float(np.sqrt(MAX_TILE_PX / pixels)))
        change = factor * ink.scale / scale
        if 1 / MIN_FACTOR < change < MIN_FACTOR or pixels * factor**2 > left_px:
            continue
        left_px -= round(pixels * factor**2)
        page = [round(side / ink.scale) for side in (left, top, right, bottom)]
        tile = segmenter_input(gray[page[1] : page[3], page[0] : page[2]], factor * ink.scale)
        for one in trace_baselines(heatmaps(tile)):
            x = np.arange(left + one.candidate.x[0] / factor, left + one.candidate.x[-1] / factor + 1.0)
            base = top + np.interp((x - left) * factor, one.candidate.x, one.candidate.y) / factor
            baseline = Baseline(x, base, one.x_height_px / factor)
            if one.probability >= MIN_FINE_PROBABILITY and _is_new(baseline, covered):
                found.append(baseline)
    return found


def _groups(
    ink: Ink, covered: NDArray[np.uint8], heights_px: tuple[float, float], least: int
) -> list[tuple[Box, float]]:
    """Boxes around letters of such heights that no baseline holds, working px, and the height of their letters; those of
    most letters first, of ``least`` and more."""
    stats = ink.parts.stats
    inside = ink.parts.shares_within(covered)
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    letters = (inside < COVERED_SHARE) & (height >= heights_px[0]) & (height < heights_px[1]) & (width < 6 * height)
    letters[0] = False
    if letters.sum() < least:
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
        if len(heights) >= least and wide > MIN_WIDTHS * least * median(heights):
            letter = median(heights)
            margin = round(2 * letter)
            box = (max(0, left - margin), max(0, top - margin), left + wide + margin, top + tall + margin)
            groups.append(
                (len(heights), (box[0], box[1], min(mask.shape[1], box[2]), min(mask.shape[0], box[3])), letter)
            )
    return [(box, letter) for _, box, letter in sorted(groups, key=lambda group: -group[0])]


def _is_new(baseline: Baseline, covered: NDArray[np.uint8]) -> bool:
    """Tell whether most of the small letters of a baseline lie in no other."""
    rows = np.clip(np.rint(baseline.y - 0.5 * baseline.x_height_px).astype(np.int64), 0, covered.shape[0] - 1)
    columns = np.clip(np.rint(baseline.x).astype(np.int64), 0, covered.shape[1] - 1)
    return float(covered[rows, columns].mean()) < COVERED_SHARE
