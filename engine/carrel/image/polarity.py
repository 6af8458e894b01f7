"""Polarity: light writing on dark ground (microfilm, photostats, printed boxes) made dark on light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.image.bars import lighten_bars
from carrel.image.ink import gray_levels

_SAMPLED_PX = 100_000  # pixels that are sampled of a page, or up to four times as many
_DARK_GROUND = 128  # gray level
_WINDOW_PX = 31  # of the sampled page; wider than any stroke
_CLEAR_STEP, _MAX_STEP = 6, 128  # gray levels
_CLEAR_GRAINS = 4.5  # steps of so many median deviations, three standard ones, are no grain
_MIN_LIGHTER_RATIO = 1.3  # lighter to darker pixels; a page on a black table is below 1.2
_MIN_SKEWNESS = 0.5  # pages of archives are below -1, their negatives above 1
_MIN_LINE_SKEWNESS = 0.75  # one of 26,000 lines of 19 collections is above 0.6, light ones are above 0.95; 2026-11
_MIN_REGION_SHARE = 0.01  # of the page, of a dark region
_WRITTEN_SHARE = (0.02, 0.5)  # of a dark region that writing covers


def is_negative(gray: NDArray[np.uint8]) -> bool:
    """Return whether the page has light writing on dark ground.

    Writing takes less of its surroundings than the ground. On a negative the ground is dark, more pixels are lighter
    than the median around them than darker, and levels are skewed to the light against the mean around them. The first
    alone is true of dark paper, the last alone of faint writing beside a few white holes.

    Parameters
    ----------
    gray
        uint8, (h, w), 0 is black.
    """
    small = _sampled(gray)[0]
    if gray_levels(small, (0.5,))[0] >= _DARK_GROUND:
        return False
    return _is_written_light(small, _ground_of(small), np.ones(small.shape, bool))


def is_light_writing(counts: NDArray[np.float64]) -> bool:
    """Return whether a line is light writing on darker ground, however light that is.

    Writing takes less of a line than its ground: the levels are skewed to it.

    Parameters
    ----------
    counts
        Number of px of each gray level, (256,).
    """
    total = float(counts.sum())
    if total == 0:
        return False
    shares = counts / total
    steps = np.arange(256) - shares @ np.arange(256)
    variance = float(shares @ steps**2)
    return variance > _CLEAR_STEP and float(shares @ steps**3) > _MIN_LINE_SKEWNESS * variance**1.5


def positive(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return dark writing on light ground: a negative is inverted in place, and so are dark regions and bars with light writing.

    uint8 ``(h, w)`` in and out.
    """
    if is_negative(gray):
        np.invert(gray, out=gray)
    for rows, columns, mask in negative_regions(gray):
        part = gray[rows, columns]
        np.invert(part, out=part, where=mask)
    if _may_hold_dark_parts(gray):
        lighten_bars(gray)
    return gray


def negative_regions(gray: NDArray[np.uint8]) -> list[tuple[slice, slice, NDArray[np.bool_]]]:
    """Find dark regions with light writing on a page, uint8 ``(h, w)``, whose other writing is dark.

    Returns
    -------
    list of (slice, slice, ndarray of bool)
        Rows and columns of each, and which of their px belong to it.
    """
    import cv2

    small, step = _sampled(gray)
    if min(small.shape) < 2 * _WINDOW_PX or not _may_hold_dark_parts(gray):
        return []
    ground = _ground_of(small)
    dark = (ground < _DARK_GROUND).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found: list[tuple[slice, slice, NDArray[np.bool_]]] = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area < _MIN_REGION_SHARE * small.size or min(width, height) < _WINDOW_PX // 2:
            continue
        region = (labels == label).astype(np.uint8)
        inner = cv2.erode(region, np.ones((7, 7), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(1,)) > 0
        lighter = cv2.subtract(small, ground) > 4 * _CLEAR_STEP
        written = np.count_nonzero(lighter & inner) / max(1, np.count_nonzero(inner))
        if _WRITTEN_SHARE[0] <= written <= _WRITTEN_SHARE[1] and _is_written_light(small, ground, inner):
            rows = slice(top * step, min((top + height) * step, gray.shape[0]))
            columns = slice(left * step, min((left + width) * step, gray.shape[1]))
            part = region[top : top + height, left : left + width]
            size = (columns.stop - columns.start, rows.stop - rows.start)
            found.append((rows, columns, np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)) > 0))
    return found


def _may_hold_dark_parts(gray: NDArray[np.uint8]) -> bool:
    """Return whether a share of the page worth a look is dark over more than strokes."""
    import cv2

    dark = cv2.blur(_sampled(gray)[0], (9, 9)) < _DARK_GROUND
    return bool(dark.mean() >= _MIN_REGION_SHARE)


def _sampled(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Return every so many-th px of a page, and the distance between them."""
    step = max(1, int((gray.size / _SAMPLED_PX) ** 0.5))
    return np.ascontiguousarray(gray[::step, ::step]), step


def _ground_of(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.medianBlur(small, _WINDOW_PX), np.uint8)


def _is_written_light(small: NDArray[np.uint8], ground: NDArray[np.uint8], inside: NDArray[np.bool_]) -> bool:
    """Return whether the px inside are more often lighter than their ground, and skewed to the light."""
    import cv2

    difference = np.asarray(cv2.absdiff(small, ground), np.uint8)
    grain = float(gray_levels(difference, (0.5,), inside.view(np.uint8))[0])
    clear = max(_CLEAR_STEP, int(_CLEAR_GRAINS * grain))
    lighter = np.count_nonzero((cv2.subtract(small, ground) > clear) & inside)
    darker = np.count_nonzero((cv2.subtract(ground, small) > clear) & inside)
    step = cv2.subtract(small, cv2.blur(small, (_WINDOW_PX, _WINDOW_PX)), dtype=cv2.CV_16S)[inside]
    step = np.clip(step, -_MAX_STEP, _MAX_STEP).astype(np.float32)
    squared = np.square(step)
    skewed = float((squared * step).mean()) > _MIN_SKEWNESS * float(squared.mean()) ** 1.5
    return bool(skewed and lighter > _MIN_LIGHTER_RATIO * darker)
