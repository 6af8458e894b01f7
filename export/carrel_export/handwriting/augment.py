"""Line images to network input, with or without augmentation.

The input of the network is ink on paper as floats: 0 is paper, 1 is the line's own darkest ink, as `carrel.image.ink`
computes it at run time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import gray_levels, ink_of, to_ink, without_blank_rows
from carrel.review.training_lines import LineSample

MARGIN_PX = 8
BITONAL_SHARE = 0.1
"""Of the views that are distorted in full, those of a bitonal scan."""
LOOSE_SHARE = 0.5
"""Of the views, those of a line cropped with a margin of paper, or with its outermost rows cut off."""
MAX_MARGIN = 0.35
"""Most paper above, and below, such a line, as a share of its height."""
MAX_CUT = 0.08
"""Most that is cut off above, and below, such a line, as a share of its height."""

Gray = NDArray[np.uint8]
Ink = NDArray[np.float32]


def closely_cropped(samples: Iterable[LineSample]) -> list[LineSample]:
    """Return the lines without blank rows above and below, as the run time reads them."""
    return [replace(sample, gray=without_blank_rows(sample.gray)) for sample in samples]


def to_input(gray: Gray, height_px: int) -> Ink:
    """Return the line as the run time sees it, ``(height_px, width)``, with ``MARGIN_PX`` of paper on both sides."""
    return to_ink(gray, height_px, MARGIN_PX, width_multiple_px=1)[0, 0]


def _warp(gray: Gray, height_px: int, rng: np.random.Generator, strength: float) -> Gray:
    """Scale to ``height_px`` with random margins, shear, stretch, place and a gently waving baseline, in one remap."""
    h, w = gray.shape
    above, below = _margins(rng) if rng.random() < LOOSE_SHARE else (0.0, 0.0)
    base = height_px / (h * (1 + above + below))
    scale_y = base * (1 + strength * rng.uniform(-0.22, 0.12))
    scale_x = base * float(np.exp(strength * rng.normal(0.0, 0.13)))
    shear = strength * rng.normal(0.0, 0.18)
    out_w = max(8, round(w * scale_x + abs(shear) * height_px))
    spare = height_px - h * (1 + above + below) * scale_y
    shift_y = spare / 2 + above * h * scale_y + strength * rng.normal(0.0, 0.04) * height_px
    x, y = np.meshgrid(np.arange(out_w, dtype=np.float32), np.arange(height_px, dtype=np.float32))
    knots = max(2, out_w // 48 + 2)
    wave = cv2.resize(rng.normal(0.0, 1.0, (1, knots)).astype(np.float32), (out_w, 1), interpolation=cv2.INTER_CUBIC)
    stretch = cv2.resize(rng.normal(0.0, 1.0, (1, knots)).astype(np.float32), (out_w, 1), interpolation=cv2.INTER_CUBIC)
    y = y + wave * strength * rng.uniform(0.0, 0.035) * height_px
    x = x + stretch * strength * rng.uniform(0.0, 2.5)
    offset_x = max(0.0, shear) * height_px
    source_x = (x - offset_x + shear * y) / scale_x
    source_y = (y - shift_y) / scale_y
    if base < 1.0:
        gray = cv2.GaussianBlur(gray, (0, 0), 0.35 / base).astype(np.uint8)
    paper = float(gray_levels(gray, (0.8,))[0])
    warped = cv2.remap(
        gray,
        source_x.astype(np.float32),
        source_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(paper,),
    )
    return warped.astype(np.uint8)


def _margins(rng: np.random.Generator) -> tuple[float, float]:
    """Paper above and below a line as shares of its height; negative where rows of the line are cut off."""
    if rng.random() < 0.25:
        above, below = rng.uniform(-MAX_CUT, 0.0, 2)
    else:
        above, below = rng.uniform(0.0, MAX_MARGIN, 2)
    return float(above), float(below)


def _stroke(ink: Ink, rng: np.random.Generator) -> Ink:
    """Thicker, thinner, blurred or sharpened strokes."""
    kind = rng.integers(0, 6)
    if kind == 0:
        return cv2.dilate(ink, np.ones((2, 2), np.uint8)).astype(np.float32)
    if kind == 1:
        thin = cv2.erode(ink, np.ones((2, 2), np.uint8)).astype(np.float32)
        return np.float32(0.5) * (ink + thin)
    if kind == 2:
        return cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.4, 1.1))).astype(np.float32)
    return ink


def _paper(ink: Ink, rng: np.random.Generator) -> Ink:
    """Faint ink, stained and grainy paper, ruled lines, ink of neighbouring lines at the edges, holes."""
    h, w = ink.shape
    if rng.random() < 0.3:
        ink = ink ** np.float32(np.exp(rng.normal(0.0, 0.35)))
    if rng.random() < 0.3:
        cells = rng.normal(0.0, 1.0, (4, max(2, w // 40))).astype(np.float32)
        clouds = cv2.resize(cells, (w, h), interpolation=cv2.INTER_CUBIC) * rng.uniform(0.02, 0.12)
        ink = ink + clouds.astype(np.float32)
    if rng.random() < 0.4:
        grain = rng.standard_normal(ink.shape, np.float32) * rng.uniform(0.01, 0.08)
        ink = ink + grain.astype(np.float32)
    if rng.random() < 0.12:
        y = int(rng.integers(0, h))
        ink[y : y + int(rng.integers(1, 3))] += np.float32(rng.uniform(0.15, 0.6))
    if rng.random() < 0.06:
        step = int(rng.integers(12, 40))
        ink[:, int(rng.integers(0, step)) :: step] += np.float32(rng.uniform(0.1, 0.4))
    if rng.random() < 0.1 and w > 64:
        x, width = int(rng.integers(0, w - 16)), int(rng.integers(3, 14))
        ink[:, x : x + width] *= np.float32(rng.uniform(0.0, 0.6))
    if rng.random() < 0.15:
        edge = int(rng.integers(1, max(2, h // 7)))
        rows = slice(0, edge) if rng.random() < 0.5 else slice(h - edge, h)
        ink[rows] = np.maximum(ink[rows], np.roll(ink[h // 3 : h // 3 + edge], int(rng.integers(0, w)), axis=1))
    return np.clip(ink, 0.0, 1.0)


def augment(gray: Gray, height_px: int, rng: np.random.Generator, share: float = 1.0) -> Ink:
    """Return one random view of a line as network input, float32 ``(height_px, width)`` in [0, 1].

    A ``share`` of the views is distorted in full; the others are only warped, by a third of it.
    """
    full = rng.random() < share
    if full and rng.random() < BITONAL_SHARE:
        gray = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)[1].astype(np.uint8)
    ink = ink_of(_warp(gray, height_px, rng, 1.0 if full else 1 / 3))
    if full:
        ink = _paper(_stroke(ink, rng), rng)
    left, right = rng.integers(MARGIN_PX // 2, 2 * MARGIN_PX, 2)
    return np.pad(ink, ((0, 0), (int(left), int(right)))).astype(np.float32)
