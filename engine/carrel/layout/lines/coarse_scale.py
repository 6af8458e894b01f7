"""A coarser second scale: of writing much larger or wider than most the first scale shows parts only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.lines.candidates import Candidate
from carrel.layout.lines.heatmaps import PROBABLE, SMALL_LETTERS_PX, ScoredBaseline, segmenter_input, trace_baselines
from carrel.layout.types import Heatmaps

LARGE_LETTERS_PX = 15.0
MISSED_INK_SHARE = 0.4
"""From this share of ink in no line on, letters that are not small are segmented at the coarse scale too."""
COARSE_FACTOR = 0.65  # px of the coarse input per px of the first
LETTER_PX = 12.0
"""Height of letters in the coarse input at most."""
SAME_LINE_X_HEIGHTS = 0.8
"""Baselines nearer to each other than this, in x-heights, are of one line."""
SHARED_LENGTH = 0.3
"""A line that shares more than this with another, as a share of the shorter one's length, is not new."""
MIN_END_X_HEIGHTS = 0.7
"""Ends shorter than this, in x-heights, are not added."""


def add_coarse_scale(
    gray: NDArray[np.uint8],
    found: list[ScoredBaseline],
    heatmaps: Heatmaps,
    scale: float,
    missed: Callable[[], float],
) -> list[ScoredBaseline]:
    """Add to the baselines ``found`` with ``scale`` px of the segmenter's input per px of the page those of a coarser scale.

    Lines that only show there are added, others lengthened by what shows of them. Where letters are of usual size and
    the share of ink in no line, which ``missed`` finds, is small, ``found`` comes back as it is.
    """
    heights = [f.x_height_px for f in found if f.probability >= PROBABLE]
    usual = median(heights) if heights else 0.0
    if usual < SMALL_LETTERS_PX or (usual < LARGE_LETTERS_PX and missed() < MISSED_INK_SHARE):
        return found
    factor = min(COARSE_FACTOR, LETTER_PX / usual)
    merged = list(found)
    for small in trace_baselines(heatmaps(segmenter_input(gray, factor * scale))):
        if small.probability >= PROBABLE:
            _add(merged, _enlarged(small, 1.0 / factor))
    return merged


def _enlarged(found: ScoredBaseline, factor: float) -> ScoredBaseline:
    candidate = found.candidate
    return replace(
        found,
        candidate=Candidate(candidate.x * factor, candidate.y * factor, candidate.strength),
        x_height_px=found.x_height_px * factor,
    )


def _add(lines: list[ScoredBaseline], new: ScoredBaseline) -> None:
    """Lengthen the one line that ``new`` follows, or append it where it follows none."""
    near_lines = [_on_line(new, line) for line in lines]
    followed = [
        k
        for k, (line, near) in enumerate(zip(lines, near_lines, strict=True))
        if line.probability >= PROBABLE and _shared(new, line, near) > SHARED_LENGTH
    ]
    if not followed:
        lines.append(new)
    elif len(followed) == 1:
        others = [near for k, near in enumerate(near_lines) if k != followed[0] and lines[k].probability >= PROBABLE]
        free = ~np.any(others, axis=0) if others else np.ones(len(new.candidate.x), bool)
        lines[followed[0]] = _lengthened(lines[followed[0]], new, free)


def _on_line(new: ScoredBaseline, line: ScoredBaseline) -> NDArray[np.bool_]:
    """Where ``new`` runs on the baseline of ``line``, bool (k,)."""
    x, own = new.candidate.x, line.candidate
    apart = np.abs(new.candidate.y - np.interp(x, own.x, own.y))
    return (x >= own.x[0]) & (x <= own.x[-1]) & (apart < SAME_LINE_X_HEIGHTS * min(new.x_height_px, line.x_height_px))


def _shared(new: ScoredBaseline, line: ScoredBaseline, near: NDArray[np.bool_]) -> float:
    x, own = new.candidate.x, line.candidate.x
    length = float(near.mean()) * float(x[-1] - x[0])
    return length / max(1.0, min(float(x[-1] - x[0]), float(own[-1] - own[0])))


def _lengthened(line: ScoredBaseline, new: ScoredBaseline, free: NDArray[np.bool_]) -> ScoredBaseline:
    """``line`` with the ends of ``new`` that reach beyond it over free places."""
    own, x = line.candidate, new.candidate.x
    parts = [own]
    for beyond in (x < own.x[0], x > own.x[-1]):
        end = Candidate(x[beyond], new.candidate.y[beyond], new.candidate.strength[beyond])
        if len(end.x) > 1 and free[beyond].all() and end.x[-1] - end.x[0] >= MIN_END_X_HEIGHTS * line.x_height_px:
            parts.append(end)
    order = np.argsort([part.x[0] for part in parts])
    x, y, strength = (np.concatenate([getattr(parts[k], name) for k in order]) for name in ("x", "y", "strength"))
    return replace(line, candidate=Candidate(x, y, strength))
