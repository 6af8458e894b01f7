"""Baselines of candidates, found in the ink, and polygons that hold whole letters."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.components import Components
from carrel.layout.ink import Ink
from carrel.layout.lines.candidates import Candidate
from carrel.layout.types import Floats, FoundLine

PROFILE_WINDOW_X_HEIGHTS = 10.0
KNOT_DISTANCE_X_HEIGHTS = 4.0
MAX_ASCENT, MAX_DESCENT = 1.9, 1.0
"""How far a polygon may reach over and under the baseline, in x-heights: rulings and neighbours join the ink of a line."""


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A baseline, working px: ``x`` and ``y`` float64 (k,), and the x-height of its line."""

    x: Floats
    y: Floats
    x_height_px: float


def fit_baseline(candidate: Candidate, ink: Ink) -> Baseline:
    """Fit baseline and x-height of one candidate: where the ink across it falls and rises most."""
    unit = ink.x_height_px
    reach = max(4, round(2.0 * unit))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    x = np.arange(candidate.x[0], candidate.x[-1] + 1.0)
    y = np.interp(x, candidate.x, candidate.y)
    map_x = np.broadcast_to(x.astype(np.float32), (len(offsets), len(x)))
    map_y = y.astype(np.float32)[None, :] + offsets[:, None]
    strip = cv2.remap(ink.mask.astype(np.float32), np.ascontiguousarray(map_x), map_y, cv2.INTER_LINEAR)
    window = max(3, round(PROFILE_WINDOW_X_HEIGHTS * unit)) | 1
    profile = cv2.blur(strip, (window, 1), borderType=cv2.BORDER_REPLICATE)
    profile = cv2.GaussianBlur(profile, (1, 0), sigmaX=0.1, sigmaY=0.16 * unit)
    slope = np.gradient(profile, axis=0)
    under, over = (
        _steepest(-slope, offsets, 0.05 * unit, 1.4 * unit),
        _steepest(slope, offsets, -1.5 * unit, -0.05 * unit),
    )
    smooth = max(3, round(6.0 * unit)) | 1
    base = cv2.blur(under[None, :].astype(np.float32), (smooth, 1), borderType=cv2.BORDER_REPLICATE)[0]
    x_height = median(under - over)
    return Baseline(x, y + base, float(np.clip(x_height, 0.6 * unit, 2.5 * unit)))


def _steepest(slope: NDArray[np.float32], offsets: NDArray[np.float32], low: float, high: float) -> Floats:
    """Offset of the largest ``slope`` between ``low`` and ``high`` in every column."""
    allowed = np.flatnonzero((offsets >= low) & (offsets <= high))
    return offsets[allowed[slope[allowed].argmax(axis=0)]].astype(np.float64)


def find_nearest(baselines: list[Baseline], parts: Components) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find for every pixel of ink which baseline is nearest (index + 1) and how far away it is in px, (n,)."""
    seeds = np.zeros(parts.shape, np.int32)
    for k, baseline in enumerate(baselines):
        ring = np.concatenate(
            (
                np.stack((baseline.x, baseline.y - 0.9 * baseline.x_height_px), 1),
                np.stack((baseline.x, baseline.y), 1)[::-1],
            )
        )
        cv2.fillPoly(seeds, [np.rint(ring).astype(np.int32)], (k + 1,))
    rows, columns = _held_by(seeds, parts)
    seeds = seeds[rows, columns]
    free = (seeds == 0).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = free == 0
    table[nearest[inside]] = seeds[inside]
    y, x = np.divmod(parts.pixels, parts.shape[1])
    at = (y - rows.start) * seeds.shape[1] + (x - columns.start)
    return table[nearest.ravel()[at]], distance.ravel()[at].astype(np.float32)


def _held_by(seeds: NDArray[np.int32], parts: Components) -> tuple[slice, slice]:
    """Rows and columns that hold all seeds and all ink: the way from one to the other stays among them."""
    left, top, width, height, _ = parts.stats[1:].T
    held: list[slice] = []
    for axis, (low, high) in enumerate(((top, top + height), (left, left + width))):
        seeded = np.flatnonzero(seeds.any(axis=1 - axis))
        ends = (
            [*seeded[[0, -1]], int(low.min()), int(high.max()) - 1]
            if len(low) and len(seeded)
            else [0, seeds.shape[axis] - 1]
        )
        held.append(slice(int(min(ends)), int(max(ends)) + 1))
    return held[0], held[1]


def cover_mask(baselines: list[Baseline], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Mark where the letters of lines may reach, with ascenders and descenders, ``(h, w)`` uint8 0 or 1."""
    covered = np.zeros(shape, np.uint8)
    for baseline in baselines:
        unit = baseline.x_height_px
        x = np.concatenate(([baseline.x[0] - unit], baseline.x, [baseline.x[-1] + unit]))
        base = np.concatenate((baseline.y[:1], baseline.y, baseline.y[-1:]))
        ring = np.concatenate((np.stack((x, base - 1.7 * unit), 1), np.stack((x, base + 0.6 * unit), 1)[::-1]))
        cv2.fillPoly(covered, [np.rint(ring).astype(np.int32)], (1,))
    return covered


