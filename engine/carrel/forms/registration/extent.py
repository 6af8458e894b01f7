"""First maps by the extent of the rulings, where words are few or read badly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carrel.forms.fields import Template
from carrel.forms.registration.maps import Matrix, Points, scaled
from carrel.forms.registration.rulings import Mask, Rulings

REFERENCE_PX = 1600.0
"""Longest side of the picture that the template's rulings are drawn on."""


def by_extent(template: Template, rulings: Rulings) -> Iterator[Matrix]:
    """Yield maps that lay the largest connected rulings of the template on those of the page, all on all, and page on page."""
    import cv2

    height, width = rulings.level.shape
    both = np.maximum(rulings.level, rulings.upright)
    if template.rulings and both.any():
        scale = REFERENCE_PX / max(template.width_px, template.height_px)
        drawn = np.zeros((round(template.height_px * scale) + 4, round(template.width_px * scale) + 4), np.uint8)
        for ends in template.rulings:
            x1, y1, x2, y2 = (round(value * scale) for value in ends)
            cv2.line(drawn, (x1, y1), (x2, y2), (1,), 3)
        for own, on_page in zip(_extents(drawn), _extents(both), strict=True):
            low, high = own[0] / scale, own[1] / scale
            if (high - low).min() > 0:
                factor = (on_page[1] - on_page[0]) / (high - low)
                yield scaled(factor, on_page[0] - factor * low)
    yield scaled(np.array([width / template.width_px, height / template.height_px]), np.zeros(2))


def _extents(mask: Mask) -> list[tuple[Points, Points]]:
    """The corners of the largest connected strokes of a mask, and those of all of them."""
    import cv2

    joined = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_WIDTH].astype(np.int64) * stats[1:, cv2.CC_STAT_HEIGHT]))
    found: list[tuple[Points, Points]] = []
    for chosen in ((labels == largest) & (mask > 0), mask > 0):
        rows, columns = np.nonzero(chosen)
        places = np.c_[columns, rows].astype(np.float64)
        found.append((np.percentile(places, 0.2, axis=0), np.percentile(places, 99.8, axis=0)))
    return found
