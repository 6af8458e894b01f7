"""Faults for which importers of PAGE reject or lose data: see ``carrel.formats.check.any_format``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

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
from carrel.formats.xml_tree import Element, parse
from carrel.page import Points

_NAMESPACE = re.compile(r"http://schema\.primaresearch\.org/PAGE/gts/pagecontent/(\d{4})-\d\d-\d\d")
_POINTS = re.compile(r"\d{1,9},\d{1,9}(?: \d{1,9},\d{1,9})++")
_CUSTOM = re.compile(r"\s*+(?:[\w-]++\s*+\{[^{}]*+\}\s*+)*+")
_INDEX = re.compile(r"readingOrder\s*\{\s*index:\s*(\d{1,9})")


def findings(data: bytes) -> Iterator[Finding]:
    """Yield everything to complain about in a PAGE file."""
    root, namespace, is_default = parse(data)
    version = _NAMESPACE.fullmatch(namespace)
    if not version:
        yield Finding("PcGts", f"namespace {namespace!r} is not PAGE's")
    elif not 2013 <= int(version[1]) <= 2019:
        yield Finding("PcGts", f"PAGE of {version[1]}; importers accept 2013 to 2019")
    elif not is_default:
        yield Finding("PcGts", "the namespace has a prefix; importers look for a default namespace")
    yield from identifier_findings(list(root.iter()), "id")
    page = root.find("Page")
    if page is None:
        yield Finding("PcGts", "no Page")
        return
    yield from file_name_findings("Page", page.get("imageFilename"))
    size, wrong = declared_size("Page", (page.get("imageWidth"), page.get("imageHeight")))
    yield from wrong
    yield from _order_findings(page)
    if size:
        for region in page.iter("TextRegion"):
            yield from _region_findings(region, page, size)


def _order_findings(page: Element) -> Iterator[Finding]:
    """The explicit order names regions that exist, each once; the implicit one has each index once."""
    known = {element.get("id", "") for element in page.iter() if element.tag.endswith("Region")}
    order = page.find("ReadingOrder")
    references = [] if order is None else [e.get("regionRef", "") for e in order.iter() if "regionRef" in e.attrib]
    yield from reference_findings("ReadingOrder", references, known, "region")
    for reference in sorted(reference for reference, count in Counter(references).items() if count > 1):
        yield Finding("ReadingOrder", f"region {reference!r} occurs more than once")
    yield from _index_findings("Page", page.findall("TextRegion"))


def _index_findings(where: str, elements: list[Element]) -> Iterator[Finding]:
    found = [_INDEX.search(element.get("custom", "")) for element in elements]
    indices = [int(match[1]) for match in found if match]
    if len(set(indices)) != len(indices):
        yield Finding(where, "a readingOrder index occurs twice in custom")
    elif indices and len(indices) != len(elements):
        yield Finding(where, "some elements have a readingOrder index in custom, others have none")


def _region_findings(region: Element, page: Element, size: tuple[int, int]) -> Iterator[Finding]:
    where = name_of(region, "id")
    if region not in list(page):
        yield Finding(where, "a TextRegion inside another is lost by importers")
    yield from _custom_findings(where, region)
    yield from _coords_findings(where, region, "Coords", size, at_least=3)
    yield from _equivalent_findings(where, region)
    lines = region.findall("TextLine")
    yield from _index_findings(where, lines)
    for line in lines:
        yield from _line_findings(line, size)
    texts = [text for line in lines if (text := _text(line)) is not None]
    whole = _text(region)
    if whole is not None and lines and whole.split() != " ".join(texts).split():
        yield Finding(where, "the region's text is not that of its lines")


def _line_findings(line: Element, size: tuple[int, int]) -> Iterator[Finding]:
    where = name_of(line, "id")
    yield from _custom_findings(where, line)
    yield from _coords_findings(where, line, "Coords", size, at_least=3)
    if line.find("Baseline") is None:
        yield Finding(where, "no Baseline; importers skip the line")
    else:
        yield from _coords_findings(where, line, "Baseline", size, at_least=2)
    yield from _equivalent_findings(where, line)
    words = line.findall("Word")
    for word in words:
        name = name_of(word, "id")
        yield from _coords_findings(name, word, "Coords", size, at_least=1)
        yield from _equivalent_findings(name, word)
    text = _text(line)
    if words and text is not None and " ".join(_text(word) or "" for word in words) != text:
        yield Finding(where, "the words' text is not the line's; importers take the words'")


def _equivalent_findings(where: str, element: Element) -> Iterator[Finding]:
    equivalents = element.findall("TextEquiv")
    if len(equivalents) > 1:
        yield Finding(where, f"{len(equivalents)} TextEquiv; importers join them")
    for equivalent in equivalents:
        yield from confidence_findings(where, equivalent, "conf")


def _custom_findings(where: str, element: Element) -> Iterator[Finding]:
    custom = element.get("custom", "")
    if not _CUSTOM.fullmatch(custom):
        yield Finding(where, "custom is not of the form: name {key:value;}")
    elif ";" in custom.rpartition("structure")[2].partition("}")[2] and "structure" in custom:
        yield Finding(where, "structure is not the last in custom; eScriptorium takes all that follows for its type")


def _coords_findings(where: str, parent: Element, name: str, size: tuple[int, int], at_least: int) -> Iterator[Finding]:
    element = parent.find(name)
    text = "" if element is None else element.get("points", "")
    if not _POINTS.fullmatch(text):
        yield Finding(where, f"{name} {text[:40]!r} is not x,y pairs of whole numbers with single spaces between")
        return
    yield from point_findings(f"{where} {name}", _points(text), size, at_least)


def _points(text: str) -> Points:
    pairs = (pair.split(",") for pair in text.split(" "))
    return tuple((int(x), int(y)) for x, y in pairs)


def _text(element: Element) -> str | None:
    equivalent = element.find("TextEquiv")
    return None if equivalent is None else equivalent.findtext("Unicode", "")
