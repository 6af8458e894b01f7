"""PAGE 2010 to 2019 as a Page.

Lines follow the explicit reading order, else Transkribus's ``custom`` order, else the file's. What a file does not say
is taken as certain: confidence 1, and probability 1 of a writing that it names.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from carrel.errors import InputError
from carrel.formats.provenance import with_settings
from carrel.formats.read.values import index_number, mean, number, page_size, points, probability
from carrel.formats.xml_tree import Element
from carrel.page import (
    Alternative,
    Box,
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

_NO_NAME = re.compile(r"[^\w-]+")
_PER_INCH = {"PPI": 1.0, "PPCM": 2.54}
_WRITING: dict[str, WritingKind] = {
    "printed": "printed",
    "typewritten": "printed",
    "handwritten": "handwritten",
    "handwritten-cursive": "handwritten",
    "handwritten-printscript": "handwritten",
    "medieval-manuscript": "handwritten",
}
_ZONES = {
    "paragraph": "MainZone",
    "marginalia": "MarginTextZone",
    "header": "RunningTitleZone",
    "page-number": "NumberingZone",
    "drop-capital": "DropCapitalZone",
    "signature-mark": "QuireMarksZone",
    "catch-word": "QuireMarksZone",
}
_STATES: dict[str, CorrectionState] = {"corrected": "corrected", "confirmed": "confirmed"}
_Custom = dict[str, dict[str, str]]


def read(root: Element) -> Page:
    """Return the page of a PAGE document; raises InputError for coordinates that are no numbers."""
    element = root.find("Page")
    if element is None:
        raise InputError("PAGE without a Page")
    sizes = [number(element.get(key, ""), key) for key in ("imageWidth", "imageHeight")]
    width, height = page_size(*sizes)
    regions = tuple(_region(region) for region in _ordered_regions(element))
    source = Source(element.get("imageFilename", ""))
    page = Page(width, height, _dpi(element), regions, source, Provenance(""))
    item = root.find("Metadata/MetadataItem[@type='processingStep']")
    software = root.findtext("Metadata/Creator", "").strip()
    return with_settings(page, software, "" if item is None else item.get("value", ""))


def _dpi(page: Element) -> float | None:
    factor = _PER_INCH.get(page.get("imageResolutionUnit", ""))
    return number(page.get("imageXResolution", "0"), "imageXResolution") * factor or None if factor else None


def _ordered_regions(page: Element) -> list[Element]:
    regions = list(page.iter("TextRegion"))
    order = page.find("ReadingOrder")
    references = [] if order is None else _references(order)
    ranks = {reference: rank for rank, reference in reversed(list(enumerate(references)))}
    if not ranks:
        return _by_custom_index(regions)
    return sorted(regions, key=lambda region: ranks.get(region.get("id", ""), len(ranks)))


def _references(group: Element) -> list[str]:
    """Region ids in reading order; an indexed group sorts its members."""
    members = sorted(group, key=lambda member: index_number(member.get("index", "")) or 0)
    found: list[str] = []
    for member in members:
        if "regionRef" in member.attrib:
            found.append(member.attrib["regionRef"])
        found.extend(_references(member))
    return found


def _custom(element: Element) -> _Custom:
    """``name {key:value; key:value;}`` as Transkribus writes it."""
    custom: _Custom = {}
    for part in element.get("custom", "").split("}")[:-1]:
        head, brace, body = part.partition("{")
        name = _NO_NAME.split(head.strip())[-1]
        pairs = (entry.partition(":") for entry in body.split(";") if ":" in entry)
        if name and brace:
            custom[name] = {key.strip(): value.strip() for key, _, value in pairs}
    return custom


def _by_custom_index(elements: list[Element]) -> list[Element]:
    indices = [index_number(_custom(element).get("readingOrder", {}).get("index", "")) for element in elements]
    ranks = [index for index in indices if index is not None]
    if len(ranks) < len(elements):
        return elements
    return [element for _, element in sorted(zip(ranks, elements, strict=True), key=lambda pair: pair[0])]


def _region(element: Element) -> Region:
    named = element.get("type", "")
    kind = _custom(element).get("structure", {}).get("type") or _ZONES.get(named, named) or "MainZone"
    lines = _by_custom_index(element.findall("TextLine"))
    return Region(kind, _coords(element, "Coords"), tuple(_line(line) for line in lines), element.get("id", ""))


def _coords(element: Element, name: str) -> Points:
    """Points of the child ``name``: an attribute since 2013, elements before."""
    found = element.find(name)
    if found is None:
        return ()
    if "points" in found.attrib:
        return points(found.attrib["points"], name)
    return points(" ".join(f"{point.get('x')} {point.get('y')}" for point in found.iterfind("Point")), name)


def _line(element: Element) -> Line:
    custom = _custom(element)
    words = tuple(word for child in element.iterfind("Word") if (word := _word(child)))
    readings = _readings(element)
    if not readings:
        readings = [(" ".join(word.text for word in words), mean([word.confidence for word in words]))]
    (text, confidence), *others = readings
    polygon = _coords(element, "Coords")
    words = words if len(words) == len(text.split()) else ()
    told = custom.get("correction", {})
    correction = _correction(text, told)
    if correction:
        text, confidence = unquote(told.get("read", "")), probability(told.get("confidence"))
    return Line(
        baseline=_baseline(element, polygon),
        polygon=polygon,
        writing=_writing(element, custom),
        text=text,
        confidence=float(bool(text)) if confidence is None else confidence,
        words=words,
        alternatives=tuple(Alternative(other, value or 0.0, "") for other, value in others),
        recognizer=custom.get("recognizer", {}).get("name", ""),
        line_type=custom.get("structure", {}).get("type") or "DefaultLine",
        id=element.get("id", ""),
        correction=correction,
    )


def _correction(text: str, told: dict[str, str]) -> Correction | None:
    state = _STATES.get(told.get("state", ""))
    return Correction(text, unquote(told.get("by", "")), unquote(told.get("at", "")), state) if state else None


def _baseline(line: Element, polygon: Points) -> Points:
    baseline = _coords(line, "Baseline")
    if len(baseline) > 1:
        return baseline
    if not polygon:
        raise InputError("a TextLine without Baseline and Coords")
    box = Box.around(polygon)
    y = box.top + (box.bottom - box.top) * 3 // 4
    return (box.left, y), (box.right - 1, y)


def _writing(line: Element, custom: _Custom) -> Writing:
    stated = custom.get("writing", {})
    kind = _WRITING.get(stated.get("kind") or line.get("production", ""), "unknown")
    value = probability(stated.get("probability"))
    return Writing(kind, float(kind != "unknown") if value is None else value)


def _readings(element: Element) -> list[tuple[str, float | None]]:
    """Every TextEquiv's text and confidence, the one with the lowest index first."""
    equivalents = element.findall("TextEquiv")
    equivalents.sort(
        key=lambda equivalent: -1 if (index := index_number(equivalent.get("index", ""))) is None else index
    )
    return [(found.findtext("Unicode", ""), probability(found.get("conf"))) for found in equivalents]


def _word(element: Element) -> Word | None:
    polygon, readings = _coords(element, "Coords"), _readings(element)
    if not polygon or not readings or not readings[0][0]:
        return None
    text, confidence = readings[0]
    return Word(text, Box.around(polygon), 1.0 if confidence is None else confidence)
