"""Candidates for lines, made of ridges: parts of a line joined, columns cut apart, echoes dropped."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.ink import Ink, Mask
from carrel.layout.lines.ridges import Ridge, RidgeMap
from carrel.layout.types import Floats

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


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """The middle of the small letters of what may be a line: ``x`` and ``y`` float64 (k,), evenly spaced, in working px; ``strength`` (k,)."""

    x: Floats
    y: Floats
    strength: Floats

    @property
    def weight(self) -> float:
        """Summed response, the measure of how much of a line this is."""
        return float(self.strength.sum())

    def part(self, start: int, stop: int) -> Candidate:
        """Return points ``start`` to ``stop`` (exclusive)."""
        return Candidate(self.x[start:stop], self.y[start:stop], self.strength[start:stop])


def candidates_from_ridges(ridges: list[Ridge], grid: RidgeMap) -> list[Candidate]:
    """Scale ridges from grid cells to working px."""
    return [
        Candidate((r.columns + 0.5) * grid.column_px, (r.rows + 0.5) * grid.row_px, r.strength)
        for r in ridges
        if len(r.columns) > 1
    ]


def find_separators(ink: Ink) -> Mask:
    """Find vertical rulings and tall white corridors between writing, ``(h, w)`` uint8, 1 where no line may pass."""
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
    rulings = cv2.dilate(ink.rulings, np.ones((1, 3), np.uint8)).astype(np.uint8)
    return (corridors | rulings).astype(np.uint8)


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


def _band(image: Mask, candidate: Candidate, above: float, below: float) -> NDArray[np.uint8]:
    """``(rows, k)``: the image along the candidate from ``above`` px over it to ``below`` px under it."""
    offsets = np.arange(-round(above), round(below) + 1)
    rows = np.clip(np.rint(candidate.y).astype(np.int64)[None, :] + offsets[:, None], 0, image.shape[0] - 1)
    columns = np.clip(np.rint(candidate.x).astype(np.int64), 0, image.shape[1] - 1)
    return image[rows, columns[None, :]]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def clear_of_separators(candidate: Candidate, barrier: Mask, x_height_px: float) -> NDArray[np.bool_]:
    """Tell which points of a candidate (k,) no separator stands across."""
    band = _band(barrier, candidate, CUT_REACH * x_height_px, CUT_REACH * x_height_px)
    return np.less(band.sum(axis=0, dtype=np.int64), 0.6 * len(band))


def cut_candidate(
    candidate: Candidate, wide_ink: Mask, barrier: Mask, x_height_px: float, cut_gap: float = CUT_GAP
) -> list[Candidate]:
    """Cut a candidate into the parts that carry ink, at separators and at gaps of more than ``cut_gap`` x-heights."""
    reach = CUT_REACH * x_height_px
    inked = _band(wide_ink, candidate, reach, reach).max(axis=0) > 0
    free = clear_of_separators(candidate, barrier, x_height_px)
    step = float(candidate.x[1] - candidate.x[0]) if len(candidate.x) > 1 else 1.0
    parts: list[Candidate] = []
    for start, stop in _runs(free):
        filled = _runs(inked[start:stop])
        if not filled:
            continue
        first, last = filled[0]
        for a, b in filled[1:]:
            if (a - last) * step > cut_gap * x_height_px:
                parts.append(candidate.part(start + first, start + last))
                first = a
            last = b
        parts.append(candidate.part(start + first, start + last))
    return [p for p in parts if len(p.x) > 1]


def _end_height(candidate: Candidate, right: bool, reach: int) -> tuple[float, float]:
    """Height and slope at one end, over its last ``reach`` points."""
    part = slice(-reach, None) if right else slice(None, reach)
    x, y = candidate.x[part], candidate.y[part]
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


def _joined(a: Candidate, b: Candidate) -> Candidate:
    """One candidate over both; between them straight, where they overlap the stronger counts."""
    step = a.x[1] - a.x[0] if len(a.x) > 1 else b.x[1] - b.x[0]
    keep = b.x > a.x[-1]
    x = np.concatenate((a.x, b.x[keep]))
    y = np.concatenate((a.y, b.y[keep]))
    strength = np.concatenate((a.strength, b.strength[keep]))
    even = np.arange(x[0], x[-1] + step / 2, step)
    nearest = np.abs(even[:, None] - np.array([a.x[-1], b.x[0]])[None, :])
    between = (even > a.x[-1]) & (even < b.x[0]) & (nearest.min(axis=1) > step / 2)
    return Candidate(even, np.interp(even, x, y), np.where(between, 0.0, np.interp(even, x, strength)))


def join_candidates(
    candidates: list[Candidate], barrier: Mask, x_height_px: float, gap: float = JOIN_GAP
) -> list[Candidate]:
    """Join ends that face each other over at most ``gap`` x-heights, nearest first, until none is left."""
    live = sorted(candidates, key=lambda s: float(s.x[0]))
    while True:
        best = _best_pairs(live, barrier, x_height_px, gap)
        if not best:
            return live
        gone: set[int] = set()
        added: list[Candidate] = []
        for _, i, j in best:
            if i not in gone and j not in gone:
                gone |= {i, j}
                added.append(_joined(live[i], live[j]))
        live = sorted([s for k, s in enumerate(live) if k not in gone] + added, key=lambda s: float(s.x[0]))


def _best_pairs(live: list[Candidate], barrier: Mask, x_height_px: float, gap: float) -> list[tuple[float, int, int]]:
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


def estimate_pitch(candidates: list[Candidate], x_height_px: float) -> float:
    """Estimate the usual distance from a long candidate to the next long one under it, px; 3 x-heights where there are too few."""
    long = [s for s in candidates if s.x[-1] - s.x[0] > 10.0 * x_height_px]
    distances: list[float] = []
    heights = np.array([float(s.y.mean()) for s in long])
    for candidate, height in zip(long, heights, strict=True):
        near = np.flatnonzero(np.abs(heights - height - 5.0 * x_height_px) < 6.0 * x_height_px)
        below = [d for k in near if (d := _apart(candidate, long[int(k)])) > 1.2 * x_height_px]
        if below:
            distances.append(min(below))
    return median(distances) if len(distances) >= 4 else 3.0 * x_height_px


def _apart(candidate: Candidate, other: Candidate) -> float:
    """Median distance by which ``other`` runs under ``candidate`` where both are; 0 where they share less than half."""
    x = candidate.x[(candidate.x >= other.x[0]) & (candidate.x <= other.x[-1])]
    if 2 * len(x) < min(len(candidate.x), len(other.x)):
        return 0.0
    return median(np.interp(x, other.x, other.y) - np.interp(x, candidate.x, candidate.y))


def _has_valley(candidate: Candidate, other: Candidate, mask: Mask) -> bool:
    """Whether hardly any ink lies half-way between two candidates: then they are lines, however close."""
    x = candidate.x[(candidate.x >= other.x[0]) & (candidate.x <= other.x[-1])]
    own, far = np.interp(x, candidate.x, candidate.y), np.interp(x, other.x, other.y)
    inked = [float((_band(mask, Candidate(x, y, x), 1.0, 1.0).max(axis=0) > 0).mean()) for y in (own, (own + far) / 2)]
    return inked[1] < VALLEY * inked[0]


def without_echoes(
    candidates: list[Candidate], mask: Mask, x_height_px: float, distance: float = ECHO_DISTANCE
) -> list[Candidate]:
    """Drop candidates that run close over or under a heavier one: rows of ascenders, descenders and accents.

    Close is ``distance`` x-heights, and for parts that are short beside the other ``ECHO_PITCH`` of the page's pitch.
    """
    wide = max(distance * x_height_px, min(ECHO_PITCH * estimate_pitch(candidates, x_height_px), 3.0 * x_height_px))
    kept: list[tuple[Candidate, float, float]] = []
    for candidate in sorted(candidates, key=lambda s: -s.weight):
        shadowed = 0
        top, bottom = float(candidate.y.min()) - wide, float(candidate.y.max()) + wide
        for other, low, high in kept:
            if low > bottom or high < top:
                continue
            x = candidate.x[(candidate.x >= other.x[0]) & (candidate.x <= other.x[-1])]
            if len(x):
                apart = np.abs(np.interp(x, candidate.x, candidate.y) - np.interp(x, other.x, other.y))
                reach = wide if candidate.weight < 0.35 * other.weight else distance * x_height_px
                close = int((apart < reach).sum())
                if close and median(apart) > 0.6 * x_height_px and _has_valley(candidate, other, mask):
                    close = 0
                shadowed += close
        if shadowed < 0.5 * len(candidate.x):
            kept.append((candidate, float(candidate.y.min()), float(candidate.y.max())))
    return [candidate for candidate, _, _ in kept]


def is_writing(candidate: Candidate, mask: Mask, x_height_px: float) -> bool:
    """Tell whether the ink along a candidate is neither a mere stroke (a rest of a ruling) nor a solid bar."""
    reach = 1.0 * x_height_px
    band = _band(mask, candidate, reach, reach)
    rows = band.sum(axis=1).astype(np.float64)
    total = rows.sum()
    if total == 0:
        return False
    at = np.arange(len(rows)) - (rows * np.arange(len(rows))).sum() / total
    spread = float(np.sqrt((rows * at**2).sum() / total))
    return spread > THINNEST * x_height_px and total < SOLID * band.size


def long_enough(candidates: list[Candidate], x_height_px: float, shortest: float = SHORTEST) -> list[Candidate]:
    """Drop candidates shorter than ``shortest`` x-heights."""
    return [s for s in candidates if s.x[-1] - s.x[0] >= shortest * x_height_px]
