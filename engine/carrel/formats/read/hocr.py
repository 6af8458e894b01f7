"""hOCR, Carrel's and others', as a Page.

Read as HTML by libxml2, which takes time in proportion to the file: unclosed tags are forgiven, a document type is
skipped, nothing it names is loaded. Areas become regions, paragraphs where there are no areas; every kind of line (text
float, header, caption) counts as a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.errors import InputError
from carrel.formats.provenance import with_settings
from carrel.formats.read.values import corners, index_number, mean, number, page_size, points, probability
from carrel.formats.xml_tree import MAX_DEPTH, MAX_ELEMENTS
from carrel.page import (
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

_LINES = frozenset({"ocr_line", "ocrx_line", "ocr_textfloat", "ocr_header", "ocr_caption", "ocr_footer"})
_KINDS = _LINES | {"ocr_page", "ocr_carea", "ocr_par", "ocrx_word"}
_MOST_FALL = 0.9  # of its box's height that a slanted line falls: more leaves no band
_NAME = re.compile(r"[\w-]+")
_STRUCTURAL = re.compile(r'[\\";]')
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*+)"')
_WRITING: dict[str, WritingKind] = {"printed": "printed", "handwritten": "handwritten"}

_STATES: dict[str, CorrectionState] = {"corrected": "corrected", "confirmed": "confirmed"}


@dataclass
class _Node:
    """One element of an hOCR class, or the root."""

    kind: str
    properties: dict[str, str] = field(default_factory=dict[str, str])
    children: list[_Node] = field(default_factory=list["_Node"])
    text: list[str] = field(default_factory=list[str])
    id: str = ""


class _Tree:
    """The elements with an hOCR class, nested as they are; the text of each without that of those inside.

    A target of lxml's parser, which calls its methods.
    """

    def __init__(self) -> None:
        self.root = _Node("")
        self.meta: dict[str, str] = {}
        self.open: list[_Node] = [self.root]
        self.elements = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS or len(self.open) > MAX_DEPTH:
            raise InputError(f"HTML with more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        if tag == "meta":
            self.meta[attributes.get("name", "")] = attributes.get("content", "")
        node = self.open[-1]
        kinds = _KINDS.intersection(attributes.get("class", "").split())
        if kinds:
            node = _Node(min(kinds), _properties(attributes.get("title", "")), id=attributes.get("id", ""))
            self.open[-1].children.append(node)
        self.open.append(node)

    def end(self, tag: str) -> None:
        del tag  # the parser closes what it opened
        self.open.pop()

    def data(self, text: str) -> None:
        self.open[-1].text.append(text)

    def close(self) -> _Tree:
        return self


def _tree(data: bytes) -> _Tree:
    text = data.decode("utf-8", "replace").replace("\0", "\ufffd")
    parser = etree.HTMLParser(target=_Tree(), encoding="utf-8", no_network=True, huge_tree=True)
    try:
        parser.feed(text.encode())
        return parser.close()
    except etree.LxmlError as error:
        raise InputError(f"HTML that cannot be read: {error}") from error


def _properties(title: str) -> dict[str, str]:
    """Name and value of each property of a ``title``; semicolons inside quotes divide nothing."""
    found: dict[str, str] = {}
    for part in _parts(title):
        name = _NAME.match(part)
        if name:
            found[name[0]] = part[name.end() :].strip()
    return found


def _parts(title: str) -> Iterator[str]:
    begin, escaped, quoted = 0, -1, False
    for mark in _STRUCTURAL.finditer(title):
        if mark.start() == escaped:
            continue
        if mark[0] == "\\":
            escaped = mark.start() + 1 if quoted else -1
        elif mark[0] == '"':
            quoted = not quoted
        elif not quoted:
            yield title[begin : mark.start()].strip()
            begin = mark.end()
    yield title[begin:].strip()


def read(data: bytes) -> Page:
    """Return the first page of an hOCR document; raises InputError where there is none or numbers are none."""
    tree = _tree(data)
    pages = _all(tree.root, {"ocr_page"})
    if not pages:
        raise InputError("HTML without an ocr_page")
    properties = pages[0].properties
    box = _box(properties)
    if box is None:
        raise InputError("an ocr_page without a bbox")
    width, height = page_size(box.right, box.bottom)
    image = properties.get("image", "")
    quoted = _QUOTED.match(image, max(image.find('"'), 0))
    name = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else image
    number_in_scan = index_number(properties.get("ppageno", "0"))
    if number_in_scan is None:
        raise InputError("a ppageno that is no number of a page")
    page = Page(width, height, _dpi(properties), _regions(pages[0]), Source(name, number_in_scan), Provenance(""))
    return with_settings(page, tree.meta.get("ocr-system", ""), tree.meta.get("x-settings", ""))


def _all(node: _Node, kinds: set[str] | frozenset[str]) -> list[_Node]:
    """Nodes of one of ``kinds`` at any depth, in document order, none inside another."""
    found: list[_Node] = []
    for child in node.children:
        found.extend([child] if child.kind in kinds else _all(child, kinds))
    return found


def _dpi(properties: dict[str, str]) -> float | None:
    first = properties.get("scan_res", "").split()[:1]
    return number(first[0], "scan_res") or None if first else None


def _regions(page: _Node) -> tuple[Region, ...]:
    areas = _all(page, {"ocr_carea"}) or _all(page, {"ocr_par"})
    if not areas and _all(page, _LINES):
        areas = [_Node("ocr_carea", {"bbox": page.properties["bbox"]}, page.children)]
    return tuple(_region(area) for area in areas)


def _region(area: _Node) -> Region:
    lines = tuple(line for node in _all(area, _LINES) if (line := _line(node)))
    return Region(area.properties.get("x_kind", "MainZone"), _outline(area.properties), lines, area.id)


def _box(properties: dict[str, str]) -> Box | None:
    values = properties.get("bbox", "").split()
    if not values:
        return None
    if len(values) != 4:
        raise InputError(f"a bbox of {len(values)} numbers")
    return Box(*(round(number(value, "bbox")) for value in values))


def _outline(properties: dict[str, str]) -> Points:
    if "poly" in properties:
        return points(properties["poly"], "poly")
    box = _box(properties)
    return corners(box) if box else ()


def _line_outline(properties: dict[str, str]) -> Points:
    """The line's own polygon; of a box around a slanted line the band along the slope, which leaves the neighbours out."""
    box, slope = _box(properties), _slope(properties)
    if "poly" in properties or box is None or slope is None:
        return _outline(properties)
    fall = round(slope[0] * (box.right - 1 - box.left))
    if abs(fall) > _MOST_FALL * (box.bottom - box.top):
        return corners(box)
    (left, top), (right, _), (_, bottom), _ = corners(box)
    down, up = max(fall, 0), min(fall, 0)
    return (left, top - up), (right, top + down), (right, bottom + up), (left, bottom - down)


