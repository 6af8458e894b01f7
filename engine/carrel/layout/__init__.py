"""Segmentation of a page: regions, baselines and polygons in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from carrel.image.erase import Stroke
from carrel.layout.page_ink import PageInk
from carrel.layout.types import SMALLEST_SIDE_PX, FoundLine, FoundRegion, Heatmaps, flipped, is_upright
from carrel.page import STAMP_ZONE, Region

__all__ = [
    "FoundLine",
    "FoundRegion",
    "Heatmaps",
    "PageInk",
    "find_squares",
    "find_streaks",
    "flipped",
    "in_leftward_order",
    "in_read_columns",
    "is_upright",
    "segment_page",
    "uncovered_ink",
    "uncovered_mask",
    "without_pale_stamps",
]


def segment_page(
    gray: NDArray[np.uint8] | PageInk, dpi: float | None, heatmaps: Heatmaps | None = None, *, spreads: bool = True
) -> tuple[FoundRegion, ...]:
    """Segment a page into regions and their lines, in reading order.

    Parameters
    ----------
    gray
        ``(h, w)`` uint8, illumination flattened (paper near 255, ink dark) and deskewed; or a `PageInk` of it, whose ink
        `uncovered_ink` then need not find again.
    dpi
        Resolution of ``gray`` where it is known.
    heatmaps
        The line segmenter: ink ``(h, w)`` float32 in [0, 1], h a multiple of 16 and w of 32, to probabilities of
        baseline, small letters, start and end, ``(4, h / 2, w / 4)`` float32. None segments without a model.
    spreads
        Segment the pages of a spread apart, left then right; only with a segmenter.

    Returns
    -------
    tuple of FoundRegion
        Empty where the page holds no writing. Coordinates are px of ``gray``.
    """
    page = gray if isinstance(gray, PageInk) else PageInk(gray)
    if heatmaps is not None and min(page.gray.shape) >= SMALLEST_SIDE_PX:
        from carrel.layout.segment_by_network import segment_by_network
        from carrel.layout.spreads import segment_spread

        if spreads and page.gutter_px is not None:
            one_page = partial(segment_page, dpi=dpi, heatmaps=heatmaps, spreads=False)
            return segment_spread(page.gray, page.gutter_px, one_page)
        return segment_by_network(page, heatmaps)
    from carrel.layout.segment_classically import segment_classically

    return segment_classically(page)


def find_squares(page: PageInk) -> list[Stroke]:
    """Find the printed squares of paper, px of the page; see `carrel.layout.strays`."""
    from carrel.layout import strays

    return strays.find_squares(page)


def find_streaks(page: PageInk, regions: Sequence[FoundRegion]) -> list[Stroke]:
    """Find upright strokes that the words of ``regions`` run across, px of the page; see `carrel.layout.strays`."""
    from carrel.layout import strays

    return strays.find_streaks(page, regions)


def without_pale_stamps(
    gray: NDArray[np.uint8], regions: Sequence[FoundRegion]
) -> tuple[NDArray[np.uint8], tuple[FoundRegion, ...]]:
    """Remove stamps that are paler than the text they lie on; see `carrel.layout.stamps.pale`."""
    if not any(region.kind == STAMP_ZONE for region in regions):
        return gray, tuple(regions)
    from carrel.layout.stamps import pale

    return pale.without_pale_stamps(gray, regions)


def in_leftward_order(regions: Sequence[FoundRegion]) -> tuple[FoundRegion, ...]:
    """Arrange the lines of ``regions`` as a page that is read from the right; see `carrel.layout.order.leftwards`."""
    from carrel.layout.order import leftwards

    return leftwards.in_leftward_order(regions)


def in_read_columns(regions: Sequence[FoundRegion], texts: Sequence[str]) -> tuple[FoundRegion, ...] | None:
    """Arrange lines as columns where what was read goes on down them; see `carrel.layout.order.by_reading`."""
    from carrel.layout.order import by_reading

    return by_reading.in_read_columns(regions, texts)


def uncovered_ink(gray: NDArray[np.uint8] | PageInk, regions: Sequence[FoundRegion]) -> float:
    """Measure the share in [0, 1] of the ink of ``gray``, as in `segment_page`, that lies in no line and no stamp of ``regions``; see `carrel.layout.coverage`."""
    from carrel.layout import coverage

    return coverage.measure_uncovered(gray if isinstance(gray, PageInk) else PageInk(gray), regions)


def uncovered_light_ink(gray: NDArray[np.uint8], regions: Sequence[FoundRegion]) -> float:
    """Measure the share of the ink of a scan of mostly light writing that lies in no line; see `carrel.layout.light_ink`."""
    from carrel.layout import light_ink

    return light_ink.uncovered_light_ink(gray, regions)


def uncovered_mask(gray: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Mark that ink on a page that was read, bool at a resolution of its own; see `carrel.layout.coverage`."""
    from carrel.layout import coverage

    return coverage.mark_uncovered(gray, regions)
