"""Glare: places of a page where light is thrown back so strongly that the paper is white and the ink fades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import gray_levels

Gray = NDArray[np.uint8]
CELL_X_HEIGHTS = 0.5  # of the reduced page
AROUND_CELLS = 5  # within which there is ink where there is text
MIN_WHITE = 244  # gray level of paper in glare
MIN_BRIGHTER = 10  # gray levels than the usual paper of the lines: clean scans are white everywhere
MAX_DEPTH_SHARE = 0.5  # of the usual depth of ink, what is left of it in glare
MIN_CELLS = 9  # across, of a place: gaps between lines and words are smaller


def measure_glare(gray: Gray, polygons: Sequence[NDArray[np.floating]], x_height_px: float) -> float:
    """Measure the share in [0, 1] of the text's area on which glare lies.

    Parameters
    ----------
    gray
        The scan, uint8 ``(h, w)``.
    polygons
        ``(m, 2)`` of each line, px of ``gray``.
    x_height_px
        Height of small letters.
    """
    import cv2

    scale = min(1.0, 1.0 / max(1.0, CELL_X_HEIGHTS * x_height_px))
    if not polygons or min(gray.shape) * scale < 2 * MIN_CELLS:
        return 0.0
    size = (round(gray.shape[1] * scale), round(gray.shape[0] * scale))
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    around = np.ones((AROUND_CELLS, AROUND_CELLS), np.uint8)
    paper = np.asarray(cv2.dilate(small, around), np.uint8)
    depth = np.asarray(cv2.subtract(paper, cv2.erode(small, around)), np.uint8)
    lines, text = np.zeros(small.shape, np.uint8), np.zeros(small.shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(lines, [np.rint(polygon * scale).astype(np.int32)], (1,))
    hull = cv2.convexHull(np.concatenate(polygons).astype(np.float32)) * scale
    cv2.fillPoly(text, [np.rint(hull).astype(np.int32)], (1,))
    usual_paper = int(gray_levels(paper, (0.5,), lines)[0])
    usual_depth = int(gray_levels(depth, (0.5,), lines)[0])
    white = (paper >= max(MIN_WHITE, usual_paper + MIN_BRIGHTER)) & (depth < MAX_DEPTH_SHARE * usual_depth)
    places = cv2.morphologyEx(
        (white & (text > 0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((MIN_CELLS,) * 2, np.uint8)
    )
    return cv2.countNonZero(places) / max(1, cv2.countNonZero(text))
