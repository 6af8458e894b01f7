"""Lines and a page drawn by the program itself, to try networks on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TEXTS = ("Received with thanks 1847", "le quatorze juillet mil huit cent", "Yours truly and obediently, J. Hooker")
HEIGHT_PX = 48
PAGE_PX = (1024, 736)


def lines() -> list[Array]:
    """Return ink of three lines, float32 ``(1, 1, 48, width)`` in [0, 1], 500 to 800 px wide."""
    return [_line(text) for text in TEXTS]


def page() -> Array:
    """Return ink of a page of twenty lines, float32 ``(1024, 736)`` in [0, 1]."""
    import cv2

    gray = np.zeros(PAGE_PX, np.uint8)
    for row in range(20):
        _draw(gray, TEXTS[row % len(TEXTS)], (40, 60 + 46 * row), 0.9)
    return (cv2.blur(gray, (2, 2)).astype(np.float32) / 255).astype(np.float32)


def _line(text: str) -> Array:
    import cv2

    gray = np.zeros((2 * HEIGHT_PX, 44 * len(text)), np.uint8)
    right = _draw(gray, text, (16, 66), 2.0, 3)
    width = -(-(right + 16) // 8) * 4
    small = cv2.resize(gray[:, : 2 * width], (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return (small[None, None].astype(np.float32) / 255).astype(np.float32)


def _draw(gray: NDArray[np.uint8], text: str, at: tuple[int, int], size: float, thickness: int = 1) -> int:
    """Write in script; returns the column where the writing ends."""
    import cv2

    face = cv2.FONT_HERSHEY_SCRIPT_COMPLEX
    cv2.putText(gray, text, at, face, size, (255,), thickness, cv2.LINE_8)
    return at[0] + cv2.getTextSize(text, face, size, thickness)[0][0]
