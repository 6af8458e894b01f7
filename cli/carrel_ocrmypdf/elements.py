"""A page as OCRmyPDF's tree of elements: regions, lines with their baselines, words with their confidences."""

from __future__ import annotations

from math import atan2, degrees

from ocrmypdf.models.ocr_element import Baseline, BoundingBox, OcrClass, OcrElement

from carrel.direction import is_right_to_left
from carrel.page import Box, Line, Page, Region, Word

STEEP_DEGREES = 45.0
"""Angle from which a line is rotated rather than skewed."""
_DEFAULT_DPI = 300.0


def element_of(page: Page, page_number: int) -> OcrElement:
    """Return the tree of a page, counted from 0; lines without words are left out."""
    regions = [_region(region) for region in page.regions]
    return OcrElement(
        OcrClass.PAGE,
        bbox=BoundingBox(0, 0, page.width_px, page.height_px),
        dpi=page.dpi or _DEFAULT_DPI,
        page_number=page_number,
        children=[region for region in regions if region.children],
    )


def _region(region: Region) -> OcrElement:
    lines = [_line(line) for line in region.lines if line.words]
    rtl = bool(region.lines) and is_right_to_left(" ".join(line.text for line in region.lines))
    return OcrElement(
        OcrClass.PARAGRAPH,
        bbox=_bbox(Box.around(region.polygon)),
        poly=[*region.polygon],
        direction="rtl" if rtl else "ltr",
        children=lines,
    )


def _line(line: Line) -> OcrElement:
    (x0, y0), (x1, y1) = line.baseline[0], line.baseline[-1]
    angle = degrees(atan2(y1 - y0, x1 - x0))
    steep = abs(angle) > STEEP_DEGREES
    box = Box.around(line.polygon)
    slope = 0.0 if steep else (y1 - y0) / (x1 - x0)
    baseline = Baseline(slope, y0 + slope * (box.left - x0) - box.bottom)
    return OcrElement(
        OcrClass.LINE,
        bbox=_bbox(box),
        poly=[*line.polygon],
        text=line.text,
        confidence=line.confidence,
        direction="rtl" if is_right_to_left(line.text) else "ltr",
        baseline=None if steep else baseline,
        textangle=-angle if steep else None,
        children=[_word(word) for word in line.words],
    )


def _word(word: Word) -> OcrElement:
    return OcrElement(OcrClass.WORD, bbox=_bbox(word.box), text=word.text, confidence=word.confidence)


def _bbox(box: Box) -> BoundingBox:
    return BoundingBox(*box)
