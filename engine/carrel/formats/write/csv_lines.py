"""CSV: one row per line, UTF-8, commas, as RFC 4180 has it.

``text`` is the final text, ``read`` what was read, ``state`` what a person made of it. A spreadsheet may take one that
begins with = for a formula: import it as text, or have it written with an apostrophe before it (``--csv-safe``).
``table_row`` and ``table_column`` count the cells of a table from 1; both are empty elsewhere.
"""

from __future__ import annotations

import csv
import io

from carrel.formats.write.interchange import interchange
from carrel.formats.write.table_cells import cells_of
from carrel.formats.xml_tree import decimal, joined
from carrel.options import ReadOptions
from carrel.page import Box, Line, Page

COLUMNS = (
    "file", "page", "region", "region_kind", "line", "line_type", "writing", "writing_probability", "recognizer",
    "confidence", "text", "left", "top", "right", "bottom", "baseline", "id", "state", "read",
    "table_row", "table_column",
)  # fmt: skip


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write(page: Page, options: ReadOptions | None = None) -> bytes:
    """Write the lines of ``page`` in reading order under a row of column names; page, region and line count from 1."""
    safe = options is not None and options.csv_safe
    page = interchange(page)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for region_number, region in enumerate(page.regions, 1):
        cells = cells_of(page, region) or [("", "")] * len(region.lines)
        for line_number, (line, cell) in enumerate(zip(region.lines, cells, strict=True), 1):
            place = (page.source.file_name, page.source.page_index + 1, region_number, region.kind, line_number)
            row = (*place, *_line_values(line), *cell)
            writer.writerow(map(harmless, row) if safe else row)
    return buffer.getvalue().encode()


def _line_values(line: Line) -> tuple[str | int, ...]:
    writing = (line.writing.kind, decimal(line.writing.probability))
    reading = (line.recognizer, decimal(line.confidence), line.final_text)
    return (line.line_type, *writing, *reading, *Box.around(line.polygon), joined(line.baseline, " "), *_origin(line))


def _origin(line: Line) -> tuple[str, str, str]:
    return (line.id, line.correction.state if line.correction else "", line.text)


def harmless(cell: str | int) -> str | int:
    """Return a cell with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
