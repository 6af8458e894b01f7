"""The interchange profile: a page as archives' importers accept it.

Schema-valid is not import-valid. Importers want whole pixels inside the page, baselines of two distinct points, text
without characters that XML forbids, one word per token with the same text as its line, ids that are XML
names and unique, and plain file names. Words are those of a line's final text; what a person has seen is certain.
``interchange`` gives such a page; a page that already is one comes back equal.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath, PureWindowsPath

from carrel.formats.read.placing import place_words
from carrel.formats.read.values import corners
from carrel.identity import with_ids
from carrel.page import Alternative, Box, Character, Correction, Line, Page, Points, Region, Source, Word, Writing

CONFIDENCE_DECIMALS = 4
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS_CUSTOM = re.compile(r"[\s{};]+")


def clean_text(text: str) -> str:
    """Return ``text`` without characters that XML 1.0 forbids, white space folded to single spaces."""
    return " ".join(_ILLEGAL.sub("", text).split())


def clean_label(label: str, default: str) -> str:
    """Return a region or line type that survives tags and ``custom`` attributes; ``default`` where nothing is left."""
    return _BREAKS_CUSTOM.sub("_", _ILLEGAL.sub("", label)).strip("_") or default


def clean_confidence(confidence: float) -> float:
    """Return ``confidence`` in [0, 1] with four decimals; what is no number becomes 0."""
    if math.isnan(confidence):
        return 0.0
    return round(min(max(confidence, 0.0), 1.0), CONFIDENCE_DECIMALS)


def base_name(file_name: str) -> str:
    """Return the last part of a path of either kind; importers match pages to images by it."""
    name = PureWindowsPath(PurePosixPath(file_name).name).name
    return clean_text(_ILLEGAL.sub("\ufffd", name)) or "page"


def clamp_points(points: Points, width_px: int, height_px: int) -> Points:
    """Return ``points`` moved into the page, without points that repeat their predecessor."""
    inside = ((min(max(x, 0), max(width_px - 1, 1)), min(max(y, 0), max(height_px - 1, 1))) for x, y in points)
    return tuple(point for point, _ in groupby(inside))


def clamp_box(box: Box, width_px: int, height_px: int) -> Box:
    """Return ``box`` moved into the page, at least one pixel wide and high."""
    left, top = min(max(box.left, 0), width_px - 1), min(max(box.top, 0), height_px - 1)
    right, bottom = min(max(box.right, left + 1), width_px), min(max(box.bottom, top + 1), height_px)
    return Box(left, top, right, bottom)


def clean_baseline(baseline: Points, polygon: Points, width_px: int, height_px: int) -> Points:
    """Return a baseline inside the page that spans at least 2 px; drawn along the polygon's foot where there is none."""
    points = clamp_points(baseline or _foot(polygon), width_px, height_px)
    box = Box.around(points)
    if max(box.right - box.left, box.bottom - box.top) > 2:
        return points
    x, y = points[0]
    left = max(min(x, width_px - 3), 0)
    return (left, y), (min(left + 2, max(width_px - 1, 1)), y)


def clean_polygon(polygon: Points, width_px: int, height_px: int) -> Points:
    """Return a polygon inside the page that encloses an area; a box of at least 2 px where it does not."""
    points = clamp_points(polygon, width_px, height_px)
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    if len(points) >= 3 and _doubled_area(points):
        return points
    return _box_polygon(Box.around(points), width_px, height_px)


def interchange(page: Page) -> Page:
    """Return ``page`` in the interchange profile: see the module's first lines."""
    regions = tuple(_clean_region(region, page.width_px, page.height_px) for region in page.regions)
    source = Source(base_name(page.source.file_name), page.source.page_index)
    provenance = replace(page.provenance, software=clean_text(page.provenance.software))
    return replace(page, regions=with_ids(regions), source=source, provenance=provenance)


