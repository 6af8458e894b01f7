"""Problems of a template that its types do not tell, each with its place."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from carrel.forms.fields import BETWEEN_VALUES, REVIEW_COLUMN, TABLE_COLUMNS, BoxPx, Field, Template

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
LANGUAGE = re.compile(r"[A-Za-z][\w -]{1,99}")
MOST_ROW_OVERLAP = 0.5
"""Share of a row that may lie over the one above it: pages are not flat."""


def problems_of(template: Template) -> Iterator[str]:
    """Yield what is wrong with a template, each with its place, such as ``$.fields[3] ('born'): has no box``."""
    if not NAME.fullmatch(template.name):
        yield f"$.name: {template.name!r} is no name: a letter, then letters, digits, _ and -, 40 at most"
    counts = Counter(field.name.lower() for field in template.fields)
    yield from _problems_of_rows(template)
    for n, label in enumerate(template.labels):
        for problem in _problems_of_box(label.box, template):
            yield f"$.labels[{n}] ({label.text!r}): {problem}"
    for n, field in enumerate(template.fields):
        place = f"$.fields[{n}]"
        if not NAME.fullmatch(field.name):
            yield f"{place}.name: {field.name!r} is no name: a letter, then letters, digits, _ and -, 40 at most"
        elif counts[field.name.lower()] > 1:
            yield f"{place}.name: {field.name!r} is there twice"
        elif field.name.lower() in (*TABLE_COLUMNS, REVIEW_COLUMN):
            yield f"{place}.name: {field.name!r} is a column that every table has; choose another name"
        for problem in _problems_of_field(field, template):
            yield f"{place} ({field.name!r}): {problem}"


def _problems_of_rows(template: Template) -> Iterator[str]:
    whole = [(top, bottom, n) for n, (top, bottom) in enumerate(template.rows) if bottom > top]
    for n, (top, bottom) in enumerate(template.rows):
        if bottom <= top:
            yield f"$.rows[{n}]: its bottom {bottom:g} does not lie below its top {top:g}"
        elif bottom <= 0 or top >= template.height_px:
            yield f"$.rows[{n}]: lies outside the page, which is {template.height_px} px high"
    order = sorted(whole)
    for (_, end, above), (start, bottom, below) in pairwise(order):
        if end - start > MOST_ROW_OVERLAP * (bottom - start):
            yield f"$.rows[{below}]: lies over $.rows[{above}]; a line would be read twice"


def _problems_of_field(field: Field, template: Template) -> Iterator[str]:
    if field.kind == "choice":
        yield from _problems_of_choice(field)
    elif field.options or field.several:
        yield f"options and several are for choices, not for kind {field.kind!r}"
    if field.lexicon_soft and not field.lexicon:
        yield "lexicon_soft is there without a lexicon"
    if field.language and not LANGUAGE.fullmatch(field.language):
        yield f"{field.language!r} is no name of a language"
    if not _is_plain(field.pattern):
        yield "its pattern holds a control character"
    yield from _problems_of_cells(field)
    if field.kind not in ("boxes", "choice") and field.box is None:
        yield "has no box"
    if field.column and not template.rows:
        yield "is a column, but the template has no rows"
    boxes = [b for b in (field.box, *field.boxes, *(option.box for option in field.options)) if b is not None]
    for box in boxes:
        yield from _problems_of_box(box, template)


def _problems_of_choice(field: Field) -> Iterator[str]:
    if not field.options:
        yield "a choice needs options, each with value and box"
    if field.column:
        yield "a choice cannot be a column; name its boxes"
    if field.pattern or field.lexicon:
        yield "a choice has no pattern and no lexicon"
    if len({option.value for option in field.options}) < len(field.options):
        yield "two options have the same value"
    if any(BETWEEN_VALUES in o.value or not _is_plain(o.value) for o in field.options):
        yield f"the value of an option holds {BETWEEN_VALUES!r} or a control character"


def _problems_of_cells(field: Field) -> Iterator[str]:
    if field.kind == "boxes":
        if not field.boxes and not (field.box and field.cells):
            yield "letters in boxes need boxes, or a box and how many cells it has"
        if field.column and field.boxes:
            yield "boxes in a column are a box and its cells"
    elif field.boxes or field.cells:
        yield f"boxes and cells are for letters in boxes, not for kind {field.kind!r}"


def _problems_of_box(box: BoxPx, template: Template) -> Iterator[str]:
    left, top, right, bottom = box
    told = f"the box [{left:g}, {top:g}, {right:g}, {bottom:g}]"
    if right <= left or bottom <= top:
        yield f"{told} is empty: left, top, right, bottom are given in this order"
    elif right <= 0 or bottom <= 0 or left >= template.width_px or top >= template.height_px:
        yield f"{told} lies outside the page of {template.width_px} x {template.height_px} px"


def _is_plain(text: str) -> bool:
    return not any(unicodedata.category(c) == "Cc" for c in text)
