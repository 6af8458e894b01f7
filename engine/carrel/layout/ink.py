"""Ink of a page at working resolution: what is writing, without borders, gutters and rulings."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.broken_rulings import BrokenRulings, find_broken_rulings
from carrel.layout.components import Components, Mask, components_of
from carrel.layout.types import scale_to

WORKING_SIDE_PX = 1600
MIN_CONTRAST = 28.0
MIN_X_HEIGHT_PX = 5.0
X_HEIGHT_PER_LAG = 3.9
X_HEIGHT_PER_COMPONENT = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """Ink of a page.

    Parameters
    ----------
    mask
        ``(h, w)`` uint8, 1 where there is ink of writing; working px.
    rulings
        ``(h, w)`` uint8, 1 where a vertical ruling was taken out.
    scale
        Working px per px of the page, at most 1.
    x_height_px
        Height of small letters most common on the page, working px.
    parts
        The components of ``mask``.
    dark
        Those of all that is dark, borders and rulings as well.
    whole
        Whether nothing was taken out as a border or a ruling.
    broken
        The upright rulings that were not connected.
    """

    mask: Mask
    rulings: Mask
    scale: float
    x_height_px: float
    parts: Components
    dark: Components
    whole: bool = False
    broken: BrokenRulings | None = None


def _threshold(gray: Mask) -> Mask:
    """Mark as ink what is darker than half of the strokes' own darkness nearby, faint and strong writing alike."""
    paper = cv2.blur(gray, (31, 31), borderType=cv2.BORDER_REPLICATE)
    darkness = cv2.subtract(np.maximum(paper, 200), gray)
    h, w = gray.shape
    step = 12
    size = (max(1, w // step), max(1, h // step))
    peak = cv2.dilate(darkness, np.ones((step, step), np.uint8))
    blocks = cv2.resize(peak, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    written = (blocks > MIN_CONTRAST).astype(np.float32)
    window = (21, 21)
    typical = cv2.blur(blocks * written, window) / np.maximum(cv2.blur(written, window), 1e-3)
    bound = cv2.resize(
        np.maximum(0.45 * typical, 0.75 * MIN_CONTRAST).astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR
    )
    return (darkness > bound.astype(np.uint8)).astype(np.uint8)


def _without_borders(parts: Components) -> Components:
    """Take out what hangs on the edge of the image and is long or massive: borders, gutters, neighbouring pages."""
    h, w = parts.shape
    left, top, width, height, area = parts.stats.T
    edge = (left <= 1) | (top <= 1) | (left + width >= w - 1) | (top + height >= h - 1)
    long = (width > 0.2 * w) | (height > 0.12 * h)
    massive = (area > 0.5 * width * height) & (np.minimum(width, height) > 0.012 * h)
    drop = edge & (long | massive)
    drop |= (np.minimum(width, height) > 0.05 * h) & (area > 0.6 * width * height)
    return parts.kept(~drop)


def components_kept(mask: Mask, labels: NDArray[np.int32], keep: NDArray[np.bool_]) -> Mask:
    """Keep the components of a mask ``(h, w)`` of 0 and 1 for which ``keep`` (n,) holds; ``labels`` ``(h, w)`` numbers them.

    Only ink is looked up, a small share of a page.
    """
    if keep[1:].all():
        return mask
    ink = np.flatnonzero(mask.view(bool))
    rest = np.zeros_like(mask)
    rest.ravel()[ink] = keep[labels.ravel()[ink]]
    return rest


def _runs(mask: Mask, length_px: int, vertical: bool) -> Mask:
    """Straight runs of ink of at least ``length_px``, up to 1 px in 30 aslant, and thin."""
    across = (3, 1) if vertical else (1, 3)
    along = (1, length_px) if vertical else (length_px, 1)
    thick = (9, 1) if vertical else (1, 9)
    fat = cv2.dilate(mask, np.ones(across[::-1], np.uint8))
    middles = cv2.erode(fat, np.ones(along[::-1], np.uint8))
    if not middles.any():  # as on most pages
        return middles.astype(np.uint8)
    lines = cv2.dilate(middles, np.ones(along[::-1], np.uint8)).astype(np.uint8)
    blocks = cv2.dilate(
        cv2.morphologyEx(fat, cv2.MORPH_OPEN, np.ones(thick[::-1], np.uint8)), np.ones((3, 3), np.uint8)
    )
    return (lines & (1 - blocks)).astype(np.uint8)


def _without_rulings(mask: Mask, x_height_px: float) -> tuple[Mask, Mask]:
    """Take out rulings; strokes that cross them stay whole. Returns the rest, ``mask`` itself where there are none, and the
    vertical rulings."""
    horizontal = _runs(mask, max(40, round(6 * x_height_px)), vertical=False)
    vertical = _runs(mask, max(60, round(7 * x_height_px)), vertical=True)
    if not (horizontal.any() or vertical.any()):
        return mask, vertical
    rest = mask & (1 - horizontal) & (1 - vertical)
    closed = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8)).astype(np.uint8)
    return (rest | (closed & horizontal & mask)).astype(np.uint8), vertical


def estimate_x_height(mask: Mask) -> float:
    """Estimate the most common height of small letters from the autocorrelation of narrow vertical profiles; px."""
    h, w = mask.shape
    columns = max(1, w // 48)
    profile = cv2.resize(mask.astype(np.float32), (columns, h), interpolation=cv2.INTER_AREA)
    profile = (profile - cv2.blur(profile, (1, max(3, h // 12) | 1))).astype(np.float64)
    zeroth, first, second = (_correlation(profile, lag) for lag in range(3))
    if zeroth <= 0.0:
        return 12.0
    # lag 0 holds noise that is not correlated from row to row: the curve is carried back from lags 1 and 2
    half = (2 * first - second) / 2
    lag = next((lag for lag in range(h // 4) if _correlation(profile, lag) < half), 12)
    before, after = _correlation(profile, max(lag - 1, 0)), _correlation(profile, lag)
    fraction = (before - half) / max(before - after, 1e-9)
    return float(np.clip(X_HEIGHT_PER_LAG * (lag - 1 + fraction), MIN_X_HEIGHT_PX, 60.0))


def _correlation(profile: NDArray[np.float64], lag: int) -> float:
    """Of the profiles (h, n) with themselves, ``lag`` rows lower."""
    return float(np.einsum("ij,ij->", profile[lag:], profile[: len(profile) - lag]))


def refine_x_height(common: float, parts: Components) -> float:
    """Estimate the height of small letters: the ``common`` one, more where the connected ink is far taller."""
    width, height = parts.stats[1:, cv2.CC_STAT_WIDTH], parts.stats[1:, cv2.CC_STAT_HEIGHT]
    letters = (height > 0.4 * common) & (height < 10.0 * common)
    if not letters.any():
        return common
    order = np.argsort(height[letters])
    widths = np.cumsum(width[letters][order])
    median = float(height[letters][order][np.searchsorted(widths, widths[-1] / 2)])
    return float(np.clip(X_HEIGHT_PER_COMPONENT * median, common, 1.6 * common))


def at_working_size(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Shrink the page to working resolution at most; return it and its px per px of the page."""
    scale = scale_to(gray.shape, WORKING_SIDE_PX)
    if scale == 1.0:
        return gray, scale
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8), scale


def find_ink(gray: NDArray[np.uint8]) -> Ink:
    """Find the ink of a flattened page, ``(h, w)`` uint8."""
    gray, scale = at_working_size(gray)
    dark = components_of(_threshold(gray))
    parts = _without_borders(dark)
    written = parts.mask()
    common = estimate_x_height(written)
    broken = find_broken_rulings(parts, common)
    if broken is not None:
        parts = parts.kept(~broken.pieces)
        written = parts.mask()
    mask, rulings = _without_rulings(written, common)
    whole = parts is dark and mask is written
    if mask is not written:
        parts, common = components_of(mask), estimate_x_height(mask)
    x_height = refine_x_height(common, parts)
    # components that are too small even for a dot
    parts = parts.kept(parts.stats[:, cv2.CC_STAT_AREA] >= max(2.0, 0.012 * x_height**2))
    if broken is None:
        return Ink(parts.mask(), rulings, scale, x_height, parts, dark, whole)
    return Ink(parts.mask(), rulings | broken.drawn, scale, x_height, parts, dark, whole, broken)
