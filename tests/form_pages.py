"""A page function for tests of forms at the desk: the fields of the template that it was given, each with a value of its kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.forms.fields import Field
from carrel.forms.template import Form, load_form
from carrel.forms.zones import zone_of
from carrel.image.source import Scan
from carrel.page import Line, Page, Region, Writing
from carrel.workers.messages import Work
from desk_pages import Drawn, drawn_page

ENTRY = "form_pages:open_pages"
VALUES = {"text": ("Ann Kolb", 0.95), "date": ("31.2.1899", 0.9), "number": ("12", 0.5), "choice": ("\u2611 yes", 0.95)}
"""What stands in a field of each kind: a date that there is not, a number that is doubtful."""


def template(file: Path, **changes: dict[str, Any]) -> Path:
    """Write a template of five fields, some of them with ``changes``, by name."""
    fields: list[dict[str, Any]] = [
        {"name": "name", "kind": "text", "box": [1, 1, 30, 9], "lexicon": "names.txt", "lexicon_soft": True},
        {"name": "born", "kind": "date", "box": [1, 10, 30, 19]},
        {"name": "number", "kind": "number", "box": [1, 20, 30, 29]},
        {"name": "parish", "kind": "text", "box": [1, 30, 30, 39], "required": True},
        {"name": "wed", "kind": "choice", "options": [{"value": "yes", "box": [40, 30, 45, 35]}]},
    ]
    (file.parent / "names.txt").write_text("Ann Kolb\n")
    told = [{**field, **changes.get(field["name"], {})} for field in fields]
    whole = {"format": "carrel-form/1", "name": "card", "width_px": 64, "height_px": 50, "fields": told}
    file.write_text(json.dumps(whole))
    return file


class FormPages(Drawn):
    """A reader of the fields of one form."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def page(self, scan: Scan) -> Page:
        page = drawn_page(scan)
        regions = tuple(_region(field, number) for number, field in enumerate(self.form.template.fields))
        provenance = replace(page.provenance, form=self.form.identity)
        return replace(page, regions=(*page.regions, *regions), provenance=provenance)


def _region(field: Field, number: int) -> Region:
    """A field of its own place; the parish is empty, and a number with another pattern reads otherwise."""
    left, top, right, bottom = 1, 1 + 9 * number, 40, 9 + 9 * number
    outline = ((left, top), (right, top), (right, bottom), (left, bottom))
    text, confidence = VALUES[field.kind] if not field.required else ("", 0.0)
    text = "1234" if field.kind == "number" and field.pattern else text
    line = Line(((left, bottom - 1), (right, bottom - 1)), outline, Writing("handwritten", 0.9), text, confidence)
    return Region(zone_of(field.name, None), outline, (line,), f"f{number}")


def open_pages(work: Work) -> FormPages:
    """Return the page function."""
    assert work.options.form is not None
    return FormPages(load_form(work.options.form))
