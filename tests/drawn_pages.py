"""Pages of drawn strokes on known baselines, and the maps that the segmenter would make for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.layout import FoundLine

Map = NDArray[np.float32]
Points = Sequence[tuple[float, float]]

HEIGHT, WIDTH, LETTER = 800, 640, 12
X_HEIGHT = 10.0


def drawn_maps(lines: Sequence[Points], noise: float = 0.0) -> Callable[[Map], Map]:
    """Maps as the segmenter makes them for lines at these baselines (px of the page)."""

    def maps(ink: Map) -> Map:
        full = np.zeros((4, *ink.shape), np.uint8)
        for points in lines:
            line = np.array(points, np.float32)
            band(full[0], line, 4.0, 2.0)
            band(full[1], line, 13.0, 0.0)
            for channel, (x, y) in ((2, line[0]), (3, line[-1])):
                cv2.rectangle(full[channel], (round(x - 3), round(y - 16)), (round(x + 3), round(y + 6)), (255,), -1)
        cells = (ink.shape[1] // 4, ink.shape[0] // 2)
        small = cv2.resize(full.transpose(1, 2, 0), cells, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
        grain = np.random.default_rng(0).uniform(0.0, noise, small.shape) if noise else 0.0
        return np.clip(small / 255.0 * (1.0 - noise) + grain, 0.0, 1.0).astype(np.float32)

    return maps


def band(image: NDArray[np.uint8], line: NDArray[np.float32], above: float, below: float) -> None:
    ring = np.concatenate((line - np.array([0, above]), (line + np.array([0, below]))[::-1]))
    cv2.fillPoly(image, [np.rint(ring).astype(np.int32)], (255,))


def page_of(lines: Sequence[Points]) -> NDArray[np.uint8]:
    """A page with strokes of letters on the baselines."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for points in lines:
        line = np.array(points)
        for x in np.arange(line[0, 0], line[-1, 0], 9.0):
            y = np.interp(x, line[:, 0], line[:, 1])
            cv2.line(page, (round(x), round(y)), (round(x), round(y) - LETTER), (30,), 2)
    return page


def placed_line(left: float, right: float, base: float) -> FoundLine:
    """Return a line whose place is given, of letters `X_HEIGHT` tall."""
    ring = [(left, base - 18), (right, base - 18), (right, base + 6), (left, base + 6)]
    return FoundLine(np.array([(left, base), (right, base)], np.float32), np.array(ring, np.float32), X_HEIGHT)


def shuffled(lines: list[FoundLine]) -> list[FoundLine]:
    """Return the lines in another order."""
    return [lines[i] for i in np.random.default_rng(5).permutation(len(lines))]
