"""Faults for which readers of hOCR reject or lose data: see ``carrel.formats.check.any_format``."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.errors import InputError
from carrel.formats.check.findings import Finding, id_findings
from carrel.formats.xml_tree import MAX_BYTES, MAX_ELEMENTS
from carrel.page import Box

_CLASSES = (
    "ocr_page ocr_column ocr_carea ocr_par ocr_line ocr_separator ocr_noise ocr_document ocr_part ocr_chapter "
    "ocr_section ocr_subsection ocr_subsubsection ocr_title ocr_author ocr_abstract ocr_blockquote ocr_linear "
    "ocr_float ocr_textfloat ocr_textimage ocr_image ocr_linedrawing ocr_photo ocr_header ocr_footer ocr_pageno "
    "ocr_table ocr_caption ocr_math ocr_display ocr_chem ocr_footnote ocr_dropcap ocr_glyph ocr_glyphs ocr_cinfo "
    "ocrx_block ocrx_line ocrx_word ocrx_cinfo"
)
_KNOWN = frozenset(_CLASSES.split())
_BOX = re.compile(r"(?:^|;)\s*bbox ([^;]*)")
_WHOLE_BOX = re.compile(r"(\d{1,9}) (\d{1,9}) (\d{1,9}) (\d{1,9})\s*")
_CONFIDENCE = re.compile(r"(?:^|;)\s*x_wconf ([^;]*)")


class _Checker:
    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.meta: list[str] = []
        self.ids: list[str] = []
        self.page: Box | None = None
        self.pages = self.elements = 0

    def look_at(self, tag: str, attributes: Mapping[str, str], source_line: int) -> None:
        """Take note of an element and of what is wrong with it."""
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise InputError(f"HTML with more than {MAX_ELEMENTS} elements")
        if tag == "meta":
            self.meta.append(attributes.get("name", ""))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for kind in attributes.get("class", "").split():
            if kind.startswith("ocr"):
                where = attributes.get("id") or f"{kind} on line {source_line}"
                self.found += self._element_findings(kind, where, attributes.get("title", ""))

    def _element_findings(self, kind: str, where: str, title: str) -> Iterator[Finding]:
        if kind not in _KNOWN:
            yield Finding(where, f"class {kind!r} is not hOCR's")
        found = _BOX.search(title)
        match = _WHOLE_BOX.fullmatch(found[1]) if found else None
        if match is None:
            yield Finding(where, "no bbox of four whole numbers")
            return
        box = Box(*(int(value) for value in match.groups()))
        if kind == "ocr_page":
            self.page, self.pages = box, self.pages + 1
        if box.left >= box.right or box.top >= box.bottom or (self.page and not _within(box, self.page)):
            yield Finding(where, f"bbox {tuple(box)} is empty or not inside the page")
        confidence = _CONFIDENCE.search(title)
        if kind == "ocrx_word" and not (confidence and _is_percentage(confidence[1])):
            yield Finding(where, "no x_wconf within 0 and 100")


def findings(data: bytes) -> Iterator[Finding]:
    """Yield everything to complain about in an hOCR file."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    checker = _Checker()
    text = data.decode("utf-8", "replace").replace("\0", "\ufffd").encode()
    events = etree.iterparse(io.BytesIO(text), events=("start",), html=True, encoding="utf-8", huge_tree=True)
    try:
        for _, element in events:
            if isinstance(element.tag, str):
                checker.look_at(element.tag, element.attrib, element.sourceline or 0)
    except etree.LxmlError as error:
        raise InputError(f"HTML that cannot be read: {error}") from error
    for name in ("ocr-system", "ocr-capabilities"):
        if checker.meta.count(name) != 1:
            yield Finding("head", f"{checker.meta.count(name)} meta elements {name!r}, not one")
    if not checker.pages:
        yield Finding("body", "no ocr_page with a bbox")
    yield from id_findings(checker.ids)
    yield from checker.found


def _within(box: Box, page: Box) -> bool:
    return page.left <= box.left and page.top <= box.top and box.right <= page.right and box.bottom <= page.bottom


def _is_percentage(text: str) -> bool:
    try:
        return 0 <= float(text) <= 100
    except ValueError:
        return False
