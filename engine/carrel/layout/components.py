"""Connected ink of a page, numbered once for all steps that need it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Ink that is connected, also over corners.

    Parameters
    ----------
    shape
        Of the mask, (h, w).
    pixels
        int64 (n,): where the ink is, in the mask's pixels row by row; ascending.
    member
        int32 (n,): the component of each, from 1.
    stats
        int32 (k, 5): left, top, width, height and area of each component, as OpenCV orders them; row 0 is the paper and
        holds nothing of use.
    """

    shape: tuple[int, int]
    pixels: NDArray[np.int64]
    member: Numbers
    stats: Numbers

    def kept(self, keep: NDArray[np.bool_]) -> Components:
        """Keep those for which ``keep`` (k,) holds; return itself where that is all of them."""
        if keep[1:].all():
            return self
        keep = keep.copy()
        keep[0] = True
        stay = keep[self.member]
        number = np.cumsum(keep, dtype=np.int32) - np.int32(1)
        return Components(self.shape, self.pixels[stay], number[self.member[stay]], self.stats[keep])

    def mask(self) -> Mask:
        """Draw the ink, ``(h, w)`` uint8, 1 where it is."""
        mask = np.zeros(self.shape, np.uint8)
        mask.ravel()[self.pixels] = 1
        return mask

    def shares_within(self, area: Mask) -> NDArray[np.float64]:
        """Measure the share of each component's ink (k,) that lies in ``area`` ``(h, w)``, 0 or 1."""
        inside = np.bincount(self.member[area.ravel()[self.pixels] > 0], minlength=len(self.stats))
        return inside / np.maximum(1, self.stats[:, cv2.CC_STAT_AREA])

    def centers(self) -> NDArray[np.float64]:
        """Return mean x and y of each component's ink, (k, 2)."""
        y, x = np.divmod(self.pixels, self.shape[1])
        sums = np.stack([np.bincount(self.member, along, len(self.stats)) for along in (x, y)], 1)
        return sums / np.maximum(1, self.stats[:, cv2.CC_STAT_AREA, None])


def components_of(mask: Mask) -> Components:
    """Find the components of a mask ``(h, w)`` of 0 and 1."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    pixels = np.flatnonzero(mask.view(bool))
    member = labels.ravel()[pixels].astype(np.int32, copy=False)
    return Components((mask.shape[0], mask.shape[1]), pixels, member, _stats(pixels, member, count, mask.shape[1]))


def _stats(pixels: NDArray[np.int64], member: Numbers, count: int, width: int) -> Numbers:
    """Left, top, width, height and area of each component, from its ink alone: a small share of the page."""
    y, x = np.divmod(pixels.astype(np.int32), np.int32(width))
    left, right = np.full(count, width, np.int32), np.zeros(count, np.int32)
    np.minimum.at(left, member, x)
    np.maximum.at(right, member, x)
    top, bottom = np.zeros(count, np.int32), np.zeros(count, np.int32)
    top[member[::-1]] = y[::-1]  # rows ascend, and the last one written stays
    bottom[member] = y
    area = np.bincount(member, minlength=count)
    return np.stack((left, top, right - left + 1, bottom - top + 1, area), 1).astype(np.int32)
