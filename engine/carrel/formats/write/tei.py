"""TEI P5: a facsimile with zones for regions and lines, and the text with a line beginning for each line.

A line that a person has seen is a ``seg`` of type corrected or confirmed; who, when and what had been read is a change in
the header's ``revisionDesc``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from carrel.formats.halves import box_of, half_of, sides_of
from carrel.formats.hyphens import broken_words
from carrel.formats.write.alto import taken_ids
from carrel.formats.write.interchange import interchange
from carrel.formats.xml_tree import Element, child, decimal, joined, to_bytes
from carrel.identity import unused
from carrel.languages import document_language
from carrel.page import Box, Line, Page, Points, Region

_HANDS = ("printed", "handwritten")
_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")


def write(page: Page) -> bytes:
    """Return ``page`` as TEI: the same bytes for the same page; a spread that is parted has two surfaces."""
    page = interchange(page)
    root = ET.Element("TEI", {"xmlns": "http://www.tei-c.org/ns/1.0"})
    taken = taken_ids(page)
    surface, *hands = (unused(name, taken) for name in ("surface", *_HANDS))
    named: dict[str, str] = dict(zip(_HANDS, hands, strict=True))
    _add_header(root, page, named)
    parts = _parts(page, surface, taken)
    facsimile = child(root, "facsimile")
    for identity, box, part in parts:
        _add_surface(facsimile, part, identity, box)
    text = ET.SubElement(root, "text", {"xml:lang": document_language(page.provenance.languages)})
    division = child(child(text, "body"), "div")
    for identity, _, part in parts:
        child(division, "pb", facs=f"#{identity}")
        for region in part.regions:
            _add_text(division, region, named)
    return to_bytes(root)


def _parts(page: Page, surface: str, taken: set[str]) -> list[tuple[str, Box, Page]]:
    """Each page of the scan with the id and the place of its surface."""
    sides = sides_of(page)
    if not sides:
        return [(surface, Box(0, 0, page.width_px, page.height_px), page)]
    return [(unused(f"{surface}_{side}", taken), box_of(page, side), half_of(page, side)) for side in sides]


def _add_header(root: Element, page: Page, hands: dict[str, str]) -> None:
    header = child(root, "teiHeader")
    description = child(header, "fileDesc")
    child(child(description, "titleStmt"), "title", page.source.file_name)
    child(child(description, "publicationStmt"), "p", "Unpublished transcription.")
    child(child(description, "sourceDesc"), "p", f"Scan {page.source.file_name}, page {page.source.page_index + 1}.")
    encoding = child(header, "encodingDesc")
    child(encoding, "p", "Read by machine; cert gives the reader's confidence from 0 to 1 on each line.")
    application = child(child(encoding, "appInfo"), "application", ident="carrel", version="1")
    child(application, "label", page.provenance.software)
    notes = child(child(header, "profileDesc"), "handNotes")
    for kind, identity in hands.items():
        ET.SubElement(notes, "handNote", {"xml:id": identity}).text = f"{kind} lines"
    _add_changes(header, page.lines)


def _add_changes(header: Element, lines: tuple[Line, ...]) -> None:
    seen = [(line, line.correction) for line in lines if line.correction]
    changes = child(header, "revisionDesc") if seen else header
    for line, correction in seen:
        change = child(changes, "change", target=f"#{line.id}")
        if _TIME.fullmatch(correction.at):
            change.set("when", correction.at)
        child(change, "name", correction.by or "unknown").tail = f" {correction.state}"
        if line.text != correction.text:
            change[-1].tail = f" {correction.state}; read by machine: "
            child(change, "q", line.text)


def _add_surface(facsimile: Element, page: Page, identity: str, box: Box) -> None:
    edges = {"ulx": str(box.left), "uly": str(box.top), "lrx": str(box.right), "lry": str(box.bottom)}
    surface = ET.SubElement(facsimile, "surface", {"xml:id": identity} | edges)
    size = {"width": f"{page.width_px}px", "height": f"{page.height_px}px"}
    child(surface, "graphic", url=page.source.file_name, **size)
    for region in page.regions:
        zone = _add_zone(surface, region.polygon, region.id, region.kind)
        for line in region.lines:
            _add_zone(zone, line.polygon, line.id, line.line_type)


def _add_zone(parent: Element, polygon: Points, identity: str, kind: str) -> Element:
    attributes = {"xml:id": identity, "type": kind, "points": joined(polygon, ",")}
    return ET.SubElement(parent, "zone", attributes)


def _add_text(division: Element, region: Region, hands: dict[str, str]) -> None:
    block = child(division, "ab", type=region.kind, facs=f"#{region.id}")
    parts = broken_words(region.lines)
    for index, line in enumerate(region.lines):
        beginning = child(block, "lb", facs=f"#{line.id}")
        part = parts.get((index, 0))
        if part and part.kind == "HypPart2":
            beginning.set("break", "no")
        if line.final_text:
            _add_segment(block, line, hands)


def _add_segment(block: Element, line: Line, hands: dict[str, str]) -> None:
    segment = child(block, "seg", line.final_text, cert=decimal(1.0 if line.correction else line.confidence))
    if line.correction:
        segment.set("type", line.correction.state)
    if line.writing.kind in hands:
        segment.set("hand", f"#{hands[line.writing.kind]}")
