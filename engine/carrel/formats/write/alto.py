"""ALTO 4.2, valid under 4.4 too, as eScriptorium, kraken, Kitodo and Solr's highlighter import it.

Line type, writing and recognizer of a line are tags, the line type first. Word confidences are WC, those of characters
CC (0: confident, 9: not). A line that a person has seen has CS="true", a tag that says who and when, and what was read as an
ALTERNATIVE of its first word. A table is a text block as others are, since importers lose nested ones, after a composed block
of the type table at the same place; tags name the row and column of each line. What ALTO has no place for is left out: a line's own confidence and its alternatives.
"""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from carrel.formats.halves import Side, box_of, half_of
from carrel.formats.hyphens import Part, broken_words
from carrel.formats.provenance import READ, settings_json
from carrel.formats.write.interchange import interchange
from carrel.formats.write.table_cells import TABLE_ZONE, cells_of
from carrel.formats.xml_tree import Element, child, decimal, joined, to_bytes
from carrel.identity import unused
from carrel.page import Box, Line, Page, Points, Region, Word

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = f"{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-2.xsd"
#: what a tag says -> beginning of its ID
_TAGS = {
    "region": "BT",
    "type": "LT",
    "writing": "WT",
    "recognizer": "RT",
    "correction": "CT",
    "row": "ROW",
    "column": "COL",
}
_Tag = tuple[str, str, str]  # kind, label, description
_Tags = dict[_Tag, str]


def write(page: Page, side: Side | None = None) -> bytes:
    """Return ``page`` as ALTO: the same bytes for the same page; with a ``side`` one page of a spread, which is the print space."""
    space = box_of(page, side) if side else Box(0, 0, page.width_px, page.height_px)
    page = interchange(half_of(page, side) if side else page)
    root = ET.Element(
        "alto",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": _SCHEMA,
        },
    )
    taken = taken_ids(page)
    _add_description(root, page, taken)
    tags = _add_tags(root, page, taken)
    _add_layout(root, page, space, tags, taken)
    return to_bytes(root)


def taken_ids(page: Page) -> set[str]:
    """Return the ids of the regions and lines; whatever else a file names must have others."""
    return {item.id for region in page.regions for item in (region, *region.lines)}


def page_id(page: Page) -> str:
    """Return an identifier that differs between pages of a collection."""
    digest = hashlib.sha256(page.source.file_name.encode()).hexdigest()[:8]
    return f"p{digest}_{page.source.page_index}"


def _add_description(root: Element, page: Page, taken: set[str]) -> None:
    description = child(root, "Description")
    child(description, "MeasurementUnit", "pixel")
    child(child(description, "sourceImageInformation"), "fileName", page.source.file_name)
    processing = child(description, "Processing", ID=unused("PR1", taken))
    child(processing, "processingCategory", "contentGeneration")
    child(processing, "processingStepDescription", "text recognition")
    child(processing, "processingStepSettings", settings_json(page))
    child(child(processing, "processingSoftware"), "softwareName", page.provenance.software)


def _add_tags(root: Element, page: Page, taken: set[str]) -> _Tags:
    """The tags that the page uses, in order of first use, and their IDs."""
    used: dict[_Tag, None] = dict.fromkeys(
        tag
        for region in page.regions
        for tag in (("region", region.kind, ""), *(tag for tags in _tags_of_lines(page, region) for tag in tags))
    )
    tags: _Tags = {}
    element = child(root, "Tags")
    for tag in used:
        kind, label, description = tag
        count = sum(known == kind for known, _, _ in tags) + 1
        tags[tag] = unused(f"{_TAGS[kind]}{count}", taken)
        described = {"DESCRIPTION": description} if description else {}
        child(element, "OtherTag", ID=tags[tag], TYPE=kind, LABEL=label, **described)
    return tags


