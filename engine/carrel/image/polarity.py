"""Negatives (microfilm, photostats: light writing on dark ground) made positive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import gray_levels

_LOOK_PX = 100_000  # so many pixels are looked at, or up to four times as many
_DARK_GROUND = 128  # gray level
_WINDOW_PX = 31  # wider than any stroke
_CLEAR_STEP, _STRONGEST_STEP = 6, 128  # gray levels
_MOSTLY = 1.3  # a page on a black table is below 1.2
_SKEWED = 0.5  # pages of archives are below -1, their negatives above 1


def is_negative(gray: NDArray[np.uint8]) -> bool:
    """Whether the page has light writing on dark ground.

    Writing takes less of its surroundings than the ground. On a negative the ground is dark, more pixels are lighter
    than the median around them than darker, and levels are skewed to the light against the mean around them. The first
    alone is true of dark paper, the last alone of faint writing beside a few white holes.

    Parameters
    ----------
    gray
        uint8, (h, w), 0 is black.
    """
    import cv2

    sampled = max(1, int((gray.size / _LOOK_PX) ** 0.5))
    small = np.ascontiguousarray(gray[::sampled, ::sampled])
    if gray_levels(small, (0.5,))[0] >= _DARK_GROUND:
        return False
    ground = cv2.medianBlur(small, _WINDOW_PX)
    lighter = np.count_nonzero(cv2.subtract(small, ground) > _CLEAR_STEP)
    darker = np.count_nonzero(cv2.subtract(ground, small) > _CLEAR_STEP)
    step = cv2.subtract(small, cv2.blur(small, (_WINDOW_PX, _WINDOW_PX)), dtype=cv2.CV_16S)
    step = np.clip(step, -_STRONGEST_STEP, _STRONGEST_STEP).astype(np.float32)
    squared = np.square(step)
    skewed = float((squared * step).mean()) > _SKEWED * float(squared.mean()) ** 1.5
    return bool(skewed and lighter > _MOSTLY * darker)


def positive(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dark writing on light ground; a negative is inverted in place, uint8 ``(h, w)`` in and out."""
    return np.invert(gray, out=gray) if is_negative(gray) else gray
