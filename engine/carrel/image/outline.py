"""The page in a photograph: the bright sheet on a darker table, and the lines that lie beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median

SIDE_PX = 160  # of the reduced picture
MAX_TABLE_BRIGHTNESS = 0.7  # of the brightness of the paper around the lines
MIN_TABLE_SHARE = 0.05  # of the picture: less is a rim
MAX_STRAY_LENGTH = 0.5  # of the median line: longer ones tell that the sheet was not found whole

RIM_SHARE = 0.02  # of the longer side

Polygon = NDArray[np.floating]


def beside_the_sheet(gray: NDArray[np.uint8], polygons: Sequence[Polygon]) -> NDArray[np.bool_]:
    """Tell which short lines lie beside the sheet of paper that holds the others, bool (n,).

    Parameters
    ----------
    gray
        uint8 ``(h, w)``, as it was scanned.
    polygons
        ``(m, 2)`` of each line, px of ``gray``.
    """
    none = np.zeros(len(polygons), bool)
    if len(polygons) < 3:
        return none
    import cv2

    scale = min(1.0, SIDE_PX / max(gray.shape))
    small = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    ground = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    middles = np.array([polygon.mean(axis=0) for polygon in polygons])
    lengths = np.array([float(np.ptp(polygon[:, 0]) + np.ptp(polygon[:, 1])) for polygon in polygons])
    at = np.clip((middles * scale).astype(int), 0, (small.shape[1] - 1, small.shape[0] - 1))
    paper = median(ground[at[:, 1], at[:, 0]])
    sheet = (ground >= MAX_TABLE_BRIGHTNESS * paper).astype(np.uint8)
    if 1 - cv2.countNonZero(sheet) / sheet.size < MIN_TABLE_SHARE:
        return none
    outlines, _ = cv2.findContours(sheet, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return none
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
    outside = np.array([cv2.pointPolygonTest(hull, (float(x), float(y)), True) < -1.0 for x, y in middles * scale])
    return outside & (lengths < MAX_STRAY_LENGTH * median(lengths)) & _at_the_rim(polygons, gray.shape)


def _at_the_rim(polygons: Sequence[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which lines reach to the rim of the picture: a line further in may be on paper in shadow."""
    height, width = shape
    rim = RIM_SHARE * max(shape)
    low = np.array([polygon.min(axis=0) for polygon in polygons])
    high = np.array([polygon.max(axis=0) for polygon in polygons])
    return np.logical_or((low < rim).any(axis=1), (high > (width - rim, height - rim)).any(axis=1))
