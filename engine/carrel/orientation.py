"""How a page lies: told by how legible its lines are, read as found, upside down, and turned on their sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.layout.types import FoundLine, FoundRegion
from carrel.recognizers.routing import Reading

SURELY_UPRIGHT = 0.9
"""Mean confidence from which a page is not looked at from another side; upside down, print reaches 0.83."""
NO_TEXT = 0.5
"""Confidence that strokes without meaning reach."""
SAMPLE_LINES = 3
LEGIBLE = 20.0
"""Least legibility of the sample of a page that does not lie on its side."""
CLEARLY = 1.3


def confidence_of(readings: Sequence[Reading]) -> float:
    """Mean confidence in [0, 1], weighted by the length of the texts; 0 without text."""
    lengths = [len(r.recognition.text) for r in readings]
    total = sum(r.recognition.confidence * n for r, n in zip(readings, lengths, strict=True))
    return total / max(1, sum(lengths))


def legibility(readings: Sequence[Reading]) -> float:
    """Characters that were read, each counted by how far its line's confidence is above that of scribble."""
    return sum(len(r.recognition.text) * max(0.0, r.recognition.confidence - NO_TEXT) for r in readings)


def longest(found: Sequence[FoundRegion]) -> list[int]:
    """Indices of the lines of a page that tell most of it."""
    lengths = [_length(line) for region in found for line in region.lines]
    return sorted(range(len(lengths)), key=lambda k: -lengths[k])[:SAMPLE_LINES]


def upside_down(line: FoundLine) -> FoundLine:
    """The same place, to be read from its other end."""
    return FoundLine(line.baseline[::-1], line.polygon[::-1], line.x_height_px)


def quarters_of(legibilities: dict[int, float]) -> int:
    """Right angles to turn the page by, from the legibility of each that was tried; 0 unless another is clearly better."""
    best = max(legibilities, key=lambda quarters: legibilities[quarters])
    return best if legibilities[best] > CLEARLY * legibilities[0] + 1.0 else 0


def _length(line: FoundLine) -> float:
    return float(np.hypot(*np.ptp(line.baseline, axis=0)))
