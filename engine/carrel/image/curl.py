"""Curl: lines of a page that is not flat rise here and fall there. Their slope is measured in upright windows and undone.

Each window of the page has the slope at which its rows separate best, as the whole page's skew is found
(`carrel.image.prepare`). Columns of pixels are then moved up or down by the sum of the slopes, so that lines run level;
the way back is a `Curl` of the geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.geometry import Curl, Geometry

WINDOWS = 8
MAX_SLOPE_DEGREES, SLOPE_STEP_DEGREES = 24.0, 1.0
MIN_WINDOW_PEAK_RATIO = 2.2  # of windows that show lines; margins reach 1.9
MIN_WINDOWS = 4
MIN_BEND_DEGREES = 6.0  # from the least to the greatest slope: less is followed as it is
MAX_STEP_DEGREES = 18.0  # from window to window
MIN_GAIN = 2.0  # of how sharply rows separate, against the best single angle: curled pages gain 3 to 7
KNOTS = 24
MAX_HIGHER_SHARE = 0.3  # of the height: memory for a page is planned for so much
Energy = Callable[[NDArray[np.float32], NDArray[np.int64]], float]


class Uncurled(NamedTuple):
    """A page whose lines run level: ``gray`` ``(h, w)`` uint8, taller than the page by what its lines rise and fall, the mean
    slope of its lines in degrees, and the way back."""

    gray: NDArray[np.uint8]
    skew_degrees: float
    geometry: Geometry


def uncurl(
    flat: NDArray[np.uint8],
    ink: NDArray[np.float32],
    strip_share: float,
    least_energy: float,
    energies: Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float64]],
    energy: Energy,
) -> Uncurled | None:
    """Remove the curl of a page; return None where it has none.

    Parameters
    ----------
    flat
        ``(h, w)`` uint8, paper near 255.
    ink
        ``(rows, strips)``: ink of the reduced page in upright strips.
    strip_share
        Width of a strip in rows of ``ink``.
    least_energy
        How sharply its rows separate at the best single angle.
    energies, energy
        How sharply the rows of such ink separate at angles in degrees, and when its strips are moved up by so many rows.
    """
    slopes = _slopes(ink, energies)
    if slopes is None:
        return None
    strips = ink.shape[1]
    heights = _heights(slopes, strips, strip_share)  # of a level line at each end of a strip, in rows of ink
    middles = (heights[1:] + heights[:-1]) / 2
    if energy(ink, np.rint(middles - middles.min()).astype(np.int64)) < MIN_GAIN * least_energy:
        return None
    scale = flat.shape[0] / ink.shape[0]
    cell_px = flat.shape[1] / KNOTS
    at = np.linspace(0.0, flat.shape[1] / (strip_share * scale), KNOTS + 1)
    down = np.interp(at, np.arange(strips + 1.0), heights) * scale
    down -= down.min()
    if down.max() > MAX_HIGHER_SHARE * flat.shape[0]:
        return None
    return _moved(flat, down, cell_px)


def _slopes(ink: NDArray[np.float32], energies: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """The slope in degrees of each window, those without lines filled from their neighbours; None where there is no bend."""
    angles = np.arange(-MAX_SLOPE_DEGREES, MAX_SLOPE_DEGREES + 0.1, SLOPE_STEP_DEGREES)
    edges = np.linspace(0, ink.shape[1], WINDOWS + 1).astype(int).tolist()
    found = np.full(WINDOWS, np.nan)
    for k in range(WINDOWS):
        told = energies(ink[:, edges[k] : edges[k + 1]], angles)
        best = int(told.argmax())
        if told[best] >= MIN_WINDOW_PEAK_RATIO * max(float(np.partition(told, len(told) // 2)[len(told) // 2]), 1e-9):
            near = slice(max(best - 1, 0), best + 2)
            found[k] = float(np.average(angles[near], weights=told[near]))
    known = np.flatnonzero(~np.isnan(found))
    if len(known) < MIN_WINDOWS or np.ptp(found[known]) < MIN_BEND_DEGREES:
        return None
    if (np.abs(np.diff(found[known])) > MAX_STEP_DEGREES * np.diff(known)).any():
        return None
    return np.interp(np.arange(WINDOWS), known, found[known])


def _heights(slopes: NDArray[np.float64], strips: int, strip_share: float) -> NDArray[np.float64]:
    """How far down a line that starts at 0 is at each end of the strips, in rows."""
    middles = (np.arange(WINDOWS) + 0.5) * strips / WINDOWS
    slope = np.interp(np.arange(strips) + 0.5, middles, np.tan(np.radians(slopes)))
    return np.concatenate(([0.0], np.cumsum(slope) * strip_share))


def _moved(flat: NDArray[np.uint8], down: NDArray[np.float64], cell_px: float) -> Uncurled:
    """Move columns up by ``down``, px at the knots and straight between them; white where nothing was."""
    import cv2

    height, width = flat.shape
    most = int(np.ceil(down.max()))
    level = np.full((height + most, width), 255, np.uint8)
    for k in range(len(down) - 1):
        left, right = round(k * cell_px), min(round((k + 1) * cell_px), width)
        slope = (down[k + 1] - down[k]) / cell_px
        shift = down[k] + slope * (left - k * cell_px) - most
        matrix = np.array([[1.0, 0.0, 0.0], [slope, 1.0, shift]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(flat[:, left:right], matrix, (right - left, height + most), flags=flags, borderValue=255)
        level[:, left:right] = part
    displacement = np.zeros((2, len(down), 2))
    displacement[:, :, 1] = down - most
    skew_degrees = float(np.degrees(np.arctan2(down[-1] - down[0], width)))
    return Uncurled(level, skew_degrees, Geometry((Curl(displacement, cell_px),)))
