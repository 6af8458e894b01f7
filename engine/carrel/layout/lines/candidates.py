"""Ridges become strands: pieces of the same line joined, lines of neighbouring columns cut apart, echoes dropped."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink, Mask
from carrel.layout.lines.ridges import Ridge, RidgeMap

JOIN_GAP = 11.0
OVERLAP = 5.0
CUT_GAP = 6.5
CUT_REACH = 0.7
CORRIDORS = ((1.6, 28.0), (3.0, 16.0))  # width and height
CORRIDOR_REACH = 40.0
CORRIDOR_ROWS = 2.5
SHORTEST = 1.2
ECHO_DISTANCE = 1.15
ECHO_PITCH = 0.65
VALLEY = 0.12
THINNEST = 0.11
SOLID = 0.75

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Strand:
    """The middle of a line's body: ``x`` and ``y`` float64 (k,), evenly spaced, in working px; ``strength`` (k,)."""

    x: Floats
    y: Floats
    strength: Floats

    @property
    def weight(self) -> float:
        """Summed response, the measure of how much of a line this is."""
        return float(self.strength.sum())

    def part(self, start: int, stop: int) -> Strand:
        """Points ``start`` to ``stop`` (exclusive)."""
        return Strand(self.x[start:stop], self.y[start:stop], self.strength[start:stop])


def from_ridges(ridges: list[Ridge], grid: RidgeMap) -> list[Strand]:
    """Grid cells to working px."""
    return [
        Strand((r.columns + 0.5) * grid.column_px, (r.rows + 0.5) * grid.row_px, r.strength)
        for r in ridges
        if len(r.columns) > 1
    ]


