"""Stamps over text: where their ink is paler than the writing, it is painted over before the lines are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import gray_levels
from carrel.layout.types import FoundRegion
from carrel.page import STAMP_ZONE

Gray = NDArray[np.uint8]
Polygon = NDArray[np.floating]

AROUND_SHARE = 1.0  # of the stamp's width to both its sides: writing there tells how dark that under it is
CORE_SHARE, PAPER_SHARE = 0.04, 0.8  # of the px of lines that are darker than the core of their strokes and than paper
OUTLINE_SCALES = np.linspace(0.88, 1.04, 17)  # of the polygon: within which the outline lies
MIN_DARKNESS = 12  # gray levels of an outline that shows
MAX_RELATIVE_DARKNESS = 0.84  # of the outline, to the core of strokes: more cannot be told apart
BETWEEN_SHARE = 0.4  # of the way from the stamp's darkness to that of strokes: what is darker is writing
INK_SHARE = 0.4  # of the darkness of strokes, from which a px is ink
MIN_KEPT_SHARE = 0.9  # of the ink of lines beside the stamp that the same step would leave
GROWN_SHARE = 0.06  # of the stamp's width by which its outline may lie outside its polygon
MAX_SHARED = 0.15  # of a line in a stamp that lines of text cover: more cannot be read


def without_pale_stamps(gray: Gray, regions: Sequence[FoundRegion]) -> tuple[Gray, tuple[FoundRegion, ...]]:
    """Remove from a page, uint8 ``(h, w)``, the stamps that are paler than the text they lie on.

    Of the lines of such a stamp those remain that no text runs through. Without such stamps ``gray`` itself comes back.
    """
    text = [line.polygon for region in regions if region.kind != STAMP_ZONE for line in region.lines]
    kept: list[FoundRegion] = []
    for region in regions:
        crossing = [line for line in text if _boxes_meet(line, region.polygon)] if region.kind == STAMP_ZONE else []
        cleaned = without_pale_stamp(gray, region.polygon, crossing) if crossing else None
        if cleaned is None:
            kept.append(region)
            continue
        gray = cleaned
        kept.append(replace(region, lines=tuple(li for li in region.lines if _is_clear(li.polygon, crossing))))
    return gray, tuple(kept)


def _boxes_meet(polygon: Polygon, other: Polygon) -> bool:
    low, high = np.maximum(polygon.min(axis=0), other.min(axis=0)), np.minimum(polygon.max(axis=0), other.max(axis=0))
    return bool((low < high).all())


def _is_clear(line: Polygon, others: Sequence[Polygon]) -> bool:
    """Tell whether hardly anything of a line's polygon lies in the others."""
    corner = line.min(axis=0).astype(np.int64)
    width, height = (int(side) + 1 for side in np.ptp(line, axis=0))
    own, covered = _filled((height, width), [line], corner), _filled((height, width), others, corner)
    return cv2.countNonZero(own & covered) <= MAX_SHARED * cv2.countNonZero(own)


def without_pale_stamp(gray: Gray, stamp: Polygon, lines: Sequence[Polygon]) -> Gray | None:
    """Remove a stamp that is paler than the writing it lies on; return None where there is none such.

    Parameters
    ----------
    gray
        The page, uint8 ``(h, w)``, ink dark.
    stamp
        ``(m, 2)``: its outline, px of ``gray``.
    lines
        ``(m, 2)`` each: the polygons of the lines of text that it is printed over.

    Returns
    -------
    ndarray of uint8, (h, w), or None
        A new page; nothing on it is darker than before.
    """
    box, part = _around(gray, stamp)
    inside, text = _filled(part.shape, [stamp], box), _filled(part.shape, lines, box)
    grown = cv2.dilate(inside, np.ones((2 * round(GROWN_SHARE * float(np.ptp(stamp[:, 0]))) + 1,) * 2, np.uint8))
    beside = (text & (1 - grown)).astype(np.uint8)
    if not cv2.countNonZero(beside) or not cv2.countNonZero(text & inside):
        return None
    core, paper = (int(level) for level in gray_levels(part, (CORE_SHARE, PAPER_SHARE), beside))
    written, stamped = paper - core, paper - _outline_level(part, stamp - box)
    if not MIN_DARKNESS <= stamped <= MAX_RELATIVE_DARKNESS * written:
        return None
    darkest_paint = paper - (stamped + BETWEEN_SHARE * (written - stamped))
    strokes = cv2.dilate((part <= darkest_paint).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ink = (beside > 0) & (part < paper - INK_SHARE * written)
    if (ink & strokes).sum() < MIN_KEPT_SHARE * ink.sum():  # hair strokes as pale as the stamp
        return None
    cleaned = gray.copy()
    x, y = box
    there = cleaned[y : y + part.shape[0], x : x + part.shape[1]]
    np.maximum(there, np.uint8(paper), out=there, where=(grown > 0) & ~strokes)
    return cleaned


def _around(gray: Gray, stamp: Polygon) -> tuple[NDArray[np.int64], Gray]:
    """The corner of the part of the page with a stamp and what stands beside it, and that part."""
    (left, top), (right, bottom) = stamp.min(axis=0), stamp.max(axis=0)
    reach, edge = AROUND_SHARE * (right - left), GROWN_SHARE * (right - left)
    x0, y0 = max(0, int(left - reach)), max(0, int(top - edge))
    return np.array((x0, y0)), gray[y0 : int(bottom + edge) + 1, x0 : int(right + reach) + 1]


def _filled(shape: tuple[int, ...], polygons: Sequence[Polygon], corner: NDArray[np.int64]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.rint(polygon - corner).astype(np.int32)], (1,))
    return mask


def _outline_level(part: Gray, stamp: Polygon) -> float:
    """The usual gray level of the line that a stamp is drawn with: of dark px across it all around."""
    ends = np.roll(stamp, -1, axis=0)
    points = np.concatenate([stamp + share * (ends - stamp) for share in np.arange(8) / 8])
    center = stamp.mean(axis=0)
    across = center + OUTLINE_SCALES[:, None, None] * (points - center)  # (scales, n, 2)
    x, y = np.rint(across).astype(np.int64).transpose(2, 0, 1)
    known = ((x >= 0) & (y >= 0) & (x < part.shape[1]) & (y < part.shape[0])).all(axis=0)
    if not known.any():
        return 255.0
    return float(np.median(np.partition(part[y[:, known], x[:, known]], 2, axis=0)[2]))
