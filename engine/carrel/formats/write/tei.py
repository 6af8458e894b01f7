"""TEI P5: a facsimile with zones for regions and lines, and the text with a line beginning for each line."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from carrel.formats.languages import document_language
from carrel.formats.write.hyphens import broken_words
from carrel.formats.write.interchange import interchange
from carrel.formats.xml_tree import Element, child, decimal, joined, to_bytes
from carrel.page import Page, Points, Region

_HANDS = {"printed": "#printed", "handwritten": "#handwritten"}


def write(page: Page) -> bytes:
    """``page`` as TEI: the same bytes for the same page."""
    page = interchange(page)
    root = ET.Element("TEI", {"xmlns": "http://www.tei-c.org/ns/1.0"})
    _add_header(root, page)
    _add_facsimile(root, page)
    text = ET.SubElement(root, "text", {"xml:lang": document_language(page.provenance.languages)})
    division = child(child(text, "body"), "div")
    child(division, "pb", facs="#surface")
    for index, region in enumerate(page.regions):
        _add_text(division, region, f"r{index}")
    return to_bytes(root)


def _add_header(root: Element, page: Page) -> None:
    header = child(root, "teiHeader")
    description = child(header, "fileDesc")
    child(child(description, "titleStmt"), "title", page.source.file_name)
    child(child(description, "publicationStmt"), "p", "Unpublished transcription.")
    child(child(description, "sourceDesc"), "p", f"Scan {page.source.file_name}, page {page.source.page_index + 1}.")
    encoding = child(header, "encodingDesc")
    child(encoding, "p", "Read by machine; cert gives the reader's confidence from 0 to 1 on each line.")
    application = child(child(encoding, "appInfo"), "application", ident="carrel", version="1")
    child(application, "label", page.provenance.software)
    hands = child(child(header, "profileDesc"), "handNotes")
    for identity in ("printed", "handwritten"):
        ET.SubElement(hands, "handNote", {"xml:id": identity}).text = f"{identity} lines"


def _add_facsimile(root: Element, page: Page) -> None:
    edges = {"ulx": "0", "uly": "0", "lrx": str(page.width_px), "lry": str(page.height_px)}
    surface = ET.SubElement(child(root, "facsimile"), "surface", {"xml:id": "surface"} | edges)
    size = {"width": f"{page.width_px}px", "height": f"{page.height_px}px"}
    child(surface, "graphic", url=page.source.file_name, **size)
    for index, region in enumerate(page.regions):
        zone = _add_zone(surface, region.polygon, f"r{index}", region.kind)
        for line_index, line in enumerate(region.lines):
            _add_zone(zone, line.polygon, f"r{index}l{line_index}", line.line_type)


def _add_zone(parent: Element, polygon: Points, identity: str, kind: str) -> Element:
    attributes = {"xml:id": identity, "type": kind, "points": joined(polygon, ",")}
    return ET.SubElement(parent, "zone", attributes)


def _add_text(division: Element, region: Region, identity: str) -> None:
    block = child(division, "ab", type=region.kind, facs=f"#{identity}")
    parts = broken_words(region.lines)
    for index, line in enumerate(region.lines):
        beginning = child(block, "lb", facs=f"#{identity}l{index}")
        part = parts.get((index, 0))
        if part and part.kind == "HypPart2":
            beginning.set("break", "no")
        if line.text:
            segment = child(block, "seg", line.text, cert=decimal(line.confidence))
            if line.writing.kind in _HANDS:
                segment.set("hand", _HANDS[line.writing.kind])
