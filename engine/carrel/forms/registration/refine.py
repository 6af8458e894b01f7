"""Rulings of a template laid onto those of a page, by small changes of a perspective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.forms.fields import Template
from carrel.forms.registration.maps import Matrix, Points, mapped
from carrel.forms.registration.rulings import Mask, Rulings

SAMPLE_STEP_PX = 15.0
"""Distance of the points on a ruling that are looked for on the page, in px of a page of 1600 px."""
REFERENCE_PX = 1600.0
MOST_THICK_PX = 8
"""Of a ruling, from its edge."""
REACHES = (0.03, 0.012, 0.006, 0.004)
"""How far a ruling is looked for, round after round, as shares of the working page's longest side; in the last it counts."""
WORD_WEIGHT = 0.3
"""Weight of a word beside a point on a ruling: Tesseract's boxes are off by a px or two."""


def samples_of(template: Template) -> tuple[Points, Points]:
    """Return points on the level and on the upright rulings, px of the template."""
    step = SAMPLE_STEP_PX * max(template.width_px, template.height_px) / REFERENCE_PX
    found: tuple[list[Points], list[Points]] = ([], [])
    for x1, y1, x2, y2 in template.rulings:
        count = max(2, round(np.hypot(x2 - x1, y2 - y1) / step))
        points = (
            np.linspace([x1, y1], [x2, y2], count)[1:-1] if count > 3 else np.array([[(x1 + x2) / 2, (y1 + y2) / 2]])
        )
        found[abs(y2 - y1) > abs(x2 - x1)].append(points)
    level, upright = (np.concatenate(points) if points else np.zeros((0, 2)) for points in found)
    return level, upright


def refined(
    matrix: Matrix, samples: tuple[Points, Points], rulings: Rulings, words: tuple[Points, Points]
) -> tuple[Matrix, float]:
    """Return the map that lays the template's rulings onto the page's, px of the working picture, and its ``words`` onto theirs, which
    count less; and the share of the rulings that is met."""
    side = max(rulings.level.shape)
    total = sum(map(len, samples))
    share = 0.0
    for n, reach in enumerate(REACHES):
        rows, offsets = list[Points](), list[Points]()
        for points, mask, axis in ((samples[0], rulings.level, 1), (samples[1], rulings.upright, 0)):
            at = mapped(matrix, points) if len(points) else points
            near, off = _offsets(at, mask, axis, reach * side)
            rows.append(_design(at[near] / side, axis))
            offsets.append(off / side)
        share = sum(map(len, offsets)) / total if total else 0.0
        if n == len(REACHES) - 1:
            break
        at = mapped(matrix, words[0]) if len(words[0]) else words[0]
        for axis in (0, 1):
            rows.append(WORD_WEIGHT * _design(at / side, axis))
            offsets.append(WORD_WEIGHT * (words[1] - at)[:, axis] / side)
        design, wanted = np.concatenate(rows), np.concatenate(offsets)
        if len(wanted) < 12:
            break
        matrix = _changed(matrix, _solved(design, wanted, perspective=n > 0), side)
    return matrix, share


def _offsets(at: Points, mask: Mask, axis: int, reach: float) -> tuple[NDArray[np.int64], Points]:
    """For points near a ruling of the mask: which they are, and how far it lies from them along an axis (1 downwards)."""
    height, width = mask.shape
    far = int(np.ceil(reach))
    x, y = (np.rint(at[:, k]).astype(np.int64) for k in (0, 1)) if len(at) else (np.zeros(0, np.int64),) * 2
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    steps = np.array(sorted(range(-far, far + 1), key=abs))
    place = (y if axis else x)[:, None] + steps
    limit = height if axis else width
    clipped = np.clip(place, 0, limit - 1)
    other = np.clip(x if axis else y, 0, (width if axis else height) - 1)[:, None]
    met = (mask[clipped, other] if axis else mask[other, clipped]) > 0
    met &= (place >= 0) & (place < limit)
    near = np.flatnonzero(inside & met.any(axis=1))
    first = met[near].argmax(axis=1)
    edge = place[near, first]
    # from the nearer edge of the ruling to its middle
    line = mask if axis else mask.T
    deep = _thickness(line, edge, other[near, 0], np.sign(steps[first]))
    return near, (edge + deep - at[near, axis]).astype(np.float64)


def _thickness(
    line: Mask, edge: NDArray[np.int64], column: NDArray[np.int64], direction: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Half the thickness of rulings from an edge of each in a direction; 0 from within: the offset is small then."""
    depth, on = np.zeros(len(edge)), direction != 0
    for step in range(MOST_THICK_PX):
        at = edge + direction * step
        on &= (at >= 0) & (at < len(line)) & (line[np.clip(at, 0, len(line) - 1), column] > 0)
        depth += on
    return direction * np.maximum(depth - 1, 0) / 2


def _design(at: Points, axis: int) -> Points:
    """Rows of the linear system: what eight small changes of a perspective do to a point along an axis."""
    x, y = at[:, 0], at[:, 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    own = (zero, zero, zero, one, x, y, x * y, y * y) if axis else (one, x, y, zero, zero, zero, x * x, x * y)
    return np.stack(own, axis=1)


def _solved(design: Points, wanted: Points, *, perspective: bool) -> Points:
    """The changes that meet the offsets best, outliers counting little (Huber)."""
    columns = slice(None) if perspective else slice(0, 6)
    used = design[:, columns]
    weight = np.ones(len(wanted))
    found = np.zeros(used.shape[1])
    ridge = np.diag([1e-9, 1e-4, 1e-4] * 2 + [1e-3] * (used.shape[1] - 6)) * len(wanted)
    for _ in range(4):
        weighted = used * weight[:, None]
        found = np.linalg.solve(weighted.T @ used + ridge, weighted.T @ wanted)
        rest = np.abs(wanted - used @ found)
        scale = max(1.5 * float(np.median(rest)), 1e-5)
        weight = np.minimum(1.0, scale / np.maximum(rest, 1e-9))
    return np.concatenate([found, np.zeros(8 - len(found))]).astype(np.float64)


def _changed(matrix: Matrix, change: Points, side: float) -> Matrix:
    """The matrix followed by a small perspective, whose numbers are for px divided by ``side``."""
    a0, a1, a2, b0, b1, b2, g, h = change
    small = np.array([[1 + a1, a2, a0], [b1, 1 + b2, b0], [-g, -h, 1.0]])
    norm = np.diag([1 / side, 1 / side, 1.0])
    return np.asarray(np.linalg.inv(norm) @ small @ norm @ matrix, np.float64)
