"""Pictures on a page: ink without white between lines, where what looks like a line is a row of dots or an edge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink, Mask
from carrel.layout.types import Boxes, FoundLine

CELLS_PER_X_HEIGHT = 4
MIN_CELL_INK = 8  # of 255
CLOSED_X_HEIGHTS = 0.7  # the white between the dots of a screen, less than between lines
SOLID_X_HEIGHTS = 4.0  # height and width that no writing fills
NEAR_X_HEIGHTS = 2.0  # dark parts of one picture
MIN_PICTURE_X_HEIGHTS = 8.0  # least side
MIN_SOLID_SHARE = 0.4  # of a picture: the rest is bright
EDGE_X_HEIGHTS = 1.0  # by which a line may lie beyond the edge
MAX_LINES_SHARE = 0.6  # of a picture by lines in it: more is writing
MIN_INSIDE_SHARE, SAMPLES = 0.8, 16  # of a line


def without_lines_in_pictures(lines: Sequence[FoundLine], ink: Ink) -> list[FoundLine]:
    """Drop the lines that lie in a picture, px of the page: a halftone, a photograph."""
    if not lines:
        return []
    unit = median([line.x_height_px for line in lines]) * ink.scale
    pictures = find_pictures(ink, unit)
    if not len(pictures):
        return list(lines)
    kept = list(lines)
    for picture in pictures / ink.scale:
        inside = [_lies_in(line, picture, EDGE_X_HEIGHTS * unit / ink.scale) for line in kept]
        if not _fill(list(compress(kept, inside)), picture):
            kept = [line for line, lies_inside in zip(kept, inside, strict=True) if not lies_inside]
    return kept


def _fill(lines: Sequence[FoundLine], picture: NDArray[np.float64]) -> bool:
    """Tell whether lines fill what looks like a picture: it is dense writing."""
    left, top, right, bottom = picture
    covered = sum(2.0 * line.x_height_px * float(np.ptp(line.baseline[:, 0])) for line in lines)
    return covered > MAX_LINES_SHARE * (right - left) * (bottom - top)


def find_pictures(ink: Ink, x_height_px: float) -> Boxes:
    """Find the pictures of a page whose writing is so high, ``(n, 4)``: left, top, right, bottom, working px."""
    height, width = ink.mask.shape
    step = max(1, round(x_height_px / CELLS_PER_X_HEIGHT))
    cells = x_height_px / step
    if not _solid(ink.mask, step, cells).any():
        return np.zeros((0, 4))
    solid = _solid(_away_from_edges(ink), step, cells)
    near = np.ones((round(NEAR_X_HEIGHTS * cells) | 1,) * 2, np.uint8)
    count, labels = cv2.connectedComponents(cv2.dilate(solid, near), connectivity=8)
    found: list[tuple[int, ...]] = []
    for k in range(1, count):
        y, x = np.nonzero(solid & (labels == k))
        box = int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
        wide, high = box[2] - box[0], box[3] - box[1]
        if min(wide, high) >= MIN_PICTURE_X_HEIGHTS * cells and len(x) >= MIN_SOLID_SHARE * wide * high:
            found.append(box)
    limits = np.array((width, height, width, height), np.float64)
    return np.minimum(np.array(found, np.float64).reshape(-1, 4) * step, limits)


def _away_from_edges(ink: Ink) -> Mask:
    """All that is dark and does not hang on the edge of the image: the dark parts of pictures are too massive for writing."""
    height, width = ink.mask.shape
    left, top, wide, high, _ = ink.dark.stats.T
    return ink.dark.kept((left > 1) & (top > 1) & (left + wide < width - 1) & (top + high < height - 1)).mask()


def _solid(mask: Mask, step: int, cells: float) -> Mask:
    """Where cells of ``step`` px hold ink without a white line between them, uint8 0 or 1."""
    height, width = mask.shape
    size = (max(1, width // step), max(1, height // step))
    inked = (cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_AREA) > MIN_CELL_INK).astype(np.uint8)
    closed = cv2.morphologyEx(inked, cv2.MORPH_CLOSE, np.ones((max(1, round(CLOSED_X_HEIGHTS * cells)),) * 2, np.uint8))
    kernel = np.ones((round(SOLID_X_HEIGHTS * cells),) * 2, np.uint8)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    return opened.astype(np.uint8)


def _lies_in(line: FoundLine, picture: NDArray[np.float64], edge_px: float) -> bool:
    """Tell whether the most of a line lies in a picture, px of the page."""
    at = np.linspace(0, len(line.baseline) - 1, SAMPLES)
    x, y = (np.interp(at, np.arange(len(line.baseline)), along) for along in line.baseline.astype(np.float64).T)
    middle = y - 0.5 * line.x_height_px
    left, top, right, bottom = picture + np.array((-1, -1, 1, 1)) * edge_px
    return float(((x > left) & (x < right) & (middle > top) & (middle < bottom)).mean()) >= MIN_INSIDE_SHARE