def _slope(properties: dict[str, str]) -> tuple[float, float] | None:
    """Slope of the baseline, and its height at the box's lower left corner in px."""
    values = properties.get("baseline", "").split()
    if len(values) != 2:
        return None
    slope, offset = (number(value, "baseline") for value in values)
    return slope, offset


def _line(node: _Node) -> Line | None:
    words = tuple(word for child in _all(node, {"ocrx_word"}) if (word := _word(child)))
    text = " ".join(word.text for word in words) if words else " ".join("".join(node.text).split())
    polygon = _line_outline(node.properties) or tuple(point for word in words for point in corners(word.box))
    if not polygon:
        return None
    kind, _, chance = node.properties.get("x_writing", "").partition(" ")
    writing = _WRITING.get(kind, "unknown")
    confidence = probability(node.properties.get("x_conf"))
    if confidence is None:
        confidence = mean([word.confidence for word in words])
    correction = _correction(text, node.properties)
    return Line(
        baseline=_baseline(node.properties, polygon),
        polygon=polygon,
        writing=Writing(writing, probability(chance) or 0.0),
        text=unquote(node.properties.get("x_read", "")) if correction else text,
        confidence=float(bool(text)) if confidence is None else confidence,
        words=words if len(words) == len(text.split()) else (),
        recognizer=node.properties.get("x_recognizer", ""),
        line_type=node.properties.get("x_type", "DefaultLine"),
        id=node.id,
        correction=correction,
    )


def _correction(text: str, properties: dict[str, str]) -> Correction | None:
    state = _STATES.get(properties.get("x_correction", ""))
    by, at = (unquote(properties.get(name, "")) for name in ("x_by", "x_at"))
    return Correction(text, by, at, state) if state else None


def _baseline(properties: dict[str, str], polygon: Points) -> Points:
    """Carrel's own points, else hOCR's slope and offset from the box's lower left corner, else a guess."""
    if "x_baseline" in properties:
        return points(properties["x_baseline"], "x_baseline")
    box, slope = _box(properties) or Box.around(polygon), _slope(properties)
    if properties.get("textangle", "0").split()[:1] != ["0"]:
        return _turned_baseline(box, number(properties["textangle"].split()[0], "textangle"))
    if slope is None:
        y = box.top + (box.bottom - box.top) * 3 // 4
        return (box.left, y), (box.right - 1, y)
    start = box.bottom + slope[1]
    return (box.left, round(start)), (box.right - 1, round(start + slope[0] * (box.right - 1 - box.left)))


def _turned_baseline(box: Box, degrees: float) -> Points:
    """A baseline for text turned counterclockwise, guessed from its box."""
    right, bottom = box.right - 1, box.bottom - 1
    x_up, x_down = box.left + (right - box.left) * 3 // 4, box.left + (right - box.left) // 4
    y, y_over = box.top + (bottom - box.top) * 3 // 4, box.top + (bottom - box.top) // 4
    ways = ((box.left, y), (right, y)), ((x_up, bottom), (x_up, box.top)), ((right, y_over), (box.left, y_over))
    return (*ways, ((x_down, box.top), (x_down, bottom)))[round(degrees / 90) % 4]


def _word(node: _Node) -> Word | None:
    text, box = " ".join(_text(node).split()), _box(node.properties)
    if not text or box is None:
        return None
    confidence = probability(node.properties.get("x_conf"))
    if confidence is None and "x_wconf" in node.properties:
        confidence = min(max(number((node.properties["x_wconf"].split() or [""])[0], "x_wconf") / 100, 0.0), 1.0)
    return Word(text, box, 1.0 if confidence is None else confidence)


def _text(node: _Node) -> str:
    return "".join(node.text) + "".join(_text(child) for child in node.children)
