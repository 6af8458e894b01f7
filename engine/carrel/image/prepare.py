"""A scan made ready for reading: paper white, ink dark, lines level.

Paper is estimated as the bright envelope of a reduced page; places where no paper shows (dark scanner borders,
photographs) take the paper of their surroundings and so stay dark. Skew is the angle at which the rows of ink separate
best (projection profile; W. Postl, "Detection of linear oblique structures and skew scan in digitized documents",
ICPR 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SKEW_DEGREES = 0.15
MOST_SKEW_DEGREES = 8.0


@dataclass(frozen=True)
class Prepared:
    """A page ready for layout and recognition.

    Parameters
    ----------
    gray
        uint8, (h, w); paper near 255. Larger than the scan where it was turned.
    skew_degrees
        By how much the lines of the scan fall to the right (y down), in [-8, 8]; 0 where nothing was turned.
    to_scan
        float64, (2, 3); maps ``(x, y, 1)`` in px of ``gray`` to ``(x, y)`` in px of the scan.
    """

    gray: NDArray[np.uint8]
    skew_degrees: float
    to_scan: NDArray[np.float64]


def prepare(gray: NDArray[np.uint8], *, deskew: bool = True) -> Prepared:
    """Whiten the paper and level the lines.

    Parameters
    ----------
    gray
        uint8, (h, w), 0 is black.
    deskew
        Turn the page where its lines slope by at least 0.15 degrees.
    """
    gray = _checked(gray)
    flat = flatten(gray)
    skew_degrees = estimate_skew(flat) if deskew else 0.0
    if abs(skew_degrees) < LEAST_SKEW_DEGREES:
        return Prepared(flat, 0.0, np.eye(2, 3))
    turned, to_scan = _rotated(flat, skew_degrees)
    return Prepared(turned, skew_degrees, to_scan)


def flatten(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide by the paper's brightness, so that paper is near 255 everywhere; uint8, (h, w) in and out."""
    import cv2

    gray = _checked(gray)
    paper = _paper(gray)
    height, width = gray.shape
    flat = np.empty_like(gray)
    full = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.divide(gray, full, flat, scale=255.0)
    return flat


def estimate_skew(gray: NDArray[np.uint8]) -> float:
    """Slope of the lines in degrees, positive where they fall to the right; 0.0 where no lines show.

    Parameters
    ----------
    gray
        uint8, (h, w), paper near 255.
    """
    ink = _ink_strips(_checked(gray))
    coarse = np.arange(-MOST_SKEW_DEGREES, MOST_SKEW_DEGREES + 0.01, 0.5)
    scores = _profile_energies(ink, coarse)
    if scores.max() <= 1.05 * np.median(scores):
        return 0.0
    around = coarse[int(scores.argmax())]
    fine = around + np.arange(-0.6, 0.61, 0.1)
    return _peak(fine, _profile_energies(ink, fine))


def binarize(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sauvola's threshold: 0 where there is ink, 255 elsewhere; uint8, (h, w) in and out.

    The window is 1/40 of the shorter side, k = 0.2, R = 128. doi:10.1016/S0031-3203(99)00055-2
    """
    import cv2

    gray = _checked(gray)
    window = max(15, min(gray.shape) // 40 | 1)
    mean = cv2.boxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    square = cv2.sqrBoxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    threshold = mean * (1 + 0.2 * (deviation / 128 - 1))
    return np.where(gray > threshold, np.uint8(255), np.uint8(0))


def _checked(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
        raise ValueError(f"expected uint8 pixels of shape (h, w), got {gray.dtype} of shape {gray.shape}")
    return np.ascontiguousarray(gray)


def _paper(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness of the paper on a coarse grid of cells of 8 px; uint8, about (h / 8, w / 8)."""
    import cv2

    height, width = gray.shape
    cells = (max(1, round(width / 8)), max(1, round(height / 8)))
    small = cv2.resize(gray, cells, interpolation=cv2.INTER_AREA)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (15, 15))
    bright = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel).astype(np.float32)
    seen = (bright > 0.5 * np.percentile(bright, 90)).astype(np.float32)
    weight = cv2.GaussianBlur(seen, (0, 0), 8) + 1e-3
    level = float(np.average(bright, weights=seen)) if seen.any() else 255.0
    paper = (cv2.GaussianBlur(bright * seen, (0, 0), 8) + 1e-3 * level) / weight
    return np.clip(paper, 1, 255).astype(np.uint8)


def _ink_strips(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ink of the reduced page, summed over upright strips; float32, (rows, strips)."""
    import cv2

    height, width = gray.shape
    scale = min(1.0, 1200 / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (15, 15))
    ink = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, kernel)
    ink = ink[:, : ink.shape[1] // 8 * 8]
    return ink.reshape(ink.shape[0], -1, 8).sum(2, dtype=np.float32)


def _profile_energies(ink: NDArray[np.float32], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sharply rows separate at each angle in degrees: squared steps of the projection profile."""
    return np.array([_profile_energy(ink, float(angle)) for angle in angles])


def _profile_energy(ink: NDArray[np.float32], angle_degrees: float) -> float:
    rows, strips = ink.shape
    middle = (strips - 1) / 2
    slope = np.tan(np.radians(angle_degrees))
    shifts = np.rint((np.arange(strips) - middle) * 8 * slope).astype(int)
    margin = int(np.abs(shifts).max(initial=0))
    profile = np.zeros(rows + 2 * margin, np.float32)
    for strip, shift in enumerate(shifts):
        profile[margin - shift : margin - shift + rows] += ink[:, strip]
    return float(np.square(np.diff(profile)).sum())


def _peak(angles: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Vertex of the parabola through the best score and its neighbours."""
    best = int(scores.argmax())
    if best in (0, len(scores) - 1):
        return float(angles[best])
    before, top, after = scores[best - 1 : best + 2]
    bend = before - 2 * top + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(angles[best] + offset * (angles[1] - angles[0]))


def _rotated(flat: NDArray[np.uint8], skew_degrees: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Turn the page level on a canvas that holds all of it."""
    import cv2

    height, width = flat.shape
    angle = np.radians(skew_degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    new_width = int(np.ceil(width * cos + height * abs(sin)))
    new_height = int(np.ceil(height * cos + width * abs(sin)))
    turn = np.array([[cos, -sin], [sin, cos]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    new_centre = np.array([(new_width - 1) / 2, (new_height - 1) / 2])
    to_scan = np.column_stack([turn, centre - turn @ new_centre])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(flat, to_scan, (new_width, new_height), flags=flags, borderValue=255)
    return np.asarray(turned, np.uint8), to_scan
