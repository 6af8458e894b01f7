"""Fields of many pages as one table: a row for each page, or for each row of a form's table; CSV and JSON.

A table is made of pages as they are stored, corrections included, and of the template: nothing else is kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from carrel.formats.write.csv_lines import harmless
from carrel.forms.fields import BETWEEN_VALUES, REVIEW_COLUMN, TABLE_COLUMNS, Field
from carrel.forms.template import Form
from carrel.forms.ticks import SIGNS
from carrel.forms.zones import field_of
from carrel.page import Box, Line, Page, Region

State = Literal["read", "empty", "missing", "doubtful", "pattern", "corrected", "absent"]
NEEDS_REVIEW: dict[State, str] = {
    "missing": "missing", "doubtful": "doubtful", "pattern": "breaks its pattern", "absent": "not found",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field of a row: its value, the confidence of it in [0, 1], its state, other readings, and its box, px of the scan."""

    name: str
    value: str
    confidence: float
    state: State
    alternatives: tuple[tuple[str, float], ...] = ()
    box: Box | None = None
    line_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. ``page`` is the page's number in the file, ``row`` that in the form's table, both from 1, 0 without one.
    ``refused`` says why a page does not fit the form; it has no fields."""

    document: str
    file: str
    page: int
    row: int
    fields: tuple[FieldValue, ...]
    refused: str = ""

    @property
    def to_review(self) -> tuple[str, ...]:
        """Fields that a person should look at, each with the reason."""
        if self.refused:
            return (f"the page does not fit the form: {self.refused}",)
        return tuple(f"{f.name}: {NEEDS_REVIEW[f.state]}" for f in self.fields if f.state in NEEDS_REVIEW)


def rows_of(document: str, page: Page, form: Form, review_below: float) -> Iterator[Row]:
    """Yield the rows of a page; rows of the table in which no field holds anything are left out.

    Parameters
    ----------
    document
        The name of the page's results.
    review_below
        Confidence below which a value is doubtful.
    """
    file, number = page.source.file_name, page.source.page_index + 1
    identity, _, why = page.provenance.form.partition(": ")
    if why or not identity:
        yield Row(document, file, number, 0, (), why.removeprefix("does not fit: ") or "it was read without the form")
        return
    regions = {place: region for region in page.regions if (place := field_of(region.kind))}

    def values(fields: Sequence[Field], row: int | None) -> tuple[FieldValue, ...]:
        return tuple(value_of(field, regions.get((field.name, row)), form, review_below) for field in fields)

    own = values(form.page_fields, None)
    if not form.columns:
        yield Row(document, file, number, 0, own)
        return
    filled = 0
    for row in range(1, len(form.template.rows) + 1):
        cells = values(form.columns, row)
        if any(cell.state not in ("empty", "missing") for cell in cells):
            filled += 1
            order = {field.name: n for n, field in enumerate(form.template.fields)}
            yield Row(document, file, number, row, tuple(sorted((*own, *cells), key=lambda value: order[value.name])))
    if not filled:
        yield Row(document, file, number, 0, own)


def value_of(field: Field, region: Region | None, form: Form, review_below: float) -> FieldValue:
    """Return the value of a field, from its region."""
    if region is None:
        return FieldValue(field.name, "", 0.0, "absent")
    box = Box.around(region.polygon)
    ids = tuple(line.id for line in region.lines)
    if field.kind == "choice":
        return replace(_chosen(field, region, review_below), box=box, line_ids=ids)
    text = " ".join(line.final_text for line in region.lines if line.final_text)
    seen = bool(region.lines) and all(line.correction for line in region.lines)
    confidence = min((1.0 if line.correction else line.confidence for line in region.lines), default=1.0)
    others = (
        tuple((a.text, a.confidence) for line in region.lines for a in line.alternatives)
        if len(region.lines) == 1
        else ()
    )
    constraint = form.constraints.get(field.name)
    breaks = bool(text) and constraint is not None and not constraint.penalty and not constraint.accepts(text)
    state: State = "read"
    if seen and not breaks:
        state = "corrected"
    elif not text:
        unread = any(others) or (bool(region.lines) and not field.required)
        state = "doubtful" if unread and not seen else "missing" if field.required else "empty"
    elif breaks:
        state = "pattern"
    elif confidence < review_below or not all(line.final_text for line in region.lines):
        state = "doubtful"
    return FieldValue(field.name, text, confidence, state, others, box, ids)


def _chosen(field: Field, region: Region, review_below: float) -> FieldValue:
    """The values whose boxes are marked; one alone, unless the field takes several."""
    marked = [_value(line) for line in region.lines if _is_marked(line)]
    confidence = min((1.0 if line.correction else line.confidence for line in region.lines), default=0.0)
    seen = bool(region.lines) and all(line.correction for line in region.lines)
    state: State = "read" if marked else "missing" if field.required else "empty"
    if seen:
        state = "corrected"
    elif any(not line.final_text for line in region.lines) or confidence < min(review_below, 0.7):
        state = "doubtful"
    if len(marked) > 1 and not field.several:
        state = "doubtful"
    others = tuple((line.final_text or "?", line.confidence) for line in region.lines)
    return FieldValue(field.name, BETWEEN_VALUES.join(marked), confidence, state, others)


def _is_marked(line: Line) -> bool:
    return line.final_text[:1] in (SIGNS["ticked"], SIGNS["crossed"])


def _value(line: Line) -> str:
    return line.final_text[1:].strip()


def csv_of(rows: Iterable[Row], form: Form, *, safe_cells: bool = False) -> bytes:
    """Write rows as CSV in UTF-8 with a byte order mark, which spreadsheets need: value and confidence of each field.

    ``safe_cells`` puts an apostrophe before cells that a spreadsheet would take for a formula.
    """
    names = [field.name for field in form.template.fields]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([*TABLE_COLUMNS, *names, REVIEW_COLUMN, *(f"{name} confidence" for name in names)])
    for row in rows:
        held = {value.name: value for value in row.fields}
        cells = [row.document, row.file, *(held[n].value if n in held else "" for n in names), "; ".join(row.to_review)]
        cells = [harmless(cell) for cell in cells] if safe_cells else cells
        confidences = [f"{held[n].confidence:.2f}" if n in held and held[n].value else "" for n in names]
        writer.writerow([*cells[:2], row.page, row.row or "", *cells[2:], *confidences])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8", "replace")


def table_names(form: Form) -> dict[str, str]:
    """Return the names of the files of a form's table, by ``csv`` and ``json``."""
    return {kind: f"fields-{form.template.name}.{kind}" for kind in ("csv", "json")}


def table_files(rows: Sequence[Row], form: Form, *, safe_cells: bool = False) -> dict[str, bytes]:
    """Return both files of a table by their names."""
    names = table_names(form)
    return {names["csv"]: csv_of(rows, form, safe_cells=safe_cells), names["json"]: json_of(rows, form)}


def json_of(rows: Iterable[Row], form: Form) -> bytes:
    """Write rows as JSON: of every field value, confidence, state, alternatives, box and the ids of its lines."""
    told = [
        {
            "document": row.document,
            "file": row.file,
            "page": row.page,
            "row": row.row or None,
            "refused": row.refused or None,
            "review": list(row.to_review),
            "fields": {
                value.name: {
                    "value": value.value,
                    "confidence": round(value.confidence, 4),
                    "state": value.state,
                    "alternatives": [list(other) for other in value.alternatives],
                    "box": list(value.box) if value.box else None,
                    "lines": list(value.line_ids),
                }
                for value in row.fields
            },
        }
        for row in rows
    ]
    whole = {"format": "carrel-fields/1", "form": form.identity, "rows": told}
    return json.dumps(whole, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"
