"""Templates damaged at random: they are refused in one line that names every place, or they hold together; nothing else happens."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.errors import InputError
from carrel.forms.template import load_form

GOOD: dict[str, Any] = {
    "format": "carrel-form/1",
    "name": "card",
    "width_px": 800,
    "height_px": 600,
    "rows": [[100, 150], [150, 200]],
    "labels": [{"text": "Name", "box": [1, 1, 50, 20]}],
    "rulings": [[0, 0, 100, 0]],
    "fields": [
        {"name": "born", "kind": "date", "box": [100, 100, 300, 150]},
        {"name": "no", "kind": "number", "box": [100, 200, 300, 250], "pattern": "<1-999>", "required": True},
        {"name": "sex", "kind": "choice", "options": [
            {"value": "m", "box": [100, 300, 130, 330]}, {"value": "f", "box": [200, 300, 230, 330]},
        ]},
        {"name": "code", "kind": "boxes", "box": [1, 1, 99, 9], "cells": 4},
        {"name": "place", "box": [1, 1, 9, 9], "lexicon": "places.txt", "lexicon_soft": True, "language": "de"},
        {"name": "folio", "box": [1, 1, 9, 9], "column": True},
    ],
}  # fmt: skip
ODD: list[Any] = [
    None, True, -1, 0, 2**63, 10**400, 1e308, 3.5, "", "x", "<", "<D.M>", "(((((", "(a{200}){200}", "<0-999999999999>",
    "<luhn 99>", "[z-a]", "\\", "..", "/etc/passwd", "\0", "é" * 300, "empty.txt", "binary.txt", [], {}, [[]], [1, 2],
    [1, 2, 3, 4], [9, 9, 1, 1], {"a": 1},
]  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a template."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, own in inner for found in places_in(own, (*path, key))]


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the template with another value in a place."""
    template = copy.deepcopy(GOOD)
    holder: Any = template
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return template


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "places.txt").write_text("Paris\nLyon\n")
    (folder / "empty.txt").write_text(" \n")
    (folder / "latin.txt").write_bytes("Köln\n".encode("latin-1"))
    (folder / "binary.txt").write_bytes(b"\xff\x00")
    return folder


def problems_of(folder: Path, template: dict[str, Any]) -> str:
    file = folder / "card.json"
    file.write_text(json.dumps(template))
    try:
        load_form(file)
    except InputError as error:
        return str(error)
    return ""


def test_the_template_holds_together(folder: Path) -> None:
    assert problems_of(folder, GOOD) == ""


def test_a_byte_order_mark_is_taken_as_editors_write_it(folder: Path) -> None:
    file = folder / "marked.json"
    file.write_text(json.dumps(GOOD), "utf-8-sig")
    assert load_form(file).template.name == "card"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(places_in(GOOD)), st.sampled_from(ODD))
def test_damage_is_refused_in_one_line_with_its_place(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    told = problems_of(folder, changed(path, value))
    assert "\n" not in told
    assert not told or (told.startswith(str(folder / "card.json")) and "$" in told), told


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("labels", 0, "box"), [9, 9, 1, 1], "$.labels[0] ('Name'): the box [9, 9, 1, 1] is empty"),
        (("rows", 1), [110, 160], "$.rows[1]: lies over $.rows[0]"),
        (("rows", 0), [700, 800], "$.rows[0]: lies outside the page, which is 600 px high"),
        (("fields", 4, "lexicon"), "empty.txt", "$.fields[4] ('place'): the lexicon 'empty.txt' is empty"),
        (
            ("fields", 0, "name"),
            "Page",
            "$.fields[0].name: 'Page' is a column that every table has; choose another name",
        ),
        (("fields", 0, "name"), "review", "$.fields[0].name: 'review' is a column that every table has"),
        (("fields", 4, "lexicon"), "latin.txt", "$.fields[4] ('place'): the lexicon 'latin.txt' is not UTF-8"),
        (("fields", 4, "lexicon"), "a\0b", "$.fields[4] ('place'): the lexicon 'a\\x00b' is no name of a file"),
        (("fields", 4, "lexicon"), "", "$.fields[4] ('place'): lexicon_soft is there without a lexicon"),
        (("fields", 4, "language"), "<", "$.fields[4] ('place'): '<' is no name of a language"),
        (("fields", 1, "pattern"), "a\0", "$.fields[1] ('no'): its pattern holds a control character"),
        (("fields", 2, "options", 0, "value"), "a|b", "$.fields[2] ('sex'): the value of an option holds '|'"),
        (
            ("fields", 2, "options", 0, "value"),
            "a\nb",
            "$.fields[2] ('sex'): the value of an option holds '|' or a control",
        ),
    ],
)
def test_what_would_be_read_wrongly_is_named(path: tuple[Any, ...], value: Any, problem: str, folder: Path) -> None:
    assert problem in problems_of(folder, changed(path, value))
