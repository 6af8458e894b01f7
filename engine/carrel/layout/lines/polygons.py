"""Strands become lines: baselines found in the ink, polygons that hold whole letters."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.components import Components
from carrel.layout.ink import Ink
from carrel.layout.lines.candidates import Floats, Strand
from carrel.layout.types import FoundLine

BODY_WINDOW = 10.0
KNOT_DISTANCE = 4.0
HIGHEST, LOWEST = 1.9, 1.0
"""How far a polygon may reach over and under the baseline, in x-heights: rules and neighbours join the ink of a line."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Body of a line, working px: ``x``, ``base`` (its baseline) float64 (k,), and its own x-height."""

    x: Floats
    base: Floats
    x_height_px: float


def body_of(strand: Strand, ink: Ink) -> Body:
    """Baseline and x-height of one strand: where the ink across it falls and rises most."""
    unit = ink.x_height_px
    reach = max(4, round(2.0 * unit))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    x = np.arange(strand.x[0], strand.x[-1] + 1.0)
    y = np.interp(x, strand.x, strand.y)
    map_x = np.broadcast_to(x.astype(np.float32), (len(offsets), len(x)))
    map_y = y.astype(np.float32)[None, :] + offsets[:, None]
    strip = cv2.remap(ink.mask.astype(np.float32), np.ascontiguousarray(map_x), map_y, cv2.INTER_LINEAR)
    window = max(3, round(BODY_WINDOW * unit)) | 1
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
    return Body(x, y + base, float(np.clip(x_height, 0.6 * unit, 2.5 * unit)))


def _steepest(slope: NDArray[np.float32], offsets: NDArray[np.float32], low: float, high: float) -> Floats:
    """Offset of the largest ``slope`` between ``low`` and ``high`` in every column."""
    allowed = np.flatnonzero((offsets >= low) & (offsets <= high))
    return offsets[allowed[slope[allowed].argmax(axis=0)]].astype(np.float64)


def owners(bodies: list[Body], parts: Components) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For every pixel of ink, which body is nearest (index + 1) and how far away it is in px, (n,)."""
    seeds = np.zeros(parts.shape, np.int32)
    for k, body in enumerate(bodies):
        outline = np.concatenate(
            (np.stack((body.x, body.base - 0.9 * body.x_height_px), 1), np.stack((body.x, body.base), 1)[::-1])
        )
        cv2.fillPoly(seeds, [np.rint(outline).astype(np.int32)], (k + 1,))
    distance, nearest = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = seeds > 0
    table[nearest[inside]] = seeds[inside]
    return table[nearest.ravel()[parts.pixels]], distance.ravel()[parts.pixels].astype(np.float32)


def covered_by(bodies: list[Body], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Where the letters of bodies may reach, with ascenders and descenders, ``(h, w)`` uint8 0 or 1."""
    covered = np.zeros(shape, np.uint8)
    for body in bodies:
        unit = body.x_height_px
        x = np.concatenate(([body.x[0] - unit], body.x, [body.x[-1] + unit]))
        base = np.concatenate((body.base[:1], body.base, body.base[-1:]))
        ring = np.concatenate((np.stack((x, base - 1.7 * unit), 1), np.stack((x, base + 0.6 * unit), 1)[::-1]))
        cv2.fillPoly(covered, [np.rint(ring).astype(np.int32)], (1,))
    return covered


