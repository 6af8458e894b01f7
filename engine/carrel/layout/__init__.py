"""Where the lines of a page stand: regions, baselines and polygons in reading order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.layout.page_ink import PageInk
from carrel.layout.types import SMALLEST_SIDE_PX, FoundLine, FoundRegion, Heatmaps
from carrel.page import Region

__all__ = ["FoundLine", "FoundRegion", "Heatmaps", "PageInk", "find_regions", "uncovered_ink", "uncovered_mask"]


def find_regions(
    gray: NDArray[np.uint8] | PageInk, dpi: float | None, heatmaps: Heatmaps | None = None
) -> tuple[FoundRegion, ...]:
    """Find the lines of a page, grouped into regions, in reading order.

    Parameters
    ----------
    gray
        ``(h, w)`` uint8, illumination flattened (paper near 255, ink dark) and deskewed; or a `PageInk` of it, whose ink
        `uncovered_ink` then need not look for again.
    dpi
        Resolution of ``gray`` where it is known.
    heatmaps
        The line segmenter: ink ``(h, w)`` float32 in [0, 1], h a multiple of 16 and w of 32, to probabilities of
        baseline, body, start and end, ``(4, h / 2, w / 4)`` float32. None finds lines without a model.

    Returns
    -------
    tuple of FoundRegion
        Empty where the page holds no writing. Coordinates are px of ``gray``.
    """
    page = gray if isinstance(gray, PageInk) else PageInk(gray)
    if heatmaps is not None and min(page.gray.shape) >= SMALLEST_SIDE_PX:
        from carrel.layout.segment_by_network import find_regions_by_maps

        return find_regions_by_maps(page, heatmaps)
    from carrel.layout.segment_classically import find_regions_classically

    return find_regions_classically(page)


def uncovered_ink(gray: NDArray[np.uint8] | PageInk, regions: Sequence[FoundRegion]) -> float:
    """Share in [0, 1] of the ink of ``gray``, as in `find_regions`, that lies in no line and no stamp of ``regions``; see `carrel.layout.coverage`."""
    from carrel.layout import coverage

    return coverage.uncovered_ink(gray if isinstance(gray, PageInk) else PageInk(gray), regions)


def uncovered_mask(gray: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Where that ink lies, on a page that was read, bool at a resolution of its own; see `carrel.layout.coverage`."""
    from carrel.layout import coverage

    return coverage.uncovered_mask(gray, regions)
