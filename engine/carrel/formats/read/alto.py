"""ALTO 2 to 4 as a Page.

Units other than pixels become the pixels of a scan of that resolution: mm10 254 dpi, inch1200 1200 dpi. What a file
does not say is taken as certain: confidence 1, and probability 1 of a writing that it names.
"""

from __future__ import annotations

import json
from dataclasses import replace

from carrel.errors import InputError
from carrel.formats.hyphens import HYPHENS
from carrel.formats.provenance import READ, with_settings
from carrel.formats.read.values import (
    corners,
    extent,
    mean,
    number,
    page_size,
    points,
    positioned_box,
    probability,
    whole,
)
from carrel.formats.xml_tree import Element
from carrel.page import (
    Box,
    Character,
    Correction,
    CorrectionState,
    Line,
    Page,
    Points,
    Provenance,
    Region,
    Source,
    Word,
    Writing,
    WritingKind,
)

_UNITS_DPI = {"pixel": None, "mm10": 254.0, "inch1200": 1200.0}
_WRITING: dict[str, WritingKind] = {"printed": "printed", "handwritten": "handwritten"}
_STATES: dict[str, CorrectionState] = {"corrected": "corrected", "confirmed": "confirmed"}
_OF_CARREL = ("writing", "recognizer", "correction", "row", "column")
_Tags = dict[str, tuple[str, str, str]]


def read(root: Element) -> Page:
    """Return the first page of an ALTO document; raises InputError for coordinates that are no numbers."""
    element = root.find("Layout/Page")
    if element is None:
        raise InputError("ALTO without a Page")
    tags = {
        tag.get("ID", ""): (tag.get("TYPE", ""), tag.get("LABEL", ""), tag.get("DESCRIPTION", ""))
        for tag in root.iterfind("Tags/*")
    }
    ranks = _reading_ranks(root)
    blocks = sorted(element.iter("TextBlock"), key=lambda block: _rank(block, ranks))
    regions = tuple(_region(block, tags, ranks) for block in blocks)
    width, height = _size(element, regions)
    unit = root.findtext("Description/MeasurementUnit", "pixel").strip()
    if unit not in _UNITS_DPI:
        raise InputError(f"ALTO measured in {unit[:40]!r}; {', '.join(_UNITS_DPI)} are read")
    name = root.findtext("Description/sourceImageInformation/fileName", "").strip()
    page = Page(width, height, _UNITS_DPI[unit], regions, Source(name), Provenance(""))
    software = root.findtext(".//processingSoftware/softwareName", "").strip()
    return with_settings(page, software, root.findtext("Description/Processing/processingStepSettings", ""))


def _size(page: Element, regions: tuple[Region, ...]) -> tuple[int, int]:
    for element in (page, page.find("PrintSpace")):
        if element is not None and {"WIDTH", "HEIGHT"} <= element.attrib.keys():
            return page_size(number(element.attrib["WIDTH"], "WIDTH"), number(element.attrib["HEIGHT"], "HEIGHT"))
    return extent([line for region in regions for line in region.lines])


def _reading_ranks(root: Element) -> dict[str, int]:
    """Element ID -> place in the explicit reading order of ALTO 4.3 and later; empty without one."""
    order = root.find("ReadingOrder")
    references = (
        [] if order is None else [ref for element in order.iter("ElementRef") for ref in element.get("REF", "").split()]
    )
    return {reference: rank for rank, reference in reversed(list(enumerate(references)))}


def _rank(element: Element, ranks: dict[str, int]) -> int:
    """The first rank of ``element`` or anything in it; what has none comes last."""
    if not ranks:
        return 0
    return min(ranks.get(inner.get("ID", ""), len(ranks)) for inner in element.iter())


def _labels(element: Element, tags: _Tags) -> list[tuple[str, str, str]]:
    return [tags[reference] for reference in element.get("TAGREFS", "").split() if reference in tags]


def _region(block: Element, tags: _Tags, ranks: dict[str, int]) -> Region:
    kinds = [label for _, label, _ in _labels(block, tags)]
    lines = sorted(block.iterfind("TextLine"), key=lambda line: _rank(line, ranks))
    kind = kinds[0] if kinds else block.get("TYPE") or "MainZone"
    return Region(kind, _outline(block, "TextBlock"), tuple(_line(line, tags) for line in lines), block.get("ID", ""))


