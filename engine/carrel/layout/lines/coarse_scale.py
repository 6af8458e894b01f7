"""A second look from farther away: writing much larger or wider than that of most pages is seen in parts only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.lines.candidates import Strand
from carrel.layout.lines.heatmaps import PROBABLE, SMALL_LETTERS_PX, BaselineStrand, baselines, segmenter_input
from carrel.layout.types import Heatmaps

LARGE_LETTERS_PX = 15.0
MISSED = 0.4
"""From this share of ink in no line on, letters that are not small are looked at again."""
FARTHER = 0.65
LETTER_PX = 12.0
"""Height of letters that the second look shows at most."""
LEVEL = 0.8
"""Baselines nearer to each other than this, in x-heights, are of one line."""
TOUCHED = 0.3
"""A line that shares more than this with another, as a share of the shorter one's length, is not new."""
LEAST_LENGTH = 0.7
"""Ends shorter than this, in x-heights, are not added."""


def seen_farther(
    gray: NDArray[np.uint8],
    found: list[BaselineStrand],
    heatmaps: Heatmaps,
    scale: float,
    missed: Callable[[], float],
) -> list[BaselineStrand]:
    """The baselines ``found`` with ``scale`` px of the segmenter's input per px of the page, and those seen from farther away.

    Lines that only show from there are added, others lengthened by what shows of them. Where letters are of usual size and
    the share of ink in no line, which ``missed`` finds, is small, ``found`` comes back as it is.
    """
    heights = [f.x_height_px for f in found if f.probability >= PROBABLE]
    usual = median(heights) if heights else 0.0
    if usual < SMALL_LETTERS_PX or (usual < LARGE_LETTERS_PX and missed() < MISSED):
        return found
    factor = min(FARTHER, LETTER_PX / usual)
    merged = list(found)
    for small in baselines(heatmaps(segmenter_input(gray, factor * scale))):
        if small.probability >= PROBABLE:
            _add(merged, _enlarged(small, 1.0 / factor))
    return merged


def _enlarged(found: BaselineStrand, factor: float) -> BaselineStrand:
    strand = found.strand
    return replace(
        found,
        strand=Strand(strand.x * factor, strand.y * factor, strand.strength),
        x_height_px=found.x_height_px * factor,
    )


def _add(lines: list[BaselineStrand], new: BaselineStrand) -> None:
    """Lengthen the one line that ``new`` follows, or append it where it follows none."""
    level = [_level(new, line) for line in lines]
    followed = [
        k
        for k, (line, near) in enumerate(zip(lines, level, strict=True))
        if line.probability >= PROBABLE and _shared(new, line, near) > TOUCHED
    ]
    if not followed:
        lines.append(new)
    elif len(followed) == 1:
        others = [near for k, near in enumerate(level) if k != followed[0] and lines[k].probability >= PROBABLE]
        free = ~np.any(others, axis=0) if others else np.ones(len(new.strand.x), bool)
        lines[followed[0]] = _lengthened(lines[followed[0]], new, free)


def _level(new: BaselineStrand, line: BaselineStrand) -> NDArray[np.bool_]:
    """Where ``new`` runs on the baseline of ``line``, bool (k,)."""
    x, own = new.strand.x, line.strand
    apart = np.abs(new.strand.y - np.interp(x, own.x, own.y))
    return (x >= own.x[0]) & (x <= own.x[-1]) & (apart < LEVEL * min(new.x_height_px, line.x_height_px))


def _shared(new: BaselineStrand, line: BaselineStrand, near: NDArray[np.bool_]) -> float:
    x, own = new.strand.x, line.strand.x
    length = float(near.mean()) * float(x[-1] - x[0])
    return length / max(1.0, min(float(x[-1] - x[0]), float(own[-1] - own[0])))


def _lengthened(line: BaselineStrand, new: BaselineStrand, free: NDArray[np.bool_]) -> BaselineStrand:
    """``line`` with the ends of ``new`` that reach beyond it over free places."""
    own, x = line.strand, new.strand.x
    parts = [own]
    for beyond in (x < own.x[0], x > own.x[-1]):
        end = Strand(x[beyond], new.strand.y[beyond], new.strand.strength[beyond])
        if len(end.x) > 1 and free[beyond].all() and end.x[-1] - end.x[0] >= LEAST_LENGTH * line.x_height_px:
            parts.append(end)
    order = np.argsort([part.x[0] for part in parts])
    x, y, strength = (np.concatenate([getattr(parts[k], name) for k in order]) for name in ("x", "y", "strength"))
    return replace(line, strand=Strand(x, y, strength))