def separators(ink: Ink) -> Mask:
    """Vertical rulings and tall white corridors between writing, ``(h, w)`` uint8, 1 where no line may pass."""
    x_height = ink.x_height_px
    step = max(1, round(x_height / 4))
    h, w = ink.mask.shape
    size = (max(1, w // step), max(1, h // step))
    small = cv2.resize(cv2.dilate(ink.mask, np.ones((step, step), np.uint8)), size, interpolation=cv2.INTER_NEAREST)
    cells = x_height / step
    white = ((1 - small) & _between_writing(small.astype(np.uint8), cells)).astype(np.uint8)
    opened = np.zeros_like(white)
    for width, height in CORRIDORS:
        kernel = np.ones((max(3, round(height * cells)), max(2, round(width * cells))), np.uint8)
        opened |= cv2.morphologyEx(
            white, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
        ).astype(np.uint8)
    corridors = cv2.resize(opened, (w, h), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    rules = cv2.dilate(ink.rules, np.ones((1, 3), np.uint8)).astype(np.uint8)
    return (corridors | rules).astype(np.uint8)


def _between_writing(small: Mask, cells_per_x_height: float) -> Mask:
    """Where there is ink both to the left and to the right, in this row or one of its neighbours."""
    near = cv2.dilate(small, np.ones((round(2 * CORRIDOR_ROWS * cells_per_x_height) | 1, 1), np.uint8))
    reach = max(3, round(CORRIDOR_REACH * cells_per_x_height))
    kernel = np.ones((1, reach), np.uint8)
    left = cv2.dilate(near, kernel, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)).astype(np.uint8)
    right = cv2.dilate(near, kernel, anchor=(reach - 1, 0), borderType=cv2.BORDER_CONSTANT, borderValue=(0,)).astype(
        np.uint8
    )
    return (left & right).astype(np.uint8)


def _band(image: Mask, strand: Strand, above: float, below: float) -> NDArray[np.uint8]:
    """``(rows, k)``: the image along the strand from ``above`` px over it to ``below`` px under it."""
    offsets = np.arange(-round(above), round(below) + 1)
    rows = np.clip(np.rint(strand.y).astype(np.int64)[None, :] + offsets[:, None], 0, image.shape[0] - 1)
    columns = np.clip(np.rint(strand.x).astype(np.int64), 0, image.shape[1] - 1)
    return image[rows, columns[None, :]]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def between_separators(strand: Strand, barrier: Mask, x_height_px: float) -> NDArray[np.bool_]:
    """Which points of a strand (k,) no separator stands across."""
    band = _band(barrier, strand, CUT_REACH * x_height_px, CUT_REACH * x_height_px)
    return np.less(band.sum(axis=0, dtype=np.int64), 0.6 * len(band))


def cut(strand: Strand, wide_ink: Mask, barrier: Mask, x_height_px: float, cut_gap: float = CUT_GAP) -> list[Strand]:
    """Pieces of a strand that carry ink, cut at separators and at gaps of more than ``cut_gap`` x-heights."""
    reach = CUT_REACH * x_height_px
    inked = _band(wide_ink, strand, reach, reach).max(axis=0) > 0
    free = between_separators(strand, barrier, x_height_px)
    step = float(strand.x[1] - strand.x[0]) if len(strand.x) > 1 else 1.0
    pieces: list[Strand] = []
    for start, stop in _runs(free):
        filled = _runs(inked[start:stop])
        if not filled:
            continue
        first, last = filled[0]
        for a, b in filled[1:]:
            if (a - last) * step > cut_gap * x_height_px:
                pieces.append(strand.part(start + first, start + last))
                first = a
            last = b
        pieces.append(strand.part(start + first, start + last))
    return [p for p in pieces if len(p.x) > 1]


def _end_height(strand: Strand, right: bool, reach: int) -> tuple[float, float]:
    """Height and slope at one end, over its last ``reach`` points."""
    part = slice(-reach, None) if right else slice(None, reach)
    x, y = strand.x[part], strand.y[part]
    if len(x) < 4:
        return float(y.mean()), 0.0
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    return float(y[-1] if right else y[0]), float(np.clip(slope, -0.15, 0.15))


def _clear(barrier: Mask, a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether no separator stands between two points."""
    count = max(2, round(abs(b[0] - a[0])))
    x = np.clip(np.linspace(a[0], b[0], count), 0, barrier.shape[1] - 1).astype(np.int64)
    y = np.clip(np.linspace(a[1], b[1], count), 0, barrier.shape[0] - 1).astype(np.int64)
    return not bool(barrier[y, x].any())


def _joined(a: Strand, b: Strand) -> Strand:
    """One strand over both; between them straight, where they overlap the stronger counts."""
    step = a.x[1] - a.x[0] if len(a.x) > 1 else b.x[1] - b.x[0]
    keep = b.x > a.x[-1]
    x = np.concatenate((a.x, b.x[keep]))
    y = np.concatenate((a.y, b.y[keep]))
    strength = np.concatenate((a.strength, b.strength[keep]))
    even = np.arange(x[0], x[-1] + step / 2, step)
    nearest = np.abs(even[:, None] - np.array([a.x[-1], b.x[0]])[None, :])
    between = (even > a.x[-1]) & (even < b.x[0]) & (nearest.min(axis=1) > step / 2)
    return Strand(even, np.interp(even, x, y), np.where(between, 0.0, np.interp(even, x, strength)))


def join(strands: list[Strand], barrier: Mask, x_height_px: float, gap: float = JOIN_GAP) -> list[Strand]:
    """Join ends that face each other over at most ``gap`` x-heights, nearest first, until none is left."""
    live = sorted(strands, key=lambda s: float(s.x[0]))
    while True:
        best = _best_pairs(live, barrier, x_height_px, gap)
        if not best:
            return live
        gone: set[int] = set()
        added: list[Strand] = []
        for _, i, j in best:
            if i not in gone and j not in gone:
                gone |= {i, j}
                added.append(_joined(live[i], live[j]))
        live = sorted([s for k, s in enumerate(live) if k not in gone] + added, key=lambda s: float(s.x[0]))


def _best_pairs(live: list[Strand], barrier: Mask, x_height_px: float, gap: float) -> list[tuple[float, int, int]]:
    """Pairs (cost, left, right) that may be joined, cheapest first."""
    if len(live) < 2:
        return []
    right_end = np.array([s.x[-1] for s in live])
    left_end = np.array([s.x[0] for s in live])
    ends = np.array([_end_height(s, True, 12) for s in live])
    starts = np.array([_end_height(s, False, 12) for s in live])
    across = left_end[None, :] - right_end[:, None]
    lengths = right_end - left_end
    middle = np.clip(across, 0.0, None) / 2
    rise = (starts[None, :, 0] - starts[None, :, 1] * middle) - (ends[:, None, 0] + ends[:, None, 1] * middle)
    overlap_limit = -np.minimum(OVERLAP * x_height_px, 0.4 * np.minimum(lengths[:, None], lengths[None, :]))
    tolerance = (0.6 + 0.06 * np.clip(across, 0, None) / x_height_px) * x_height_px
    possible = (across < gap * x_height_px) & (across > overlap_limit) & (np.abs(rise) < tolerance)
    possible &= right_end[None, :] > right_end[:, None]
    np.fill_diagonal(possible, False)
    left, right = np.nonzero(possible)
    cost = np.abs(across[left, right]) + 2.5 * np.abs(rise[left, right])
    order = np.argsort(cost)
    pairs: list[tuple[float, int, int]] = []
    for k in order:
        i, j = int(left[k]), int(right[k])
        if _clear(barrier, (float(right_end[i]), float(ends[i, 0])), (float(left_end[j]), float(starts[j, 0]))):
            pairs.append((float(cost[k]), i, j))
    return pairs


def pitch_of(strands: list[Strand], x_height_px: float) -> float:
    """Usual distance from a long strand to the next long one under it, px; 3 x-heights where there are too few."""
    long = [s for s in strands if s.x[-1] - s.x[0] > 10.0 * x_height_px]
    distances: list[float] = []
    heights = np.array([float(s.y.mean()) for s in long])
    for strand, height in zip(long, heights, strict=True):
        near = np.flatnonzero(np.abs(heights - height - 5.0 * x_height_px) < 6.0 * x_height_px)
        below = [d for k in near if (d := _apart(strand, long[int(k)])) > 1.2 * x_height_px]
        if below:
            distances.append(min(below))
    return median(distances) if len(distances) >= 4 else 3.0 * x_height_px


def _apart(strand: Strand, other: Strand) -> float:
    """Median distance by which ``other`` runs under ``strand`` where both are; 0 where they share less than half."""
    x = strand.x[(strand.x >= other.x[0]) & (strand.x <= other.x[-1])]
    if 2 * len(x) < min(len(strand.x), len(other.x)):
        return 0.0
    return median(np.interp(x, other.x, other.y) - np.interp(x, strand.x, strand.y))


def _has_valley(strand: Strand, other: Strand, mask: Mask) -> bool:
    """Whether hardly any ink lies half-way between two strands: then they are lines, however close."""
    x = strand.x[(strand.x >= other.x[0]) & (strand.x <= other.x[-1])]
    own, far = np.interp(x, strand.x, strand.y), np.interp(x, other.x, other.y)
    inked = [float((_band(mask, Strand(x, y, x), 1.0, 1.0).max(axis=0) > 0).mean()) for y in (own, (own + far) / 2)]
    return inked[1] < VALLEY * inked[0]


def without_echoes(
    strands: list[Strand], mask: Mask, x_height_px: float, distance: float = ECHO_DISTANCE
) -> list[Strand]:
    """Drop strands that run close over or under a heavier one: rows of ascenders, descenders and accents.

    Close is ``distance`` x-heights, and for pieces that are short beside the other ``ECHO_PITCH`` of the page's pitch.
    """
    wide = max(distance * x_height_px, min(ECHO_PITCH * pitch_of(strands, x_height_px), 3.0 * x_height_px))
    kept: list[tuple[Strand, float, float]] = []
    for strand in sorted(strands, key=lambda s: -s.weight):
        shadowed = 0
        top, bottom = float(strand.y.min()) - wide, float(strand.y.max()) + wide
        for other, low, high in kept:
            if low > bottom or high < top:
                continue
            x = strand.x[(strand.x >= other.x[0]) & (strand.x <= other.x[-1])]
            if len(x):
                apart = np.abs(np.interp(x, strand.x, strand.y) - np.interp(x, other.x, other.y))
                reach = wide if strand.weight < 0.35 * other.weight else distance * x_height_px
                close = int((apart < reach).sum())
                if close and median(apart) > 0.6 * x_height_px and _has_valley(strand, other, mask):
                    close = 0
                shadowed += close
        if shadowed < 0.5 * len(strand.x):
            kept.append((strand, float(strand.y.min()), float(strand.y.max())))
    return [strand for strand, _, _ in kept]


def is_writing(strand: Strand, mask: Mask, x_height_px: float) -> bool:
    """Whether the ink along a strand is neither a mere stroke (a rest of a ruling) nor a solid bar."""
    reach = 1.0 * x_height_px
    band = _band(mask, strand, reach, reach)
    rows = band.sum(axis=1).astype(np.float64)
    total = rows.sum()
    if total == 0:
        return False
    at = np.arange(len(rows)) - (rows * np.arange(len(rows))).sum() / total
    spread = float(np.sqrt((rows * at**2).sum() / total))
    return spread > THINNEST * x_height_px and total < SOLID * band.size


def long_enough(strands: list[Strand], x_height_px: float, shortest: float = SHORTEST) -> list[Strand]:
    """Drop strands shorter than ``shortest`` x-heights."""
    return [s for s in strands if s.x[-1] - s.x[0] >= shortest * x_height_px]
