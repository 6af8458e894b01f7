"""Found lines and their readings, in px of the scan, to a `Page`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.identity import with_ids
from carrel.image.crop import Crop
from carrel.layout.types import FoundLine, FoundRegion
from carrel.page import BLEED_THROUGH, Alternative, Box, Character, Line, Page, Point, Points, Region, Word
from carrel.recognizers.types import CharacterSpan, Reading, WordSpan


class ScanFrame:
    """The size of a scan, inside which points become whole px."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._limit = np.array([width_px - 1, height_px - 1])

    def points(self, points: NDArray[np.float32]) -> Points:
        """Round and clamp points; neighbours that fall together are merged."""
        whole = np.clip(np.rint(points), 0, self._limit).astype(int)
        kept = [True, *(whole[1:] != whole[:-1]).any(axis=1)]
        return tuple((x, y) for x, y in whole[kept].tolist())

    def boxes(self, corners: NDArray[np.float32]) -> list[Box]:
        """Return the smallest boxes that hold the points, ``(k, n, 2)``, of each."""
        whole = np.clip(np.rint(corners), 0, self._limit).astype(int)
        return [Box(*sides) for sides in np.hstack((whole.min(axis=1), whole.max(axis=1) + 1)).tolist()]

    def baseline(self, points: NDArray[np.float32]) -> Points:
        """Return at least two distinct points."""
        found = self.points(points)
        first = found[0]  # never empty
        return found if len(found) > 1 else (first, self._beside(first))

    def crossed_by(self, line: NDArray[np.float64]) -> tuple[Point, Point]:
        """Draw a line ``(2, 2)`` out or in to where it enters and leaves the scan."""
        start, end = line
        axis = int(np.abs(end - start).argmax())  # the one that it runs along
        edges = np.array([0.0, self._limit[axis]])
        if start[axis] > end[axis]:
            edges = edges[::-1]
        across = start + ((edges - start[axis]) / (end[axis] - start[axis]))[:, None] * (end - start)
        (x0, y0), (x1, y1) = np.clip(np.rint(across), 0, self._limit).astype(int).tolist()
        return (x0, y0), (x1, y1)

    def polygon(self, points: NDArray[np.float32]) -> Points:
        """Return at least three points; a degenerate polygon becomes its bounding box."""
        found = self.points(points)
        if len(set(found)) >= 3:
            return found
        left, top, right, bottom = Box.around(found)
        return ((left, top), (right, top), (right, bottom), (left, bottom))

    def _beside(self, point: Point) -> Point:
        x, y = point
        return (x + 1, y) if x < self._limit[0] else (x - 1, y)


def assemble_regions(
    frame: ScanFrame, found: Sequence[FoundRegion], crops: Sequence[Crop], readings: Sequence[Reading]
) -> tuple[Region, ...]:
    """Assemble the page's regions with their ids; ``crops`` and ``readings`` are those of all their lines, in order."""
    pairs = iter(zip(crops, readings, strict=True))
    regions: list[Region] = []
    for region in found:
        lines = tuple(_line(frame, line, *next(pairs)) for line in region.lines)
        regions.append(Region(region.kind, frame.polygon(region.polygon), lines))
    return with_ids(regions)


X_HEIGHT_SHARE = 0.4
"""Of a line's height, where only its outline is known."""


def found_regions(page: Page) -> list[FoundRegion]:
    """Return the regions of a page that have lines as segmentation gives them, to be read where they stand."""
    return [
        FoundRegion(region.kind, _array(region.polygon), tuple(_found_line(line) for line in region.lines))
        for region in page.regions
        if region.lines
    ]


def _found_line(line: Line) -> FoundLine:
    box = Box.around(line.polygon)
    return FoundLine(_array(line.baseline), _array(line.polygon), X_HEIGHT_SHARE * (box.bottom - box.top))


def _array(points: Points) -> NDArray[np.float32]:
    return np.array(points, np.float32)


def _line(frame: ScanFrame, line: FoundLine, crop: Crop, reading: Reading) -> Line:
    recognition = reading.recognition
    return Line(
        baseline=frame.baseline(line.baseline),
        polygon=frame.polygon(line.polygon),
        writing=reading.writing,
        text=recognition.text,
        confidence=round(recognition.confidence, 4),
        words=_words(frame, crop, recognition.words),
        alternatives=_alternatives(reading),
        recognizer=reading.recognizer if recognition.text else "",
        line_type=BLEED_THROUGH if reading.bleed_through else "DefaultLine",
    )


def _alternatives(reading: Reading) -> tuple[Alternative, ...]:
    """What the other recognizer read, then what else this one held possible."""
    others = tuple(Alternative(r.text, round(r.confidence, 4), name) for name, r in reading.others)
    own = reading.recognition.alternatives
    return others + tuple(Alternative(text, round(confidence, 4), reading.recognizer) for text, confidence in own)


def _words(frame: ScanFrame, crop: Crop, words: Sequence[WordSpan]) -> tuple[Word, ...]:
    boxes = _boxes(frame, crop, words)
    of_characters = iter(_boxes(frame, crop, [c for word in words for c in word.characters]))
    return tuple(
        Word(
            word.text,
            box,
            round(word.confidence, 4),
            tuple(Character(c.text, round(c.confidence, 4), next(of_characters)) for c in word.characters),
        )
        for word, box in zip(words, boxes, strict=True)
    )


def _boxes(frame: ScanFrame, crop: Crop, spans: Sequence[WordSpan | CharacterSpan]) -> list[Box]:
    if not spans:
        return []
    left = np.array([span.left_px for span in spans])
    right = np.maximum([span.right_px for span in spans], left + 1)
    return frame.boxes(crop.page_points(left, right))
