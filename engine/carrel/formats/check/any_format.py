"""Faults that importers reject in a file that a schema accepts: references, order, geometry, text, names.

>>> from carrel.formats.check.any_format import check
>>> for finding in check(data):            # doctest: +SKIP
...     print(finding)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from carrel.errors import InputError
from carrel.formats import json_page
from carrel.formats.check.direction import order_findings
from carrel.formats.check.findings import Finding, id_findings, point_findings
from carrel.formats.read.any_format import kind_of, read
from carrel.page import Box, Line, Page


def check(data: bytes) -> list[Finding]:
    """Return everything to complain about in an ALTO, PAGE, hOCR or JSON file; nothing if importers will take it as it is.

    Raises
    ------
    InputError
        The file is too large, not well-formed, of another format, or carries a document type definition.
    """
    kind = kind_of(data)
    if kind == "json":
        page = json_page.parse(data)
        return [*page_findings(page), *order_findings(page)]
    found: list[Finding] = list(import_module(f"carrel.formats.check.{kind}").findings(data))
    try:
        return found + list(order_findings(read(data)))
    except InputError:  # the checker has said why, or the file has no page
        return found


def page_findings(page: Page) -> Iterator[Finding]:
    """Yield what stands in the way of writing ``page`` as it is, without moving or dropping anything."""
    if page.width_px < 1 or page.height_px < 1:
        raise InputError(f"a page of {page.width_px} x {page.height_px} px")
    size = (page.width_px, page.height_px)
    yield from id_findings(item.id for region in page.regions for item in (region, *region.lines))
    for region_index, region in enumerate(page.regions):
        where = f"regions[{region_index}]"
        yield from point_findings(f"{where}.polygon", region.polygon, size, at_least=3)
        for line_index, line in enumerate(region.lines):
            yield from _line_findings(f"{where}.lines[{line_index}]", line, size)


def _line_findings(where: str, line: Line, size: tuple[int, int]) -> Iterator[Finding]:
    yield from point_findings(f"{where}.baseline", line.baseline, size, at_least=2)
    yield from point_findings(f"{where}.polygon", line.polygon, size, at_least=3)
    if line.words and " ".join(word.text for word in line.words) != line.text:
        yield Finding(where, "the words' text is not the line's")
    for index, word in enumerate(line.words):
        if not is_inside(word.box, size):
            yield Finding(f"{where}.words[{index}]", f"box {tuple(word.box)} is empty or not inside the page")
    for name, value in _confidences(line):
        if not 0 <= value <= 1:
            yield Finding(where, f"{name} is {value}, not within 0 and 1")


def _confidences(line: Line) -> Iterable[tuple[str, float]]:
    yield "confidence", line.confidence
    yield "writing probability", line.writing.probability
    yield from ((f"confidence of word {index}", word.confidence) for index, word in enumerate(line.words))


def is_inside(box: Box, size: tuple[int, int]) -> bool:
    """Tell whether ``box`` has an area and lies on a page of ``size``."""
    return 0 <= box.left < box.right <= size[0] and 0 <= box.top < box.bottom <= size[1]
