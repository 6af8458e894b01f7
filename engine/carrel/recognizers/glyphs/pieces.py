"""Over-segmentation: the ink of a line in parts that are at most a character each, and the pieces that parts make together.

Strokes that touch nothing else are one part, or several where they are wide: cut where there is least ink. After R. G. Casey
and E. Lecolinet, "A survey of methods and strategies in character segmentation", 1996, doi:10.1109/34.506792.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.recognizers.glyphs.normalize import INK, SPECK_SHARE, ink_levels

Ink = NDArray[np.float32]
MOST_PARTS = 40
"""Of a line; more are no line of a few characters."""
MOST_JOINED = 3
"""Parts that make a character together."""
ABOVE_SHARE = 0.6
"""Share of the narrower of two strokes by which they must overlap to be one part: a bar above, a dot, a broken ring."""
WIDE = 0.55
"""Width of a part, in heights of the line's ink, from which cuts are looked for in it."""
MIN_PART = 0.18
"""Least width of what a cut leaves, in the same."""
WIDEST_PIECE = 1.5
"""Width of a character, in the same, that is not surpassed."""
TALL_RULING = 0.97
FLAT_STROKE, LONG_STROKE = 0.12, 1.2
"""Height and width, in heights of the line, of a stroke that is a ruling or leader, not a dash."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Parts ``start`` to ``end`` (outside) together: their ink ``(h, w)``, and the columns of the line that they cover."""

    start: int
    end: int
    ink: Ink
    left_px: int
    right_px: int


def parts_of(gray: NDArray[np.uint8]) -> list[tuple[Ink, int]]:
    """Return the parts of a line, uint8 ``(h, w)``, ink dark, from left to right: ink of full height, and its first column.

    At most `MOST_PARTS`; none where there is no ink, or more than those.
    """
    import cv2

    ink = ink_levels(gray)
    count, labels, raw, _ = cv2.connectedComponentsWithStats((ink > INK).astype(np.uint8), connectivity=8)
    stats = raw.astype(np.int32)
    kept = [n for n in range(1, count) if _is_stroke(stats[n], gray.shape)]
    if not kept:
        return []
    largest = max(int(stats[n, cv2.CC_STAT_AREA]) for n in kept)
    kept = [n for n in kept if stats[n, cv2.CC_STAT_AREA] >= SPECK_SHARE * largest]
    tall = np.median([stats[n, cv2.CC_STAT_HEIGHT] for n in kept if 4 * stats[n, cv2.CC_STAT_AREA] >= largest])
    groups = _grouped(kept, stats)
    parts: list[tuple[Ink, int]] = []
    for group in groups:
        left = min(int(stats[n, cv2.CC_STAT_LEFT]) for n in group)
        right = max(int(stats[n, cv2.CC_STAT_LEFT] + stats[n, cv2.CC_STAT_WIDTH]) for n in group)
        near = slice(max(0, left - 1), right + 1)  # a pixel of soft edge
        mask = cv2.dilate(np.isin(labels[:, near], group).astype(np.uint8), np.ones((3, 3), np.uint8))
        own = np.where(mask > 0, ink[:, near], np.float32(0))
        cuts = _cuts(own, float(tall))
        for a, b in zip([0, *cuts], [*cuts, own.shape[1]], strict=True):
            parts.append((own[:, a:b], near.start + a))
    return parts if len(parts) <= MOST_PARTS else []


def _is_stroke(stats: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    """Tell whether a connected stroke may belong to writing: not the frame of the line, a ruling or a speck."""
    _, _, width, height, area = (int(value) for value in stats)
    if area < 0.0008 * shape[0] * shape[0]:
        return False
    upright = height >= TALL_RULING * shape[0] and width < 0.12 * shape[0]
    flat = height < FLAT_STROKE * shape[0] and width > LONG_STROKE * shape[0]
    return not upright and not flat


def _grouped(strokes: Sequence[int], stats: NDArray[np.int32]) -> list[list[int]]:
    """Strokes from left to right, those together that stand above one another."""
    groups: list[tuple[int, int, list[int]]] = []
    for n in sorted(strokes, key=lambda n: 2 * int(stats[n, 0]) + int(stats[n, 2])):
        left, right = int(stats[n, 0]), int(stats[n, 0] + stats[n, 2])
        if groups:
            a, b, own = groups[-1]
            if min(right, b) - max(left, a) >= ABOVE_SHARE * min(right - left, b - a):
                groups[-1] = (min(a, left), max(b, right), [*own, n])
                continue
        groups.append((left, right, [n]))
    return [own for _, _, own in groups]


def _cuts(ink: Ink, tall: float) -> list[int]:
    """Columns at which a wide part is cut: where its profile is lowest between two that are higher."""
    width = ink.shape[1]
    if width < WIDE * tall:
        return []
    least = max(2, round(MIN_PART * tall))
    profile = np.convolve(ink.sum(axis=0), np.ones(3) / 3, "same")
    cuts: list[int] = []
    for x in np.argsort(profile, kind="stable").tolist():
        if x < least or x > width - least or any(abs(x - cut) < least for cut in cuts):
            continue
        left, right = profile[max(0, x - 2 * least) : x].max(), profile[x + 1 : x + 1 + 2 * least].max()
        if profile[x] <= 0.75 * min(left, right):
            cuts.append(x)
    return sorted(cuts)


def pieces_of(gray: NDArray[np.uint8]) -> tuple[list[Piece], int]:
    """Return every piece that may be a character, and the number of parts; see `parts_of`."""
    parts = parts_of(gray)
    if not parts:
        return [], 0
    rows = [np.flatnonzero((ink > INK).any(axis=1)) for ink, _ in parts]
    tall = max(int(r[-1] - r[0] + 1) for r in rows if len(r)) if any(map(len, rows)) else gray.shape[0]
    pieces: list[Piece] = []
    for start in range(len(parts)):
        for end in range(start + 1, min(start + MOST_JOINED, len(parts)) + 1):
            own = parts[start:end]
            left, right = min(at for _, at in own), max(at + ink.shape[1] for ink, at in own)
            if end > start + 1 and right - left > WIDEST_PIECE * tall:
                break
            whole = np.zeros((gray.shape[0], right - left), np.float32)
            for ink, at in own:
                place = whole[:, at - left : at - left + ink.shape[1]]
                np.maximum(place, ink, out=place)
            pieces.append(Piece(start, end, whole, left, right))
    return pieces, len(parts)
