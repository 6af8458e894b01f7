"""The colour channel that shows writing where gray does not: red letters on blue paper may be equally bright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.image.ink import gray_levels

_SAMPLED_PX = 100_000  # pixels that are sampled of a page, or up to four times as many
_WINDOW_PX = 31  # of the sampled page; wider than any stroke
_INK_SHARES = (0.005, 0.995)  # of the pixels: darker, or lighter, is writing
_FLAT_LEVELS = 30  # between darkest and lightest against the surroundings: no writing shows
_CLEAR_LEVELS = 80  # between the page and its darkest or lightest places
_MIN_GAIN = 2.0  # of a channel's contrast to that of gray


def shows_nothing(gray: NDArray[np.uint8]) -> bool:
    """Tell whether a page, uint8 ``(h, w)``, is blank in gray."""
    step = max(1, int((gray.size / _SAMPLED_PX) ** 0.5))
    darkest, usual, lightest = gray_levels(
        np.ascontiguousarray(gray[::step, ::step]), (_INK_SHARES[0], 0.5, _INK_SHARES[1])
    )
    clear = max(usual - darkest, lightest - usual) > _CLEAR_LEVELS  # most pages: the rest is spared
    return not clear and _contrast(gray) < _FLAT_LEVELS


def separating_channel(image: Image.Image, gray: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the channel of a colour picture that shows what ``gray``, of the same size, does not; uint8 ``(h, w)``.

    None where the picture has no colours, or no channel shows more.
    """
    if image.mode not in ("RGB", "RGBX", "RGBA", "YCbCr"):
        return None
    channels = [np.asarray(channel, np.uint8) for channel in image.convert("RGB").split()]
    contrasts = [_contrast(channel) for channel in channels]
    best = int(np.argmax(contrasts))
    if contrasts[best] < max(_FLAT_LEVELS, _MIN_GAIN * _contrast(gray)):
        return None
    return channels[best].copy()


def _contrast(gray: NDArray[np.uint8]) -> int:
    """Levels between the darkest and the lightest places, each against what lies around it."""
    import cv2

    step = max(1, int((gray.size / _SAMPLED_PX) ** 0.5))
    small = np.ascontiguousarray(gray[::step, ::step])
    apart = cv2.subtract(small, np.asarray(cv2.medianBlur(small, _WINDOW_PX)), dtype=cv2.CV_16S)
    shifted = np.clip(apart // 2 + 128, 0, 255).astype(np.uint8)
    low, high = gray_levels(shifted, _INK_SHARES)
    return 2 * int(high - low)
