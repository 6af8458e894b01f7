"""Ends of lines: a hyphen or a raised letter there that was found as a line of its own belongs to the line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.layout.lines.polygons import Baseline

MAX_LENGTH_X_HEIGHTS = 1.6  # of such a piece
MIN_LENGTHS = 2.0  # of the line, in lengths of the piece
MAX_APART_X_HEIGHTS = 1.2  # from the line's end to the beginning of the piece, either way
MIN_RISE_X_HEIGHTS, MAX_RISE_X_HEIGHTS = 0.2, 1.0  # of the piece over the line: cells stand level with others


def with_line_ends(baselines: Sequence[Baseline]) -> list[Baseline]:
    """Return the lines, in any px, with short raised pieces at their ends as parts of them."""
    if not baselines:
        return []
    lines = list(baselines)
    ends = np.array([(one.x[0], one.x[-1], one.y[-1], one.x_height_px) for one in lines], np.float64)
    lengths, units = ends[:, 1] - ends[:, 0], ends[:, 3]
    gone = np.zeros(len(lines), bool)
    for k in np.flatnonzero(lengths <= MAX_LENGTH_X_HEIGHTS * units.max()):
        rise, apart = ends[:, 2] - float(lines[k].y.mean()), np.abs(ends[k, 0] - ends[:, 1])
        fits = (lengths >= MIN_LENGTHS * lengths[k]) & (lengths[k] <= MAX_LENGTH_X_HEIGHTS * units) & ~gone
        fits &= (ends[k, 1] > ends[:, 1]) & (apart <= MAX_APART_X_HEIGHTS * units)
        fits &= (rise >= MIN_RISE_X_HEIGHTS * units) & (rise <= MAX_RISE_X_HEIGHTS * units)
        for j in np.flatnonzero(fits)[:1]:
            lines[j], gone[k] = _longer(lines[j], float(ends[k, 1])), True
    return [line for line, drop in zip(lines, gone, strict=True) if not drop]


def _longer(line: Baseline, end: float) -> Baseline:
    """The line, level to ``end``."""
    x = np.arange(line.x[-1] + 1.0, end + 1.0)
    y = np.full(len(x), line.y[-1])
    return Baseline(np.concatenate((line.x, x)), np.concatenate((line.y, y)), line.x_height_px)