@dataclass(frozen=True, slots=True, eq=False)
class LineInk:
    """Pixels of ink that belong to lines: ``x``, ``y`` and ``line`` (index), int64 (n,)."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    line: NDArray[np.int64]


def assign_ink(baselines: list[Baseline], ink: Ink) -> LineInk:
    """Give every component of ink to the line that holds most of it; those that touch several lines are divided."""
    component, stats = ink.parts.member, ink.parts.stats
    line, distance = find_nearest(baselines, ink.parts)
    count = len(baselines) + 1
    shares = np.zeros((len(stats), count), np.int32) if len(stats) * count < 20_000_000 else None
    if shares is None:
        winner, share = line, np.zeros(len(line))
    else:
        np.add.at(shares.ravel(), component * count + line, np.int32(1))
        most = shares.argmax(axis=1)
        share = (shares.max(axis=1) / np.maximum(shares.sum(axis=1), 1))[component]
        winner = most[component]
    tall = stats[component, cv2.CC_STAT_HEIGHT] > 5.0 * ink.x_height_px
    line = np.where((share >= 0.72) & ~tall, winner, line)
    near = np.full(len(stats), np.inf, np.float32)
    np.minimum.at(near, component, distance)
    unit = np.array([0.0] + [b.x_height_px for b in baselines])[line]
    keep = (line > 0) & (near[component] < 1.1 * unit) & (distance < 3.0 * unit)
    y, x = np.divmod(ink.parts.pixels[keep], ink.parts.shape[1])
    return LineInk(x, y, line[keep].astype(np.int64) - 1)


def _envelope(baseline: Baseline, x: NDArray[np.int64], y: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
    """Knots of a line: x, baseline, top and bottom; the ends follow the ink."""
    unit = baseline.x_height_px
    near = (x > baseline.x[0] - 2.5 * unit) & (x < baseline.x[-1] + 2.5 * unit)
    x, y = x[near], y[near]
    left = min(baseline.x[0], float(x.min()) if len(x) else np.inf)
    right = max(baseline.x[-1], float(x.max()) if len(x) else -np.inf)
    step = 0.5 * unit
    slabs = max(1, int(np.ceil((right - left + 1) / step)))
    middle = left + (np.arange(slabs) + 0.5) * step
    base = np.interp(middle, baseline.x, baseline.y)
    top, bottom = base - 1.35 * unit, base + 0.45 * unit
    slab = np.clip(((x - left) / step).astype(np.int64), 0, slabs - 1)
    np.minimum.at(top, slab, y - 1.0)
    np.maximum.at(bottom, slab, y + 2.0)
    top = np.maximum(top, base - MAX_ASCENT * unit) - 0.12 * unit
    bottom = np.minimum(bottom, base + MAX_DESCENT * unit) + 0.12 * unit
    wide = np.ones((1, 5), np.uint8)
    top = cv2.erode(top[None, :].astype(np.float32), wide, borderType=cv2.BORDER_REPLICATE)[0]
    bottom = cv2.dilate(bottom[None, :].astype(np.float32), wide, borderType=cv2.BORDER_REPLICATE)[0]
    middle[0], middle[-1] = left - 0.35 * unit, right + 0.35 * unit
    return middle, base, top.astype(np.float64), bottom.astype(np.float64)


def draw_polygons(baselines: list[Baseline], ink: Ink) -> list[tuple[Floats, Floats]]:
    """Draw baseline ``(k, 2)`` and polygon ``(m, 2)`` of every line, working px."""
    if not baselines:
        return []
    owned = assign_ink(baselines, ink)
    order = np.argsort(owned.line, kind="stable")
    bounds = np.searchsorted(owned.line[order], np.arange(len(baselines) + 1))
    found: list[tuple[Floats, Floats]] = []
    for baseline, a, b in zip(baselines, bounds[:-1], bounds[1:], strict=True):
        pixels = order[a:b]
        x, base, top, bottom = _envelope(baseline, owned.x[pixels], owned.y[pixels])
        if len(x) == 1:
            x, base = np.array([baseline.x[0], baseline.x[-1] + 1.0]), np.repeat(base, 2)
            top, bottom = np.repeat(top, 2), np.repeat(bottom, 2)
        knots = np.rint(np.linspace(0, len(x) - 1, max(2, round(len(x) * 0.5 / KNOT_DISTANCE_X_HEIGHTS) + 1))).astype(
            int
        )
        knots = knots[np.diff(knots, prepend=-1) > 0]
        ring = np.concatenate((np.stack((x, top), 1), np.stack((x, bottom), 1)[::-1]))
        found.append((np.stack((x[knots], base[knots]), 1), ring))
    return found


def as_found_lines(baselines: list[Baseline], ink: Ink, shape: tuple[int, int]) -> list[FoundLine]:
    """Scale lines to px of the page, whose ``shape`` is (h, w)."""
    limit = np.array([shape[1] - 1, shape[0] - 1], dtype=np.float64)
    lines: list[FoundLine] = []
    for baseline, rings in zip(baselines, draw_polygons(baselines, ink), strict=True):
        points, polygon = (np.clip(part / ink.scale, 0.0, limit).astype(np.float32) for part in rings)
        lines.append(FoundLine(points, polygon, baseline.x_height_px / ink.scale))
    return lines