def _tags_of_lines(page: Page, region: Region) -> list[list[_Tag]]:
    """The tags of each line, the row and column of a table's lines last."""
    cells = cells_of(page, region)
    if cells is None:
        return [list(_line_tags(line)) for line in region.lines]
    return [
        [*_line_tags(line), ("row", str(row), ""), ("column", str(column), "")]
        for line, (row, column) in zip(region.lines, cells, strict=True)
    ]


def _line_tags(line: Line) -> Iterator[_Tag]:
    yield "type", line.line_type, ""
    if line.writing.kind != "unknown":
        yield "writing", line.writing.kind, ""
    if line.recognizer:
        yield "recognizer", line.recognizer, ""
    if line.correction:
        yield "correction", line.correction.state, json.dumps({"by": line.correction.by, "at": line.correction.at})


def _add_layout(root: Element, page: Page, space: Box, tags: _Tags, taken: set[str]) -> None:
    size = {"WIDTH": str(page.width_px), "HEIGHT": str(page.height_px)}
    number = str(page.source.page_index + 1)
    page_element = child(child(root, "Layout"), "Page", ID=unused(page_id(page), taken), PHYSICAL_IMG_NR=number, **size)
    print_space = child(page_element, "PrintSpace", **_position(space))
    for region in page.regions:
        _add_region(print_space, page, region, tags, taken)


def _add_region(space: Element, page: Page, region: Region, tags: _Tags, taken: set[str]) -> None:
    reference = tags["region", region.kind, ""]
    if region.kind == TABLE_ZONE and region.lines:
        place = _position(Box.around(region.polygon))
        _add_shape(
            child(space, "ComposedBlock", ID=unused(f"{region.id}t", taken), TYPE="table", **place), region.polygon
        )
    block = child(space, "TextBlock", ID=region.id, TAGREFS=reference, **_position(Box.around(region.polygon)))
    _add_shape(block, region.polygon)
    parts = broken_words(region.lines)
    for index, (line, own) in enumerate(zip(region.lines, _tags_of_lines(page, region), strict=True)):
        line_parts = {word: part for (at, word), part in parts.items() if at == index}
        _add_line(block, line, " ".join(tags[tag] for tag in own), line_parts, taken)


def _add_line(block: Element, line: Line, tags: str, parts: dict[int, Part], taken: set[str]) -> None:
    position = _position(Box.around(line.polygon))
    seen = {"CS": "true"} if line.correction else {}
    element = child(
        block,
        "TextLine",
        ID=line.id,
        TAGREFS=tags,
        BASELINE=joined(line.baseline, " "),
        **position,
        **seen,
    )
    _add_shape(element, line.polygon)
    if not line.words:  # ALTO wants one
        child(element, "String", ID=unused(f"{line.id}w0", taken), CONTENT="", **position)
    for index, word in enumerate(line.words):
        if index:
            child(element, "SP")
        _add_word(element, word, unused(f"{line.id}w{index}", taken), parts.get(index))
    if line.text and line.correction and line.correction.state == "corrected":
        first = next(element.iter("String"))
        child(first, "ALTERNATIVE", line.text, PURPOSE=READ)


def _add_word(line: Element, word: Word, identity: str, part: Part | None) -> None:
    attributes = {"ID": identity, "CONTENT": word.text, **_position(word.box), "WC": decimal(word.confidence)}
    if word.characters:
        digits = (round(9 * (1 - character.confidence)) for character in word.characters for _ in character.text)
        attributes["CC"] = " ".join(map(str, digits))
    if part:
        attributes |= {"SUBS_TYPE": part.kind, "SUBS_CONTENT": part.whole}
    ET.SubElement(line, "String", attributes)


def _add_shape(parent: Element, polygon: Points) -> None:
    child(child(parent, "Shape"), "Polygon", POINTS=joined(polygon, " "))


def _position(box: Box) -> dict[str, str]:
    return {
        "HPOS": str(box.left),
        "VPOS": str(box.top),
        "WIDTH": str(box.right - box.left),
        "HEIGHT": str(box.bottom - box.top),
    }
