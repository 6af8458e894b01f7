"""Single characters as the glyph network takes them: their ink alone, of one size, around its centre of mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import MIN_CONTRAST, gray_levels

SIDE_PX, BODY_PX = 28, 20
"""Side of the network's input, and of the square that a character's ink is scaled into; as MNIST has it."""
INK = 0.35
"""Share of the darkest ink from which a pixel is taken for ink."""
SPECK_SHARE = 0.04
"""Share of a character's ink below which a stroke apart from the others is dirt."""
Ink = NDArray[np.float32]


def ink_levels(gray: NDArray[np.uint8]) -> Ink:
    """Return the ink of a small picture, uint8 ``(h, w)``, ink dark: float32 in [0, 1], 0 the paper (its median), 1 the darkest."""
    dark, paper = gray_levels(gray, (0.01, 0.6))
    contrast = max(float(paper - dark), MIN_CONTRAST)
    levels = (np.float32(paper) - gray.astype(np.float32)) / np.float32(contrast)
    return np.clip(levels, 0.0, 1.0)


def without_specks(ink: Ink) -> Ink:
    """Return the ink without strokes that are much smaller than the others."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > INK).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count <= 2:
        return ink
    small = np.flatnonzero(areas < SPECK_SHARE * areas.sum()) + 1
    return np.where(np.isin(labels, small), np.float32(0), ink)


def normalized(ink: Ink) -> Ink | None:
    """Scale a character's ink, float32 ``(h, w)`` in [0, 1], to the network's input.

    Returns
    -------
    ndarray or None
        float32 ``(28, 28)`` in [0, 1]: the longer side `BODY_PX`, the shape kept, the centre of mass in the middle as far as
        there is room. None where there is no ink.

    References
    ----------
    Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, doi:10.1109/5.726791.
    """
    import cv2

    rows, columns = (np.flatnonzero((ink > INK).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BODY_PX / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    small = small.reshape(size[1], size[0]) / max(float(small.max()), 0.1)
    mass = small.sum()
    centre = [float((small.sum(axis=1 - axis) * np.arange(small.shape[axis])).sum() / mass) for axis in (0, 1)]
    top, left = (
        int(np.clip(round(SIDE_PX / 2 - 0.5 - at), 0, SIDE_PX - side))
        for at, side in zip(centre, small.shape, strict=True)
    )
    whole = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    whole[top : top + small.shape[0], left : left + small.shape[1]] = np.clip(small, 0, 1)
    return whole