def _clean_region(region: Region, width_px: int, height_px: int) -> Region:
    lines = tuple(_clean_line(line, width_px, height_px) for line in region.lines)
    around = tuple(point for line in lines for point in line.polygon) or ((0, 0), (width_px - 1, height_px - 1))
    polygon = clean_polygon(region.polygon or corners(Box.around(around)), width_px, height_px)
    return Region(clean_label(region.kind, "MainZone"), polygon, lines, region.id)


def _clean_line(line: Line, width_px: int, height_px: int) -> Line:
    baseline = clean_baseline(line.baseline, line.polygon, width_px, height_px)
    text, confidence = clean_text(line.text), clean_confidence(line.confidence)
    cleaned = replace(
        line,
        baseline=baseline,
        polygon=clean_polygon(line.polygon or _band(baseline), width_px, height_px),
        writing=Writing(line.writing.kind, clean_confidence(line.writing.probability)),
        text=text,
        confidence=confidence,
        alternatives=tuple(_clean_alternative(alternative) for alternative in line.alternatives),
        recognizer=clean_label(line.recognizer, ""),
        line_type=clean_label(line.line_type, "DefaultLine"),
        correction=_clean_correction(line.correction),
    )
    return replace(cleaned, words=_clean_words(cleaned, width_px, height_px))


def _clean_correction(correction: Correction | None) -> Correction | None:
    if correction is None:
        return None
    text, by, at = map(clean_text, (correction.text, correction.by, correction.at))
    return Correction(text, by, at, correction.state)


def _clean_alternative(alternative: Alternative) -> Alternative:
    confidence = clean_confidence(alternative.confidence)
    return Alternative(clean_text(alternative.text), confidence, clean_label(alternative.recognizer, ""))


def _clean_words(line: Line, width_px: int, height_px: int) -> tuple[Word, ...]:
    """One word for each token of the final text: the recognizer's own where their number agrees, else placed."""
    tokens = line.final_text.split()
    words = tuple(word for word in line.words if clean_text(word.text))
    if len(words) != len(tokens):
        boxes = place_words(line.final_text, line.baseline, line.polygon)
        words = tuple(Word(token, box, line.confidence) for token, box in zip(tokens, boxes, strict=True))
    if line.correction:
        words = tuple(Word(token, word.box, 1.0) for word, token in zip(words, tokens, strict=True))
    return tuple(_clean_word(word, token, width_px, height_px) for word, token in zip(words, tokens, strict=True))


def _clean_word(word: Word, token: str, width_px: int, height_px: int) -> Word:
    box = clamp_box(word.box, width_px, height_px)
    characters = word.characters if "".join(character.text for character in word.characters) == token else ()
    cleaned = tuple(
        Character(character.text, clean_confidence(character.confidence), clamp_box(character.box, width_px, height_px))
        for character in characters
    )
    return Word(token, box, clean_confidence(word.confidence), cleaned)


def _doubled_area(points: Points) -> int:
    """Twice the signed area that ``points`` enclose, in px²."""
    following = (*points[1:], points[0])
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))


def _box_polygon(box: Box, width_px: int, height_px: int) -> Points:
    left, top = max(min(box.left, width_px - 3), 0), max(min(box.top, height_px - 3), 0)
    right = max(box.right - 1, min(left + 2, max(width_px - 1, 1)))
    bottom = max(box.bottom - 1, min(top + 2, max(height_px - 1, 1)))
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _foot(polygon: Points) -> Points:
    """A line three turns down the polygon's box."""
    box = Box.around(polygon or ((0, 0),))
    y = box.top + (box.bottom - box.top) * 3 // 4
    return (box.left, y), (box.right - 1, y)


def _band(baseline: Points, height_px: int = 20) -> Points:
    """A band around a baseline that came without a polygon."""
    above = tuple((x, y - height_px) for x, y in baseline)
    below = tuple((x, y + height_px // 3) for x, y in reversed(baseline))
    return above + below
