"""The rest of a page: its lines without the words that went to fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carrel.page import Box, Line, Page, Region, Word


def without_fields(page: Page, quads: Sequence[NDArray[np.float64]]) -> list[Region]:
    """Return the page's regions without the words that lie in ``quads``, ``(4, 2)`` each; lines and regions of which nothing is
    left go."""
    import cv2

    outlines = [quad.astype(np.float32)[:, None] for quad in quads]

    def inside(box: Box) -> bool:
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        return any(cv2.pointPolygonTest(outline, middle, False) >= 0 for outline in outlines)

    rest: list[Region] = []
    for region in page.regions:
        lines: list[Line] = []
        for line in region.lines:
            kept = tuple(word for word in line.words if not inside(word.box))
            middle = Box.around(line.polygon)
            if len(kept) == len(line.words) and (line.words or not inside(middle)):
                lines.append(line)
            elif kept:
                lines.append(_shortened(line, kept))
        if lines or not region.lines:
            rest.append(replace(region, lines=tuple(lines)))
    return rest


def _shortened(line: Line, words: tuple[Word, ...]) -> Line:
    """A line of which some words went to fields: its outline is that of the words left."""
    left, right = min(word.box.left for word in words), max(word.box.right for word in words)
    top, bottom = min(word.box.top for word in words), max(word.box.bottom for word in words)
    ys = [y for _, y in line.baseline]
    base = min(max(round(sum(ys) / len(ys)), top), bottom)
    outline = ((left, top), (right, top), (right, bottom), (left, bottom))
    return replace(
        line,
        baseline=((left, base), (right, base)),
        polygon=outline,
        text=" ".join(word.text for word in words),
        words=words,
        alternatives=(),
    )
