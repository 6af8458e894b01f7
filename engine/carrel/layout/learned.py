"""The line finder that follows the segmenter's maps; letters are still outlined by their ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.layout.facing import without_facing_page
from carrel.layout.heatmaps import BaselineStrand, find_baselines
from carrel.layout.ink import Ink, find_ink
from carrel.layout.order import in_reading_order
from carrel.layout.outline import Body, found_lines
from carrel.layout.types import FoundRegion, Heatmaps


def _body(found: BaselineStrand, scale: float, ink: Ink) -> Body:
    """Px of the segmenter's input to those of the ink."""
    factor = ink.scale / scale
    strand = found.strand
    x = np.arange(strand.x[0] * factor, strand.x[-1] * factor + 1.0)
    base = np.interp(x, strand.x * factor, strand.y * factor)
    return Body(x, base, found.x_height_px * factor)


def find_regions_by_maps(gray: NDArray[np.uint8], heatmaps: Heatmaps) -> tuple[FoundRegion, ...]:
    """Find lines with the segmenter; see `carrel.layout.find_regions`."""
    found, scale = find_baselines(gray, heatmaps)
    if not found:
        return ()
    ink = find_ink(gray)
    bodies = [_body(f, scale, ink) for f in found]
    lines = found_lines(bodies, ink, (gray.shape[0], gray.shape[1]))
    return in_reading_order(without_facing_page(lines, gray.shape[1]))
