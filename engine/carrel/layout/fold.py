"""The fold of an open book or sheet: a dark line from the head of the picture to its foot, near its middle."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout.ink import Ink
from carrel.layout.tables.rulings import BLACKHAT_PX, MIN_DARKNESS

MIDDLE = (0.38, 0.62)  # where the fold is, in widths
BANDS = 12  # across the page, each looked at alone
INSET_SHARE = 0.03  # of the height at either end, where rims are
PAPER_PERCENTILE = 70  # of a band's column: what is written is darker
MIN_DIP = 3.0  # gray levels darker than the paper at either side; val and train pages, 2026-11
SIDE_SHARE = 1 / 60  # of the width: so far off is paper
ASLANT_SHARE = 1 / 120  # of the width, either way
MIN_BANDS_SHARE = 0.7
END_BANDS = 2  # at head and foot, of which one at least shows the fold: rulings of tables end before
BESIDE_X_HEIGHTS = (0.4, 1.6)  # from the fold: where words are that run across it
RULED_X_HEIGHTS = (1.5, 4.0)  # from the fold: where level rulings would be
RULED_SHARE = 0.8  # of the width there
MIN_LEVEL_RULINGS = 3
MAX_CROSSING_SHARE = 0.2  # of the rows of ink


def find_fold(gray: NDArray[np.uint8]) -> float | None:
    """Return where the fold of a flattened page ``(h, w)`` uint8 stands, px from the left; None where none or several lines show."""
    height, width = gray.shape
    edges = np.linspace(INSET_SHARE * height, (1 - INSET_SHARE) * height, BANDS + 1).astype(int)
    if edges[1] - edges[0] < 2 or width < 60:
        return None
    aside = max(3, round(SIDE_SHARE * width))
    reach = 2 * round(ASLANT_SHARE * width) + 1
    low, high = (round(share * width) - aside for share in MIDDLE)
    first = max(0, low - reach - 1)
    near = gray[:, first : high + 2 * aside + reach + 1]  # all that is looked at near the middle
    bands = np.stack([_paper(near[top:foot]) for top, foot in pairwise(edges.tolist())])
    bands = cv2.blur(bands, (3, 1))
    dips = np.minimum(bands[:, : -2 * aside], bands[:, 2 * aside :]) - bands[:, aside:-aside]
    shows = cv2.dilate((dips > MIN_DIP).astype(np.uint8), np.ones((1, reach), np.uint8)).astype(bool)
    whole = (shows.mean(axis=0) >= MIN_BANDS_SHARE) & shows[:END_BANDS].any(axis=0) & shows[-END_BANDS:].any(axis=0)
    places = np.flatnonzero(whole[low - first : high - first]) + low - first
    if not len(places) or places[-1] - places[0] > 2 * reach:
        return None
    depth = np.minimum(dips, 20.0).sum(axis=0)
    return float(places[int(depth[places].argmax())] + aside + first)


def _paper(band: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The brightness of the paper in each column, float32 (w,)."""
    rank = int(PAPER_PERCENTILE / 100 * (len(band) - 1))
    return np.partition(band, rank, axis=0)[rank].astype(np.float32)


def is_crossed(ink: Ink, x: float) -> bool:
    """Tell whether words run across a fold: whether many rows of ink have some close to both its sides, working px."""
    near, far = (max(1, round(share * ink.x_height_px)) for share in BESIDE_X_HEIGHTS)
    middle = round(x)
    left = ink.mask[:, max(0, middle - far) : max(0, middle - near)].any(axis=1)
    right = ink.mask[:, middle + near + 1 : middle + far + 1].any(axis=1)
    rows = int(ink.mask.any(axis=1).sum())
    return int((left & right).sum()) > MAX_CROSSING_SHARE * max(1, rows)


def rulings_cross(gray: NDArray[np.uint8], x: float, x_height_px: float) -> bool:
    """Tell whether level rulings run on beyond a fold, as those of a register over both pages do; ``gray`` as in `find_fold`."""
    near, far = (round(share * x_height_px) for share in RULED_X_HEIGHTS)
    middle = round(x)
    rows = np.ones(len(gray), bool)
    for strip in (gray[:, max(0, middle - far) : max(1, middle - near)], gray[:, middle + near : middle + far]):
        thin = cv2.morphologyEx(strip, cv2.MORPH_BLACKHAT, np.ones((BLACKHAT_PX, 1), np.uint8)) > MIN_DARKNESS
        level = cv2.dilate(thin.astype(np.uint8), np.ones((3, 1), np.uint8))
        rows &= level.mean(axis=1) > RULED_SHARE
    return int((np.diff(rows.astype(np.int8)) > 0).sum()) >= MIN_LEVEL_RULINGS
