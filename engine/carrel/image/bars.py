"""Bars: light writing on dark strips of a page, as title bars and heads of tables are printed, made dark on light."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median

_SAMPLED_PX = 250_000  # pixels of the reduced page, or up to four times as many
_DARK_GROUND = 128  # gray level
_WINDOW_PX = 7  # of the reduced page: wider than the strokes of letters in a bar, narrower than the bar
_MIN_ASPECT = 2.0  # width to height, or height to width
_MIN_FILLED_SHARE = 0.85  # of the rectangle around it
_MIN_CONTRAST = 60  # gray levels between the bar and its letters
_MIN_LETTERS = 3
_LETTER_HEIGHT = (0.15, 0.85)  # in heights of the bar
_MAX_LIGHT_SHARE = 0.5  # of the bar, taken by its letters
_RIM_PX = 2  # of the reduced page: blurred edge


def lighten_bars(gray: NDArray[np.uint8]) -> None:
    """Invert in place the dark bars with light letters on a page, uint8 ``(h, w)``, whose other writing is dark."""
    import cv2

    height, width = gray.shape
    step = max(1, int((gray.size / _SAMPLED_PX) ** 0.5))
    if min(height, width) < 4 * _WINDOW_PX * step:
        return
    small = np.asarray(cv2.resize(gray, (width // step, height // step), interpolation=cv2.INTER_AREA), np.uint8)
    dark = (cv2.medianBlur(small, _WINDOW_PX) < _DARK_GROUND).astype(np.uint8)
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines:
        box = cv2.boundingRect(outline)
        if _is_long_rectangle(outline.astype(np.int32)) and _holds_letters(small, outline.astype(np.int32), box):
            _invert(gray, outline.astype(np.int32), step, box)


def _is_long_rectangle(outline: NDArray[np.int32]) -> bool:
    import cv2

    (_, sides, _) = cv2.minAreaRect(outline)
    short, long = sorted(sides)
    wide_enough = short >= _WINDOW_PX - 1 and long >= _MIN_ASPECT * short
    return wide_enough and cv2.contourArea(outline) >= _MIN_FILLED_SHARE * short * long


def _holds_letters(small: NDArray[np.uint8], outline: NDArray[np.int32], box: Sequence[int]) -> bool:
    """Tell whether light connected parts of the size of letters lie inside, none at the edge."""
    import cv2

    left, top, width, height = box
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline - (left, top)], (1,))
    part = small[top : top + height, left : left + width]
    ground = median(part[inside > 0])
    light = ((part > ground + _MIN_CONTRAST) & (inside > 0)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(light, connectivity=8)
    tall = stats[1:, cv2.CC_STAT_HEIGHT] / min(cv2.minAreaRect(outline)[1])
    letters = (tall > _LETTER_HEIGHT[0]) & (tall < _LETTER_HEIGHT[1])
    written = stats[1:, cv2.CC_STAT_AREA][letters].sum()
    return bool(letters.sum() >= _MIN_LETTERS and written < _MAX_LIGHT_SHARE * cv2.countNonZero(inside))


def _invert(gray: NDArray[np.uint8], outline: NDArray[np.int32], step: int, box: Sequence[int]) -> None:
    """Invert what an outline on the reduced page holds; its blurred edge becomes light, so that it is no ruling."""
    import cv2

    reach = (_RIM_PX + 1) * step
    left, top = (max(0, side * step - reach) for side in box[:2])
    part = gray[top : (box[1] + box[3]) * step + reach, left : (box[0] + box[2]) * step + reach]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [outline * step + step // 2 - (left, top)], (1,))
    rim = np.ones((2 * _RIM_PX * step + 1,) * 2, np.uint8)
    inner, outer = cv2.erode(mask, rim) > 0, cv2.dilate(mask, rim) > 0
    np.maximum(part, 255 - part, out=part, where=outer & ~inner)
    np.invert(part, out=part, where=inner)
