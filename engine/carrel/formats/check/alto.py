"""Faults for which importers of ALTO reject or lose data: see ``carrel.formats.check.any_format``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from carrel.formats.check.findings import (
    Finding,
    confidence_findings,
    declared_size,
    file_name_findings,
    identifier_findings,
    name_of,
    point_findings,
    reference_findings,
)
from carrel.formats.read.values import index_number
from carrel.formats.xml_tree import Element, parse
from carrel.page import Box, Points

_POINTS = re.compile(r"\d{1,9} \d{1,9}(?: \d{1,9} \d{1,9})*+")
_SCHEMA = re.compile(r"alto-(\d{1,3})-(\d{1,3})\.xsd")
_BLOCKS = ("TextBlock", "Illustration", "GraphicalElement", "ComposedBlock")


class _Context(NamedTuple):
    size: tuple[int, int]
    tags: dict[str, Element]


def findings(data: bytes) -> Iterator[Finding]:
    """Yield everything to complain about in an ALTO file."""
    root, namespace, is_default = parse(data)
    yield from _header_findings(root, namespace, is_default)
    yield from identifier_findings(list(root.iter()), "ID")
    tags = {tag.get("ID", ""): tag for tag in root.iterfind("Tags/*")}
    pages = list(root.iterfind("Layout/Page"))
    if not pages:
        yield Finding("Layout", "no Page")
    for page in pages:
        size, wrong = declared_size(name_of(page, "ID"), (page.get("WIDTH"), page.get("HEIGHT")))
        yield from wrong
        if size:
            yield from _page_findings(page, _Context(size, tags))
    yield from _order_findings(root)


def _header_findings(root: Element, namespace: str, is_default: bool) -> Iterator[Finding]:
    if not re.fullmatch(r"http://www\.loc\.gov/standards/alto/ns-v[234]#", namespace):
        yield Finding("alto", f"namespace {namespace!r} is not that of ALTO 2, 3 or 4")
    elif not is_default:
        yield Finding("alto", "the namespace has a prefix; importers look for a default namespace")
    declared = _SCHEMA.search(root.get("schemaLocation", ""))
    if declared and (int(declared[1]), int(declared[2])) > (4, 2):
        yield Finding("alto", f"declares ALTO {declared[1]}.{declared[2]}; importers accept up to 4.2")
    unit = root.findtext("Description/MeasurementUnit", "").strip()
    if unit != "pixel":
        yield Finding("Description", f"MeasurementUnit is {unit!r}, not 'pixel'")
    name = root.findtext("Description/sourceImageInformation/fileName")
    yield from file_name_findings("Description", name)


def _page_findings(page: Element, context: _Context) -> Iterator[Finding]:
    space = page.find("PrintSpace")
    direct = [] if space is None else list(space)
    for block in (element for element in page.iter() if element.tag in _BLOCKS):
        where = name_of(block, "ID")
        if block.tag == "TextBlock" and block not in direct:
            yield Finding(where, "a TextBlock that is not directly in PrintSpace is lost by importers")
        yield from _tag_findings(where, block, context)
        yield from _shape_findings(where, block, context)
    for line in page.iter("TextLine"):
        yield from _line_findings(line, context)
    yield from _hyphen_findings(page)


def _tag_findings(where: str, element: Element, context: _Context) -> Iterator[Finding]:
    references = element.get("TAGREFS", "").split()
    yield from reference_findings(where, references, set(context.tags), "tag")
    if references and references[0] in context.tags and not context.tags[references[0]].get("LABEL"):
        yield Finding(where, "its first tag has no LABEL, which importers take for its type")


def _shape_findings(where: str, element: Element, context: _Context) -> Iterator[Finding]:
    """Position and outline: there, on the page, and saying the same."""
    box = _box(element)
    if box is None:
        yield Finding(where, "HPOS, VPOS, WIDTH and HEIGHT are not whole numbers")
    elif not _on_page(box, context.size):
        yield Finding(where, f"box {tuple(box)} is empty or not inside the page")
    polygon = element.find("Shape/Polygon")
    if polygon is None:
        return
    points, wrong = _points(where, "POINTS", polygon.get("POINTS", ""))
    yield from wrong
    if points:
        yield from point_findings(where, points, context.size, at_least=3)
        if box and not _about_equal(box, Box.around(points)):
            yield Finding(where, f"box {tuple(box)} is not that of its polygon, {tuple(Box.around(points))}")


def _line_findings(line: Element, context: _Context) -> Iterator[Finding]:
    where = name_of(line, "ID")
    yield from _tag_findings(where, line, context)
    yield from _shape_findings(where, line, context)
    if line.find("Shape/Polygon") is None:
        yield Finding(where, "no polygon")
    baseline = line.get("BASELINE")
    if baseline is None:
        yield Finding(where, "no BASELINE; importers skip the line")
    else:
        points, wrong = _points(where, "BASELINE", baseline)
        yield from wrong
        yield from point_findings(where, points, context.size, at_least=2)
    yield from _text_findings(where, line, context)


def _text_findings(where: str, line: Element, context: _Context) -> Iterator[Finding]:
    content = [element for element in line if element.tag in ("String", "SP", "HYP")]
    if content and content[0].tag != "String":
        yield Finding(where, f"begins with {content[0].tag}")
    strings = [element for element in content if element.tag == "String"]
    for string in strings:
        name = name_of(string, "ID")
        text = string.get("CONTENT", "")
        if not text and len(strings) > 1:
            yield Finding(name, "an empty String among others")
        box = _box(string)
        if box is None or not _on_page(box, context.size):
            yield Finding(name, "its box is missing, empty or not inside the page")
        yield from confidence_findings(name, string, "WC")
    if any(element.tag == "HYP" for element in content):
        yield Finding(where, "HYP is ignored by importers; the hyphen is lost unless CONTENT has it")


def _hyphen_findings(page: Element) -> Iterator[Finding]:
    """The halves of a broken word stand next to each other and agree on the whole."""
    strings = list(page.iter("String"))
    for string, following in zip_longest(strings, strings[1:]):
        if string.get("SUBS_TYPE") != "HypPart1":
            continue
        if following is None or following.get("SUBS_TYPE") != "HypPart2":
            yield Finding(name_of(string, "ID"), "HypPart1 without a HypPart2 right after it: the next word is skipped")
        elif following.get("SUBS_CONTENT") != string.get("SUBS_CONTENT"):
            yield Finding(name_of(string, "ID"), "the two halves of a broken word differ in SUBS_CONTENT")


def _order_findings(root: Element) -> Iterator[Finding]:
    known = {element.get("ID", "") for element in root.iter()}
    for reference in root.iterfind("ReadingOrder//ElementRef"):
        yield from reference_findings("ReadingOrder", reference.get("REF", "").split(), known, "element")


def _points(where: str, name: str, text: str) -> tuple[Points, list[Finding]]:
    if not _POINTS.fullmatch(text):
        return (), [Finding(where, f"{name} {text[:40]!r} is not pairs of whole numbers with single spaces between")]
    numbers = [int(value) for value in text.split()]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), []


def _box(element: Element) -> Box | None:
    values = [element.get(key, "") for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    numbers = [number for value in values if (number := index_number(value)) is not None]
    if len(numbers) < len(values):
        return None
    left, top, width, height = numbers
    return Box(left, top, left + width, top + height)


def _on_page(box: Box, size: tuple[int, int]) -> bool:
    return box.left < box.right <= size[0] and box.top < box.bottom <= size[1]


def _about_equal(box: Box, other: Box) -> bool:
    """Within 2 px: programs differ on whether the last pixel counts."""
    return all(abs(a - b) <= 2 for a, b in zip(box, other, strict=True))