def _outline(element: Element, name: str) -> Points:
    """The element's polygon, else its box, else nothing."""
    polygon = element.find("Shape/Polygon")
    if polygon is not None:
        return points(polygon.get("POINTS", ""), f"{name} POINTS")
    box = positioned_box(element.attrib, name)
    return corners(box) if box else ()


def _line(element: Element, tags: _Tags) -> Line:
    words = tuple(word for string in element.iterfind("String") if (word := _word(string)))
    text = _text(element)
    labels = _labels(element, tags)
    named = {kind: label for kind, label, _ in reversed(labels) if kind in _OF_CARREL}
    types = [label for kind, label, _ in labels if kind not in _OF_CARREL]
    correction = _correction(text, labels)
    kind = _WRITING.get(named.get("writing", ""), "unknown")
    confidences = [
        value for string in element.iterfind("String") if (value := probability(string.get("WC"))) is not None
    ]
    confidence = mean(confidences)
    polygon = _outline(element, "TextLine") or tuple(point for word in words for point in corners(word.box))
    return Line(
        baseline=_baseline(element, polygon),
        polygon=polygon,
        writing=Writing(kind, float(kind != "unknown")),
        text=_as_read(element) if correction and correction.state == "corrected" else text,
        confidence=float(bool(text)) if confidence is None else confidence,
        words=_fitting(words, text),
        recognizer=named.get("recognizer", ""),
        line_type=types[0] if types else "DefaultLine",
        id=element.get("ID", ""),
        correction=correction,
    )


def _correction(text: str, labels: list[tuple[str, str, str]]) -> Correction | None:
    """What Carrel's own tag says; what others call corrected is just the text."""
    for kind, label, description in labels:
        if kind == "correction" and label in _STATES:
            try:
                told = json.loads(description)
                return Correction(text, str(told["by"]), str(told["at"]), _STATES[label])
            except (ValueError, TypeError, KeyError, RecursionError):
                return Correction(text, "", "", _STATES[label])
    return None


def _as_read(line: Element) -> str:
    found = line.find(f"String/ALTERNATIVE[@PURPOSE='{READ}']")
    return "" if found is None else found.text or ""


def _text(line: Element) -> str:
    """The Strings joined by spaces, and the hyphen at the line's end where it stands apart."""
    text = " ".join(string.get("CONTENT", "") for string in line.iterfind("String"))
    hyphen = line.find("HYP")
    content = "" if hyphen is None else hyphen.get("CONTENT", "")
    return text if text.endswith(tuple(HYPHENS)) else text + content


def _fitting(words: tuple[Word, ...], text: str) -> tuple[Word, ...]:
    """``words`` if they are the text's, one for each; a hyphen that stood apart goes to the last."""
    if not words or len(words) != len(text.split()):
        return ()
    last = text.rsplit(maxsplit=1)[-1]
    return words if words[-1].text == last else (*words[:-1], replace(words[-1], text=last, characters=()))


def _baseline(line: Element, polygon: Points) -> Points:
    """ALTO 4.2 gives points; before, it gave the height of a level baseline, or nothing."""
    text = line.get("BASELINE", "").strip()
    if len(text.replace(",", " ").split()) > 1:
        return points(text, "TextLine BASELINE")
    if not polygon:
        raise InputError("a TextLine without BASELINE, Shape and position")
    box = Box.around(polygon)
    y = whole(text, "TextLine BASELINE") if text else box.top + (box.bottom - box.top) * 3 // 4
    return (box.left, y), (box.right - 1, y)


def _word(string: Element) -> Word | None:
    text, box = string.get("CONTENT", ""), positioned_box(string.attrib, "String")
    if not text or box is None:
        return None
    confidence = probability(string.get("WC"))
    return Word(text, box, 1.0 if confidence is None else confidence, _characters(text, box, string.get("CC", "")))


def _characters(text: str, box: Box, digits: str) -> tuple[Character, ...]:
    """CC counts from 0 (confident) to 9 (not); the box is shared out evenly."""
    values = digits.split() if " " in digits else list(digits)
    if len(values) != len(text) or not all(value in "0123456789" and len(value) == 1 for value in values):
        return ()
    edges = [box.left + (box.right - box.left) * index // len(text) for index in range(len(text) + 1)]
    return tuple(
        Character(character, 1 - int(value) / 9, Box(left, box.top, max(right, left + 1), box.bottom))
        for character, value, left, right in zip(text, values, edges, edges[1:], strict=False)
    )
