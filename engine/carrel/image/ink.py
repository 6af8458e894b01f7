"""Line images as networks take them: ink on paper, whatever the scan's brightness and contrast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_CONTRAST = 24.0
"""Gray levels between paper and ink at least assumed: an empty crop stays paper instead of becoming noise."""
DARK_INK = 0.4
"""Ink of a px that counts in a row."""
BLANK_OF_FULLEST = 0.04
"""A row is blank that holds less than this share of the ink of the fullest quarter of the rows."""
LOOSE = 0.2
"""Blank rows above, or below, that a line may have: a share of the rows between them."""
KEPT_BLANK = 0.15
"""What is kept of more than that; all four fitted on validation lines, with and without margins of paper."""


def gray_levels(
    gray: NDArray[np.uint8], fractions: tuple[float, ...], inside: NDArray[np.uint8] | None = None
) -> NDArray[np.int64]:
    """Return gray levels under which the given fractions of the pixels lie, from the histogram; of those ``inside``, not 0, alone."""
    import cv2

    cumulated = np.cumsum(cv2.calcHist([gray], [0], inside, [256], [0, 256]), dtype=np.float64)
    return np.searchsorted(cumulated, np.array(fractions) * cumulated[-1])


def median_level(gray: NDArray[np.uint8]) -> float:
    """Return the median of gray levels, from the histogram: many pixels need not be sorted."""
    import cv2

    cumulated = np.cumsum(cv2.calcHist([gray], [0], None, [256], [0, 256]), dtype=np.float64)
    return float(np.searchsorted(cumulated, [(gray.size - 1) // 2, gray.size // 2], side="right").mean())


def ink_of(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Normalize gray levels to ink: paper (the 80th percentile) 0, the darkest 1 % 1; float32 in [0, 1]."""
    ink_level, paper_level = gray_levels(gray, (0.01, 0.8))
    contrast = np.float32(max(float(paper_level - ink_level), MIN_CONTRAST))
    of_level = np.clip((np.float32(paper_level) - np.arange(256, dtype=np.float32)) / contrast, 0.0, 1.0)
    return np.take(of_level, gray)


def without_blank_rows(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the rows of a line, uint8 ``(height, width)``, that hold its writing, with a little paper above and below.

    A network scales lines by their height, so paper above and below makes the writing small.
    """
    import cv2

    height = len(gray)
    ink_level, paper_level = gray_levels(gray, (0.01, 0.8))
    lightest_ink = paper_level - DARK_INK * max(float(paper_level - ink_level), MIN_CONTRAST)
    ink = cv2.threshold(gray, lightest_ink, 1, cv2.THRESH_BINARY_INV)[1]
    profile = cv2.reduce(ink, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    fullest = np.sort(profile)[-max(1, height // 4) :].mean()
    rows = np.flatnonzero(profile > BLANK_OF_FULLEST * fullest)
    if not len(rows):
        return gray
    first, end = int(rows[0]), int(rows[-1]) + 1
    loose, kept = LOOSE * (end - first), math.ceil(KEPT_BLANK * (end - first))
    top = first - kept if first > loose else 0
    bottom = end + kept if height - end > loose else height
    return gray[top:bottom]


def to_ink(gray: NDArray[np.uint8], height_px: int, margin_px: int, width_multiple_px: int = 4) -> NDArray[np.float32]:
    """Scale a line to ``height_px`` and normalize it: paper (the 80th percentile) 0, the darkest 1 % 1.

    Returns float32 ``(1, 1, height_px, width)`` in [0, 1], with ``margin_px`` of paper on both sides and ``width`` a
    multiple of ``width_multiple_px``.
    """
    import cv2

    width = max(1, round(gray.shape[1] * height_px / gray.shape[0]))
    interpolation = cv2.INTER_AREA if height_px < gray.shape[0] else cv2.INTER_LINEAR
    scaled = cv2.resize(gray, (width, height_px), interpolation=interpolation)
    right = margin_px + -(width + 2 * margin_px) % width_multiple_px
    ink = np.zeros((1, 1, height_px, margin_px + width + right), np.float32)
    ink[0, 0, :, margin_px : margin_px + width] = ink_of(scaled.astype(np.uint8))
    return ink


def to_inverted(
    gray: NDArray[np.uint8], height_px: int, margin_px: int, width_multiple_px: int = 1
) -> NDArray[np.float32]:
    """Scale a line to ``height_px`` (Lanczos) and turn it round: white 0, black 1, whatever the paper.

    So kraken's and PyLaia's networks were trained. Shape and margins as `to_ink`.
    """
    width = max(1, int(gray.shape[1] * height_px / gray.shape[0]))
    scaled = Image.fromarray(gray).resize((width, height_px), Image.Resampling.LANCZOS)
    right = margin_px + -(width + 2 * margin_px) % width_multiple_px
    black = 1.0 - np.asarray(scaled).astype(np.float32) / np.float32(255)
    return np.pad(black, ((0, 0), (margin_px, right)))[None, None]


def to_signed(
    gray: NDArray[np.uint8], height_px: int, min_width_px: int, width_multiple_px: int = 1
) -> NDArray[np.float32]:
    """Scale a line to ``height_px`` (linear): black -1, white 1, and right of it mid gray, 0, to at least ``min_width_px``.

    So PaddleOCR's networks were trained. Shape as `to_ink`, without a margin.
    """
    import cv2

    exact = gray.shape[1] * height_px / gray.shape[0]
    width = max(1, math.ceil(exact) if exact < min_width_px else int(exact))
    scaled = cv2.resize(gray, (width, height_px), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    right = max(0, min_width_px - width)
    right += -(width + right) % width_multiple_px
    return np.pad((scaled / np.float32(255) - np.float32(0.5)) / np.float32(0.5), ((0, 0), (0, right)))[None, None]


@dataclass(frozen=True, slots=True)
class LineInput:
    """The input that a network takes for a line: the ``input`` entry of a recognition model's manifest.

    ``kind`` is ``ink`` (`to_ink`), ``inverted`` (`to_inverted`) or ``signed`` (`to_signed`, which alone has a least width).
    """

    height_px: int
    margin_px: int
    kind: Literal["ink", "inverted", "signed"] = "ink"
    width_multiple_px: int = 4
    min_width_px: int = 0

    def cropped(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a line, uint8 ``(height, width)``, as closely cropped as the network knows lines."""
        return without_blank_rows(gray) if self.kind == "ink" else gray

    def of(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's input for a line, uint8 ``(height, width)``: float32 ``(1, 1, height_px, width)``.

        In [0, 1], of the kind ``signed`` in [-1, 1].
        """
        if self.kind == "signed":
            return to_signed(gray, self.height_px, self.min_width_px, self.width_multiple_px)
        make = to_ink if self.kind == "ink" else to_inverted
        return make(gray, self.height_px, self.margin_px, self.width_multiple_px)

    def of_crop(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's input for a line as it comes from a page or a pack: `of` what `cropped` keeps of it."""
        return self.of(self.cropped(crop))


def holds_ink(gray: NDArray[np.uint8]) -> bool:
    """Tell whether a line, uint8 ``(height, width)``, has pixels clearly darker than its paper (0.1 % of them at least)."""
    darkest, paper_level = gray_levels(gray, (0.001, 0.8))
    return bool(paper_level - darkest >= MIN_CONTRAST)
