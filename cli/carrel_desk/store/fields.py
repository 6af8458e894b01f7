"""Values of a form's fields among the lines of a page: whose value a line is, and whether somebody should look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from carrel.forms.fields import Field
from carrel.forms.table import NEEDS_REVIEW, value_of
from carrel.forms.template import DEFAULT_PATTERNS, Form
from carrel.forms.ticks import SIGNS
from carrel.forms.zones import field_of, zone_of
from carrel.options import REVIEW_BELOW
from carrel.page import Page, Region


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A line that holds the value of a field, or part of it; ``row`` is that of the form's table, from 1, 0 outside it."""

    field: Field
    row: int
    doubtful: bool


def lines_of_fields(page: Page, form: Form | None) -> dict[str, FieldLine]:
    """Return the lines of a page that hold values of the form's fields, by id."""
    if form is None:
        return {}
    fields = {field.name: field for field in form.template.fields}
    found: dict[str, FieldLine] = {}
    for region in page.regions:
        name, row = field_of(region.kind) or ("", None)
        if name in fields:
            doubtful = _doubtful_lines(fields[name], region, form)
            found |= {line.id: FieldLine(fields[name], row or 0, line.id in doubtful) for line in region.lines}
    return found


def _doubtful_lines(field: Field, region: Region, form: Form) -> set[str]:
    """Lines that somebody should look at: the least confident ones, where the field as a whole needs it."""
    if value_of(field, region, form, REVIEW_BELOW).state not in NEEDS_REVIEW:
        return set()
    unsure = {line.id for line in region.lines if not line.text or line.confidence < REVIEW_BELOW}
    return unsure or {line.id for line in region.lines[:1]}


def breaks_pattern(form: Form | None, field: Field, text: str) -> bool:
    """Tell whether a field may not hold such a text."""
    constraint = form.constraints.get(field.name) if form is not None else None
    return bool(text) and constraint is not None and not constraint.penalty and not constraint.accepts(text)


def told_pattern(field: Field) -> str:
    """Return what a field may hold, as its template says it."""
    return field.pattern or ("" if field.lexicon else DEFAULT_PATTERNS.get(field.kind, "")) or field.lexicon


def other_marks(field: Field, text: str) -> list[str]:
    """Return what the line of a choice may say beside ``text``: ticked, crossed, empty, each with its value."""
    if field.kind != "choice":
        return []
    value = text[1:].strip() if text[:1] in SIGNS.values() else text
    return [made for sign in SIGNS.values() if sign and (made := f"{sign} {value}".strip()) != text]


def with_names(page: Page, names: Mapping[str, str]) -> Page:
    """Return a page whose fields have other names."""

    def renamed(region: Region) -> Region:
        name, row = field_of(region.kind) or ("", None)
        return replace(region, kind=zone_of(names[name], row)) if name in names else region

    return replace(page, regions=tuple(renamed(region) for region in page.regions))
