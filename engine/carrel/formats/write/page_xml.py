"""PAGE 2019-07-15 as Transkribus, eScriptorium, kraken and OCR-D import it.

``custom`` carries what importers look for there (reading order, structure types) and what PAGE has no place for
(writing, recognizer, who corrected a line, when, and what had been read; percent-encoded). The structure comes last:
eScriptorium takes all up to the last semicolon for the type. Each region, line and word has one TextEquiv: importers join
them. The border is the whole scan, or one page of a spread; what holds the regions of running text is the print space.
A table is a text region as others are, since importers lose nested ones, beside a table region with its grid; ``custom`` names
the row and column of each line. Alternatives and characters are left out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from urllib.parse import quote

from carrel.direction import is_right_to_left
from carrel.formats.halves import Side, box_of, half_of
from carrel.formats.provenance import settings_json
from carrel.formats.read.values import corners
from carrel.formats.write.alto import taken_ids
from carrel.formats.write.interchange import interchange
from carrel.formats.write.table_cells import Grid, grid_of
from carrel.formats.xml_tree import Element, child, decimal, joined, to_bytes
from carrel.identity import unused
from carrel.page import Box, Line, Page, Points, Region, Word

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
PRODUCTION = {"printed": "printed", "handwritten": "handwritten-cursive"}
_OUTSIDE_PRINT_SPACE = ("MarginTextZone", "NumberingZone", "QuireMarksZone", "StampZone")  # by PAGE's own definition
_NOT_RECORDED = "1970-01-01T00:00:00Z"  # PAGE demands a time
_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")


def write(page: Page, side: Side | None = None) -> bytes:
    """Return ``page`` as PAGE: the same bytes for the same page; with a ``side`` one page of a spread."""
    border = box_of(page, side) if side else Box(0, 0, page.width_px, page.height_px)
    page = interchange(half_of(page, side) if side else page)
    root = ET.Element(
        "PcGts",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd",
        },
    )
    _add_metadata(root, page)
    element = child(root, "Page", **_page_attributes(page))
    _add_spaces(element, page, border)
    taken = taken_ids(page)
    if page.regions:
        group = child(child(element, "ReadingOrder"), "OrderedGroup", id=unused("ro", taken))
        for index, region in enumerate(page.regions):
            child(group, "RegionRefIndexed", index=str(index), regionRef=region.id)
    for index, region in enumerate(page.regions):
        grid = grid_of(page, region)
        if grid:
            _add_table(element, page, region, grid, taken)
        _add_region(element, region, index, grid.cells if grid else None, taken)
    return to_bytes(root)


def _add_metadata(root: Element, page: Page) -> None:
    metadata = child(root, "Metadata")
    software, created = page.provenance.software, page.provenance.created
    child(metadata, "Creator", software)
    time = created if _TIME.fullmatch(created) else _NOT_RECORDED
    child(metadata, "Created", time)
    child(metadata, "LastChange", time)
    child(metadata, "MetadataItem", type="processingStep", name="text recognition", value=settings_json(page))


def _page_attributes(page: Page) -> dict[str, str]:
    size = {"imageWidth": str(page.width_px), "imageHeight": str(page.height_px)}
    return {"imageFilename": page.source.file_name} | size


def _add_spaces(element: Element, page: Page, border: Box) -> None:
    """The border, and the print space where there is text that belongs to it."""
    _add_coords(child(element, "Border"), corners(border))
    text = [region for region in page.regions if region.kind.partition(":")[0] not in _OUTSIDE_PRINT_SPACE]
    if text:
        around = Box.around(tuple(point for region in text for point in region.polygon))
        _add_coords(child(element, "PrintSpace"), corners(around))


def _add_table(element: Element, page: Page, region: Region, grid: Grid, taken: set[str]) -> None:
    """The place and the cells of a table whose lines are a text region of its own, since importers lose what is nested."""
    size = {"rows": str(grid.rows), "columns": str(grid.columns)}
    table = child(element, "TableRegion", id=unused(f"{region.id}t", taken), **size)
    _add_coords(table, region.polygon)
    corners_of_cells = child(table, "Grid")
    for index, points in enumerate(grid.corners):
        inside = ((min(max(x, 0), page.width_px - 1), min(max(y, 0), page.height_px - 1)) for x, y in points)
        child(corners_of_cells, "GridPoints", index=str(index), points=joined(tuple(inside), ","))


def _add_region(
    page: Element, region: Region, index: int, cells: list[tuple[int, int]] | None, taken: set[str]
) -> None:
    custom = f"readingOrder {{index:{index};}} structure {{type:{region.kind};}}"
    element = child(page, "TextRegion", id=region.id, custom=custom)
    _add_coords(element, region.polygon)
    for line_index, line in enumerate(region.lines):
        _add_line(element, line, line_index, cells[line_index] if cells else None, taken)
    texts = [line.final_text for line in region.lines if line.final_text]
    if texts:
        child(child(element, "TextEquiv"), "Unicode", "\n".join(texts))


def _add_line(region: Element, line: Line, index: int, cell: tuple[int, int] | None, taken: set[str]) -> None:
    attributes = {"id": line.id, "custom": _line_custom(line, index, cell)}
    if line.writing.kind != "unknown":
        attributes["production"] = PRODUCTION[line.writing.kind]
    if is_right_to_left(line.final_text):
        attributes["readingDirection"] = "right-to-left"
    element = ET.SubElement(region, "TextLine", attributes)
    _add_coords(element, line.polygon)
    child(element, "Baseline", points=joined(line.baseline, ","))
    for word_index, word in enumerate(line.words):
        _add_word(element, word, unused(f"{line.id}w{word_index}", taken))
    _add_text(element, line.final_text, 1.0 if line.correction else line.confidence)


def _line_custom(line: Line, index: int, cell: tuple[int, int] | None) -> str:
    custom = f"readingOrder {{index:{index};}}"
    custom += f" tableCell {{row:{cell[0]}; column:{cell[1]};}}" if cell else ""
    custom += f" writing {{kind:{line.writing.kind}; probability:{decimal(line.writing.probability)};}}"
    custom += f" recognizer {{name:{line.recognizer};}}" if line.recognizer else ""
    return custom + _correction_custom(line) + f" structure {{type:{line.line_type};}}"


def _correction_custom(line: Line) -> str:
    if line.correction is None:
        return ""
    by, at, read = (quote(text, safe="") for text in (line.correction.by, line.correction.at, line.text))
    told = f"state:{line.correction.state}; by:{by}; at:{at}; read:{read}; confidence:{decimal(line.confidence)};"
    return f" correction {{{told}}}"


def _add_word(line: Element, word: Word, identity: str) -> None:
    element = child(line, "Word", id=identity)
    _add_coords(element, corners(word.box))
    _add_text(element, word.text, word.confidence)


def _add_text(parent: Element, text: str, confidence: float) -> None:
    child(child(parent, "TextEquiv", conf=decimal(confidence)), "Unicode", text)


def _add_coords(parent: Element, polygon: Points) -> None:
    child(parent, "Coords", points=joined(polygon, ","))
