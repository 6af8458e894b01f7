"""Quality of a scan by its letters: sharpness, contrast, resolution, and edges that cut lines.

Sharpness is measured where it matters, at the edges of letters: the steepest step of a line's ink, over the whole way from
paper to ink, gives the width of an edge; a letter's height over that width tells how many edges fit into it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.image.glare import measure_glare
from carrel.image.ink import gray_levels
from carrel.image.median import median
from carrel.page import Box, Edge, Line, Quality

MEASURED_LINES = 16  # spread evenly over the page
BLURRED_SHARE = 0.25  # of the lines that are less sharp than what is told: focus is seldom even
INK_SHARE, PAPER_SHARE = 0.02, 0.7  # of a line's px that are darker than its ink and its paper
STEEPEST_SHARE = 0.995  # of a line's px with less of a step
MIN_CONTRAST_LEVELS = 12.0
CUT_PX = 2  # from the edge of the scan
MIN_CUT_LINES, MIN_CUT_SHARE = 2, 0.1

Gray = NDArray[np.uint8]


def measure_quality(
    crops: Sequence[Gray],
    x_heights_px: Sequence[float],
    lines: Sequence[Line],
    size: tuple[int, int],
    skew_degrees: float,
    page: Gray | None = None,
) -> Quality | None:
    """Measure a scan by its lines; None where it has none.

    Parameters
    ----------
    crops
        uint8 ``(h, w)`` of each line, at the scan's resolution, ink dark.
    x_heights_px
        Of each line, px of the scan.
    lines
        Their places on the scan.
    size
        Width and height of the scan, px.
    skew_degrees
        Of its lines, without its orientation.
    page
        The scan, uint8 ``(h, w)``, on which glare is looked for.
    """
    if not crops:
        return None
    chosen = range(0, len(crops), max(1, len(crops) // MEASURED_LINES))
    told = [(contrast, x_heights_px[k] / edge) for k in chosen for contrast, edge in [_edge(crops[k])] if edge]
    sharpness = sorted(sharp for _, sharp in told)
    return Quality(
        sharpness=round(sharpness[int(BLURRED_SHARE * len(sharpness))], 2) if sharpness else 0.0,
        contrast=round(median([contrast for contrast, _ in told]), 3) if told else 0.0,
        x_height_px=round(median(x_heights_px), 1),
        cut_edges=_cut_edges(lines, size),
        skew_degrees=round(skew_degrees, 2),
        glare=0.0 if page is None else round(_glare(page, lines, median(x_heights_px)), 4),
    )


def _glare(page: Gray, lines: Sequence[Line], x_height_px: float) -> float:
    return measure_glare(page, [np.array(line.polygon, np.float32) for line in lines], x_height_px)


def _edge(crop: Gray) -> tuple[float, float]:
    """Return contrast as a share of the paper's brightness, and the width of an edge in px; 0 where there is no ink to measure."""
    import cv2

    ink, paper = gray_levels(crop, (INK_SHARE, PAPER_SHARE))
    depth = float(paper) - float(ink)
    if depth < MIN_CONTRAST_LEVELS or min(crop.shape) < 3:
        return 0.0, 0.0
    steps = [cv2.absdiff(crop[:, 2:], crop[:, :-2])[1:-1], cv2.absdiff(crop[2:], crop[:-2])[:, 1:-1]]
    steepest = float(gray_levels(np.ascontiguousarray(np.maximum(*steps)), (STEEPEST_SHARE,))[0]) / 2
    return depth / max(1.0, float(paper)), depth / max(steepest, 0.5)


def _cut_edges(lines: Sequence[Line], size: tuple[int, int]) -> tuple[Edge, ...]:
    """Sides of the scan that several lines run up to."""
    boxes = np.array([Box.around(line.polygon) for line in lines]).reshape(-1, 4)
    width, height = size
    near = {
        "left": boxes[:, 0] <= CUT_PX,
        "top": boxes[:, 1] <= CUT_PX,
        "right": boxes[:, 2] >= width - CUT_PX,
        "bottom": boxes[:, 3] >= height - CUT_PX,
    }
    least = {"left": MIN_CUT_LINES, "right": MIN_CUT_LINES, "top": 1, "bottom": 1}
    sides: tuple[Edge, ...] = ("left", "top", "right", "bottom")
    return tuple(
        side
        for side in sides
        if near[side].sum() >= max(least[side], MIN_CUT_SHARE * len(lines) if side in ("left", "right") else 0)
    )
