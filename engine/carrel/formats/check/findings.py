"""Common parts of the checkers: a finding, and the conditions for identifiers, points, names and confidences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from carrel.formats.read.values import index_number, probability
from carrel.formats.xml_tree import Element
from carrel.identity import is_xml_name
from carrel.page import Points

_PATH = re.compile(r"[/\\]")


class Finding(NamedTuple):
    """A fault and its place."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def point_findings(where: str, points: Points, size: tuple[int, int], at_least: int) -> Iterator[Finding]:
    """Yield too few distinct points, or points outside the page: recognizers abort on either."""
    if len(set(points)) < at_least:
        yield Finding(where, f"{len(set(points))} distinct points; importers want {at_least}")
    outside = [point for point in points if not (0 <= point[0] < size[0] and 0 <= point[1] < size[1])]
    if outside:
        yield Finding(where, f"point {outside[0][0]},{outside[0][1]} is outside the page of {size[0]} x {size[1]} px")


def identifier_findings(elements: list[Element], attribute: str) -> Iterator[Finding]:
    """Yield identifiers that occur twice or are no XML names."""
    yield from id_findings(element.attrib[attribute] for element in elements if attribute in element.attrib)


def id_findings(identities: Iterable[str]) -> Iterator[Finding]:
    """Yield ids that occur twice or are no XML names; they are replaced when the page is written again."""
    counts = Counter(identities)
    for identity, count in counts.items():
        if count > 1:
            yield Finding(identity, f"identifier used {count} times")
        if not is_xml_name(identity):
            yield Finding(identity or "(empty)", "identifier is no XML name")


def file_name_findings(where: str, name: str | None) -> Iterator[Finding]:
    """Yield a missing image name, or one with folders: importers match pages to images by the bare name."""
    if not name or not name.strip():
        yield Finding(where, "no image file name; importers match pages by it")
    elif _PATH.search(name):
        yield Finding(where, f"image file name {name!r} has folders; importers compare the bare name")


def confidence_findings(where: str, element: Element, attribute: str) -> Iterator[Finding]:
    """Yield a confidence that is no number in [0, 1]."""
    text = element.get(attribute)
    if text is not None and probability(text) is None:
        yield Finding(where, f"{attribute} is {text[:40]!r}, not a number within 0 and 1")


def declared_size(where: str, texts: tuple[str | None, str | None]) -> tuple[tuple[int, int] | None, list[Finding]]:
    """Return the size, and what is wrong with it: importers want whole, positive numbers."""
    width, height = (index_number(text or "") or 0 for text in texts)
    if 0 < width < 10**7 and 0 < height < 10**7:
        return (width, height), []
    return None, [Finding(where, f"page size {texts[0]!r} x {texts[1]!r} is not in whole, positive pixels")]


def reference_findings(where: str, references: list[str], known: set[str], what: str) -> Iterator[Finding]:
    """Yield references to what is not there; schema validators do not follow them."""
    for reference in references:
        if reference not in known:
            yield Finding(where, f"{what} {reference!r} does not exist")


def name_of(element: Element, attribute: str) -> str:
    """Return how a finding calls an element: by its identifier, else by its kind."""
    return element.get(attribute) or element.tag
