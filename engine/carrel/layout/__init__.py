"""Where the lines of a page stand: regions, baselines and polygons in reading order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.layout.types import FoundLine, FoundRegion

__all__ = ["FoundLine", "FoundRegion", "find_regions"]


def find_regions(gray: NDArray[np.uint8], dpi: float | None) -> tuple[FoundRegion, ...]:
    """Find the lines of a page, grouped into regions, in reading order.

    Parameters
    ----------
    gray
        ``(h, w)`` uint8, illumination flattened (paper near 255, ink dark) and deskewed.
    dpi
        Resolution of ``gray`` where it is known.

    Returns
    -------
    tuple of FoundRegion
        Empty where the page holds no writing. Coordinates are px of ``gray``.
    """
    from carrel.layout.classical import find_regions_classically

    return find_regions_classically(gray, dpi)
