"""hOCR 1.2 as well-formed XHTML: page, areas, each with one paragraph, lines, words.

Beside the standard's properties, lines carry the whole baseline, the writing, the recognizer, who corrected them, when,
and what had been read (percent-encoded) as ``x_`` properties, areas their kind, so that reading back loses little.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import quote

from carrel.direction import is_right_to_left
from carrel.formats.halves import Side, half_of
from carrel.formats.provenance import settings_json
from carrel.formats.write.alto import page_id, taken_ids
from carrel.formats.write.interchange import interchange
from carrel.formats.xml_tree import Element, child, decimal, joined, to_bytes
from carrel.identity import unused
from carrel.languages import document_language
from carrel.page import Box, Line, Page, Region, Word

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_poly ocrp_wconf ocrp_lang ocrp_dir"


def write(page: Page, side: Side | None = None) -> bytes:
    """Return ``page`` as hOCR: the same bytes for the same page; with a ``side`` the lines of one page of a spread."""
    page = interchange(half_of(page, side) if side else page)
    language = document_language(page.provenance.languages)
    root = ET.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml", "xml:lang": language, "lang": language})
    _add_head(root, page)
    taken = taken_ids(page)
    element = _add(child(root, "body"), "div", "ocr_page", unused(page_id(page), taken), _page_title(page))
    for region in page.regions:
        _add_region(element, region, taken)
    return to_bytes(root, short_empty=False)  # browsers take <span /> for an open tag


def _add_head(root: Element, page: Page) -> None:
    head = child(root, "head")
    child(head, "title", page.source.file_name)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=page.provenance.software or "unknown")
    child(head, "meta", name="ocr-capabilities", content=_CAPABILITIES)
    child(head, "meta", name="ocr-number-of-pages", content="1")
    child(head, "meta", name="x-settings", content=settings_json(page))


def _page_title(page: Page) -> str:
    name = page.source.file_name.replace("\\", "\\\\").replace('"', '\\"')
    title = f'image "{name}"; bbox 0 0 {page.width_px} {page.height_px}; ppageno {page.source.page_index}'
    return title + (f"; scan_res {page.dpi:.0f} {page.dpi:.0f}" if page.dpi else "")  # whole numbers by the standard


def _add_region(page: Element, region: Region, taken: set[str]) -> None:
    title = f"{_bbox(Box.around(region.polygon))}; poly {joined(region.polygon, ' ')}; x_kind {region.kind}"
    area = _add(page, "div", "ocr_carea", region.id, title)
    paragraph = _add(area, "p", "ocr_par", unused(f"{region.id}p", taken), _bbox(Box.around(region.polygon)))
    texts = [line.final_text for line in region.lines if line.final_text]
    if texts and all(map(is_right_to_left, texts)):
        paragraph.set("dir", "rtl")
    for line in region.lines:
        _add_line(paragraph, line, taken)


def _add_line(paragraph: Element, line: Line, taken: set[str]) -> None:
    box = Box.around(line.polygon)
    title = f"{_bbox(box)}; {_slope(line, box)}; poly {joined(line.polygon, ' ')}"
    title += f"; x_baseline {joined(line.baseline, ' ')}; x_conf {decimal(line.confidence)}; x_type {line.line_type}"
    title += f"; x_writing {line.writing.kind} {decimal(line.writing.probability)}"
    title += f"; x_recognizer {line.recognizer}" if line.recognizer else ""
    element = _add(paragraph, "span", "ocr_line", line.id, title + _correction(line))
    if is_right_to_left(line.final_text):
        element.set("dir", "rtl")
    for index, word in enumerate(line.words):
        _add_word(element, word, unused(f"{line.id}w{index}", taken))


def _correction(line: Line) -> str:
    if line.correction is None:
        return ""
    by, at, read = (quote(text, safe="") for text in (line.correction.by, line.correction.at, line.text))
    return f"; x_correction {line.correction.state}; x_by {by}; x_at {at}; x_read {read}"


def _slope(line: Line, box: Box) -> str:
    """The baseline's chord as hOCR gives it: slope, and height at the box's lower left corner; the angle of steep lines."""
    (x0, y0), (x1, y1) = line.baseline[0], line.baseline[-1]
    if abs(y1 - y0) > abs(x1 - x0):
        return f"textangle {90 if y1 < y0 else 270}"
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    return f"baseline {slope:.4f} {y0 + slope * (box.left - x0) - box.bottom:.0f}"


def _add_word(line: Element, word: Word, identity: str) -> None:
    title = f"{_bbox(word.box)}; x_wconf {round(word.confidence * 100)}; x_conf {decimal(word.confidence)}"
    _add(line, "span", "ocrx_word", identity, title).text = word.text


def _add(parent: Element, name: str, kind: str, identity: str, title: str) -> Element:
    return ET.SubElement(parent, name, {"class": kind, "id": identity, "title": title})


def _bbox(box: Box) -> str:
    return f"bbox {box.left} {box.top} {box.right} {box.bottom}"
