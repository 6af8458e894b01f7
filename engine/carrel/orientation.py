"""Orientation of a page, 0, 90, 180 or 270 degrees: the one in which its lines are most legible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from carrel.image.crop import Crop
from carrel.layout import flipped, is_upright
from carrel.layout.types import FoundLine, FoundRegion
from carrel.recognizers.script import UNKNOWN_SCRIPT
from carrel.recognizers.types import Reading

UPRIGHT_CONFIDENCE = 0.9
"""Mean confidence from which no other orientation is tried; upside down, print reaches 0.83."""
SCRIBBLE_CONFIDENCE = 0.5
"""Confidence that strokes without meaning reach."""
STROKES = frozenset(" 1Il|/\\!-_—.,:;'\"")
SAMPLE_LINES = 3
MIN_LEGIBILITY = 20.0
"""Characters that the sample of a page must show for its sides not to be tried."""
MIN_LEGIBILITY_RATIO = 1.3
"""Another orientation must be so much more legible than 0 degrees, and by one character more."""
MIN_MARGIN_CONFIDENCE = 0.6
"""Mean confidence of lines up or down a page; edges of books and rulings are read with less."""


def find_orientation(
    upright: Sequence[FoundRegion],
    readings: Sequence[Reading],
    read: Callable[[Sequence[FoundLine]], Sequence[Reading]],
    segment: Callable[[int], Sequence[FoundRegion]],
) -> int:
    """Return the degrees by which a page must be rotated counterclockwise; see `try_orientations`."""
    return best_orientation(try_orientations(upright, readings, read, segment))


def try_orientations(
    upright: Sequence[FoundRegion],
    readings: Sequence[Reading],
    read: Callable[[Sequence[FoundLine]], Sequence[Reading]],
    segment: Callable[[int], Sequence[FoundRegion]],
) -> dict[int, float]:
    """Return the legibility of a page by the degrees that it is rotated by; only doubtful pages are rotated.

    Parameters
    ----------
    upright, readings
        The regions of the page at 0 degrees, and the readings of all their lines.
    read
        Reads lines of the scan.
    segment
        Finds the regions of the page rotated by some degrees, px of the scan.
    """
    lines = lines_of(upright)
    sample = longest(lines)
    tried = {0: legibility([readings[k] for k in sample])}
    if mean_confidence(readings) >= UPRIGHT_CONFIDENCE or _is_known(readings):
        return tried
    tried[180] = legibility(read([reversed_line(lines[k]) for k in sample]))
    if max(tried.values()) < MIN_LEGIBILITY:
        for degrees in (90, 270):
            lines = lines_of(segment(degrees))
            tried[degrees] = legibility(read([lines[k] for k in longest(lines)]))
    return tried


def best_orientation(legibilities: dict[int, float]) -> int:
    """Return the degrees of the most legible orientation that was tried; 0 unless another is clearly better."""
    best = max(legibilities, key=lambda degrees: legibilities[degrees])
    return best if legibilities[best] > MIN_LEGIBILITY_RATIO * legibilities[0] + 1.0 else 0


def settle_margins(
    regions: Sequence[FoundRegion],
    crops: Sequence[Crop],
    readings: Sequence[Reading],
    read: Callable[[Sequence[FoundLine]], tuple[Sequence[Crop], Sequence[Reading]]],
) -> tuple[tuple[FoundRegion, ...], list[Crop], list[Reading]]:
    """Settle for lines up and down a page which it is, by what is read; without blocks of which neither way makes sense.

    ``crops`` and ``readings`` are those of all lines of ``regions``, in order; ``read`` crops and reads lines of the scan.
    """
    kept: list[FoundRegion] = []
    rows: list[tuple[Crop, Reading]] = []
    at = 0
    for region in regions:
        ways = [(region, list(zip(crops, readings, strict=True))[at : at + len(region.lines)])]
        at += len(region.lines)
        if region.lines and all(is_upright(line) for line in region.lines):
            other = replace(region, lines=tuple(flipped(line) for line in reversed(region.lines)))
            ways.append((other, list(zip(*read(other.lines), strict=True))))
            ways.sort(key=lambda way: -legibility([reading for _, reading in way[1]]))
            if mean_confidence([reading for _, reading in ways[0][1]]) < MIN_MARGIN_CONFIDENCE:
                continue
        kept.append(ways[0][0])
        rows += ways[0][1]
    return tuple(kept), [crop for crop, _ in rows], [reading for _, reading in rows]


def _is_known(readings: Sequence[Reading]) -> bool:
    """Tell whether no rotation makes most lines legible: they are the other side's, or in a script that is not read."""
    known = (reading.bleed_through or reading.recognition.reason.endswith(UNKNOWN_SCRIPT) for reading in readings)
    return 2 * sum(known) > len(readings)


def mean_confidence(readings: Sequence[Reading]) -> float:
    """Return the mean confidence in [0, 1], weighted by the length of the texts; 0 without text."""
    lengths = [len(r.recognition.text) for r in readings]
    total = sum(r.recognition.confidence * n for r, n in zip(readings, lengths, strict=True))
    return total / max(1, sum(lengths))


def legibility(readings: Sequence[Reading]) -> float:
    """Return the characters that were read, each weighted by its line's confidence above that of scribble.

    Single strokes and dots do not count: rulings on their side are read as such.
    """
    return sum(
        sum(character not in STROKES for character in r.recognition.text)
        * max(0.0, r.recognition.confidence - SCRIBBLE_CONFIDENCE)
        for r in readings
    )


def lines_of(regions: Sequence[FoundRegion]) -> list[FoundLine]:
    """Return the lines of all regions."""
    return [line for region in regions for line in region.lines]


def longest(lines: Sequence[FoundLine], count: int = SAMPLE_LINES) -> list[int]:
    """Return the indices of the longest lines, so many at most."""
    lengths = [float(np.hypot(*np.ptp(line.baseline, axis=0))) for line in lines]
    return sorted(range(len(lengths)), key=lambda k: -lengths[k])[:count]


def reversed_line(line: FoundLine) -> FoundLine:
    """Return the same place, to be read from its other end."""
    return FoundLine(line.baseline[::-1], line.polygon[::-1], line.x_height_px)