@dataclass(frozen=True, slots=True, eq=False)
class OwnedInk:
    """Pixels of ink that belong to lines: ``x``, ``y`` and ``line`` (index), int64 (n,)."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    line: NDArray[np.int64]


def owned_ink(bodies: list[Body], ink: Ink) -> OwnedInk:
    """Give every component of ink to the line that holds most of it; those that touch several lines are divided."""
    component, stats = ink.parts.member, ink.parts.stats
    line, distance = owners(bodies, ink.parts)
    count = len(bodies) + 1
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
    unit = np.array([0.0] + [b.x_height_px for b in bodies])[line]
    keep = (line > 0) & (near[component] < 1.1 * unit) & (distance < 3.0 * unit)
    y, x = np.divmod(ink.parts.pixels[keep], ink.parts.shape[1])
    return OwnedInk(x, y, line[keep].astype(np.int64) - 1)


def _envelope(body: Body, x: NDArray[np.int64], y: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
    """Knots of a line: x, baseline, top and bottom; the ends follow the ink."""
    unit = body.x_height_px
    near = (x > body.x[0] - 2.5 * unit) & (x < body.x[-1] + 2.5 * unit)
    x, y = x[near], y[near]
    left = min(body.x[0], float(x.min()) if len(x) else np.inf)
    right = max(body.x[-1], float(x.max()) if len(x) else -np.inf)
    step = 0.5 * unit
    slabs = max(1, int(np.ceil((right - left + 1) / step)))
    middle = left + (np.arange(slabs) + 0.5) * step
    base = np.interp(middle, body.x, body.base)
    top, bottom = base - 1.35 * unit, base + 0.45 * unit
    slab = np.clip(((x - left) / step).astype(np.int64), 0, slabs - 1)
    np.minimum.at(top, slab, y - 1.0)
    np.maximum.at(bottom, slab, y + 2.0)
    top = np.maximum(top, base - HIGHEST * unit) - 0.12 * unit
    bottom = np.minimum(bottom, base + LOWEST * unit) + 0.12 * unit
    wide = np.ones((1, 5), np.uint8)
    top = cv2.erode(top[None, :].astype(np.float32), wide, borderType=cv2.BORDER_REPLICATE)[0]
    bottom = cv2.dilate(bottom[None, :].astype(np.float32), wide, borderType=cv2.BORDER_REPLICATE)[0]
    middle[0], middle[-1] = left - 0.35 * unit, right + 0.35 * unit
    return middle, base, top.astype(np.float64), bottom.astype(np.float64)


def outlines(bodies: list[Body], ink: Ink) -> list[tuple[Floats, Floats]]:
    """Baseline ``(k, 2)`` and polygon ``(m, 2)`` of every body, working px."""
    if not bodies:
        return []
    owned = owned_ink(bodies, ink)
    order = np.argsort(owned.line, kind="stable")
    bounds = np.searchsorted(owned.line[order], np.arange(len(bodies) + 1))
    found: list[tuple[Floats, Floats]] = []
    for body, a, b in zip(bodies, bounds[:-1], bounds[1:], strict=True):
        pixels = order[a:b]
        x, base, top, bottom = _envelope(body, owned.x[pixels], owned.y[pixels])
        if len(x) == 1:
            x, base = np.array([body.x[0], body.x[-1] + 1.0]), np.repeat(base, 2)
            top, bottom = np.repeat(top, 2), np.repeat(bottom, 2)
        knots = np.rint(np.linspace(0, len(x) - 1, max(2, round(len(x) * 0.5 / KNOT_DISTANCE) + 1))).astype(int)
        knots = knots[np.diff(knots, prepend=-1) > 0]
        baseline = np.stack((x[knots], base[knots]), 1)
        ring = np.concatenate((np.stack((x, top), 1), np.stack((x, bottom), 1)[::-1]))
        found.append((baseline, ring))
    return found


def found_lines(bodies: list[Body], ink: Ink, shape: tuple[int, int]) -> list[FoundLine]:
    """Lines in px of the page, whose ``shape`` is (h, w)."""
    limit = np.array([shape[1] - 1, shape[0] - 1], dtype=np.float64)
    lines: list[FoundLine] = []
    for body, rings in zip(bodies, outlines(bodies, ink), strict=True):
        baseline, polygon = (np.clip(points / ink.scale, 0.0, limit).astype(np.float32) for points in rings)
        lines.append(FoundLine(baseline, polygon, body.x_height_px / ink.scale))
    return lines
