"""Forms: templates that are wrong, registration of worn pages and its refusals, ticks, and the table of fields."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from carrel.errors import InputError
from carrel.forms.fields import Template
from carrel.forms.places import Places, without_frame
from carrel.forms.registration.maps import mapped
from carrel.forms.registration.register import register
from carrel.forms.table import csv_of, json_of, rows_of
from carrel.forms.template import Form, load_form
from carrel.forms.ticks import marks_of
from carrel.forms.values import of_the_whole
from carrel.page import Box, Correction, Line, Page, Provenance, Region, Source, Word, Writing
from carrel_bench.accuracy.drawn_forms import LAYOUTS, PLACES, DrawnForm, drawn_form, worn

GOOD: dict[str, Any] = {
    "format": "carrel-form/1",
    "name": "card",
    "width_px": 800,
    "height_px": 600,
    "fields": [
        {"name": "born", "kind": "date", "box": [100, 100, 300, 150]},
        {"name": "no", "kind": "number", "box": [100, 200, 300, 250], "pattern": "<1-999>", "required": True},
        {"name": "sex", "kind": "choice", "options": [
            {"value": "m", "box": [100, 300, 130, 330]}, {"value": "f", "box": [200, 300, 230, 330]},
        ]},
    ],
}  # fmt: skip


def load(folder: Path, template: object) -> Form:
    file = folder / "card.form.json"
    file.write_text(json.dumps(template))
    return load_form(file)


def test_a_good_template_is_taken_with_the_patterns_of_its_kinds(tmp_path: Path) -> None:
    form = load(tmp_path, GOOD)
    assert form.constraints["born"].accepts("29.2.1904")
    assert not form.constraints["born"].accepts("29.2.1903")
    assert not form.constraints["no"].accepts("1000")
    assert "sex" not in form.constraints
    assert form.identity.startswith("card@")


def test_a_lexicon_lies_beside_the_template_and_belongs_to_its_identity(tmp_path: Path) -> None:
    (tmp_path / "places.txt").write_text("Paris\n Lyon \n\n", "utf-8")
    template = {**GOOD, "fields": [{"name": "place", "box": [1, 1, 9, 9], "lexicon": "places.txt"}]}
    form = load(tmp_path, template)
    assert form.constraints["place"].accepts("Lyon")
    assert not form.constraints["place"].accepts("Nantes")
    (tmp_path / "places.txt").write_text("Paris\nNantes\n", "utf-8")
    assert load(tmp_path, template).identity != form.identity


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"fields": [{"name": "a", "box": [1, 1, 9, 9], "kind": "word"}]}, ["$.fields[0].kind: Invalid"]),
        ({"fields": [{"name": "a", "box": [1, 1, 9, 9], "patern": ""}]}, ["$.fields[0]: ", "patern"]),
        ({"format": "carrel-form/9"}, ["$.format"]),
        ({"fields": []}, ["$.fields"]),
        (
            {
                "name": "a card",
                "fields": [
                    {"name": "1st", "box": [9, 1, 1, 9]},
                    {"name": "x", "box": [900, 1, 990, 9], "pattern": "(a"},
                    {"name": "X"},
                    {"name": "t", "kind": "choice"},
                    {"name": "u", "kind": "boxes", "box": [1, 1, 9, 9]},
                    {"name": "v", "box": [1, 1, 9, 9], "column": True, "lexicon": "none.txt"},
                    {"name": "w", "box": [1, 1, 9, 9], "lexicon": "../none.txt"},
                    {"name": "y", "box": [1, 1, 9, 9], "cells": 3, "several": True},
                ],
            },
            [
                "$.name: 'a card' is no name",
                "$.fields[0].name: '1st' is no name",
                "$.fields[0] ('1st'): the box [9, 1, 1, 9] is empty",
                "$.fields[1].name: 'x' is there twice",
                "$.fields[1] ('x'): the box [900, 1, 990, 9] lies outside the page of 800 x 600 px",
                "$.fields[1] ('x'): pattern '(a', character 3: '(' is not closed",
                "$.fields[2] ('X'): has no box",
                "$.fields[3] ('t'): a choice needs options",
                "$.fields[4] ('u'): letters in boxes need boxes",
                "$.fields[5] ('v'): is a column, but the template has no rows",
                "none.txt: cannot be read",
                "$.fields[6] ('w'): the lexicon '../none.txt' is no name of a file beside the template",
                "$.fields[7] ('y'): options and several are for choices",
                "$.fields[7] ('y'): boxes and cells are for letters in boxes",
            ],
        ),
    ],
)
def test_every_problem_of_a_template_is_named_with_its_place(
    change: dict[str, Any], problems: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as raised:
        load(tmp_path, {**GOOD, **change})
    assert all(problem in str(raised.value) for problem in problems), str(raised.value)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000])
def test_what_is_no_template_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match="no template of a form") as raised:
        load_form(file)
    assert "\n" not in str(raised.value)


def test_a_template_of_two_pages_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\$\.pages: a template is of one page; make one of each page"):
        load(tmp_path, {**GOOD, "pages": [GOOD, GOOD]})


def page_of(form: DrawnForm, change: np.ndarray[Any, Any], shape: tuple[int, ...], rng: np.random.Generator) -> Page:
    """A page whose printed words stand where the template's are on the scan, a few px off, some of them misread."""
    lines: list[Line] = []
    for label in form.template["labels"]:
        left, top, right, bottom = label["box"]
        corners = mapped(change, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64))
        corners = corners + rng.normal(0, 1.5, 2)
        low, high = corners.min(axis=0).astype(int).tolist(), corners.max(axis=0).astype(int).tolist()
        text = label["text"] if rng.random() < 0.8 else "xx"
        box = Box(*low, *high)
        polygon = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
        word = Word(text, box, 0.9)
        lines.append(Line((polygon[3], polygon[2]), polygon, Writing("printed", 1.0), text, 0.9, (word,)))
    provenance = Provenance("test", skew_degrees=0.0)
    return Page(
        shape[1], shape[0], None, (Region("MainZone", lines[0].polygon, tuple(lines)),), Source("x"), provenance
    )


def template_of(form: DrawnForm) -> Template:
    import msgspec

    return msgspec.convert(form.template, Template)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(4))
def test_worn_pages_are_registered(layout: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = drawn_form(layout, rng)
    gray, change = worn(form.gray, rng, missing_corner=seed % 2 == 0)
    template = template_of(form)
    fit = register(template, gray, page_of(form, change, gray.shape, rng))
    assert fit.matrix is not None, fit.reason
    h, w = form.gray.shape
    corners = [(0.1 * w, 0.2 * h), (0.9 * w, 0.2 * h), (0.9 * w, 0.75 * h), (0.1 * w, 0.75 * h)]
    error = np.hypot(*(fit.points(corners) - mapped(change, np.array(corners))).T).max()
    assert error < 0.007 * max(gray.shape), (error, fit)


@pytest.mark.parametrize("seed", range(3))
def test_rulings_alone_register_a_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = drawn_form("register", rng)
    gray, change = worn(form.gray, rng)
    template = replace_labels(template_of(form))
    page = replace(page_of(form, change, gray.shape, rng), regions=())
    page = replace(page, provenance=Provenance("test", skew_degrees=skew_of(change)))
    fit = register(template, gray, page)
    assert fit.matrix is not None, fit.reason
    corners = np.array([(100.0, 200.0), (1400.0, 1000.0)])
    assert np.hypot(*(mapped(fit.matrix, corners) - mapped(change, corners)).T).max() < 6


def replace_labels(template: Template) -> Template:
    import msgspec

    return msgspec.structs.replace(template, labels=())


def skew_of(change: np.ndarray[Any, Any]) -> float:
    a, b = mapped(change, np.array([[100.0, 500.0], [1100.0, 500.0]]))
    return float(np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0])))


@pytest.mark.parametrize(("own", "other"), [(a, b) for a in LAYOUTS for b in LAYOUTS if a != b])
def test_a_page_of_another_form_is_refused_with_a_reason(own: str, other: str) -> None:
    rng = np.random.default_rng(5)
    form = drawn_form(other, rng)
    gray, change = worn(form.gray, rng)
    template = template_of(drawn_form(own, rng))
    page = page_of(form, change, gray.shape, rng)
    for asked in (template, replace_labels(template)):
        fit = register(asked, gray, page)
        assert fit.matrix is None
        assert fit.reason


def test_an_empty_page_is_refused() -> None:
    form = drawn_form("card", np.random.default_rng(0))
    blank = Page(600, 400, None, (), Source("x"))
    assert register(template_of(form), np.full((400, 600), 255, np.uint8), blank).matrix is None


@pytest.mark.parametrize("seed", range(4))
def test_boxes_are_empty_marked_or_doubtful(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def box(kind: str) -> np.ndarray[Any, Any]:
        gray = np.full((60, 60), 230, np.uint8)
        cv2.rectangle(gray, (2, 2), (57, 57), (60,), 2)
        if kind == "cross":
            cv2.line(gray, (10, 12), (48, 50), (40,), 3)
            cv2.line(gray, (50, 10), (12, 48), (40,), 3)
        if kind == "dot":
            cv2.circle(gray, (30, 30), 6, (60,), -1)
        if kind == "full":
            gray[8:52, 8:52] = 30
        gray = np.roll(gray, rng.integers(-2, 3, 2), axis=(0, 1))
        return np.clip(gray + rng.normal(0, 6, gray.shape), 0, 255).astype(np.uint8)

    kinds = ["none", "cross", "none", "dot", "full", "none"]
    states = [mark.state for mark in marks_of([box(kind) for kind in kinds], None)]
    assert states == ["empty", "ticked", "empty", "doubtful", "doubtful", "empty"]


def line(text: str, confidence: float, line_id: str = "", correction: Correction | None = None) -> Line:
    outline = ((0, 0), (9, 0), (9, 9), (0, 9))
    return Line(
        ((0, 9), (9, 9)), outline, Writing("handwritten", 1.0), text, confidence, id=line_id, correction=correction
    )


def form_page(fields: dict[str, tuple[Line, ...]], told: str = "card@123456789012") -> Page:
    outline = ((0, 0), (9, 0), (9, 9), (0, 9))
    regions = tuple(Region(f"CustomZone:{kind}", outline, lines) for kind, lines in fields.items())
    return Page(100, 100, None, regions, Source("a.png"), Provenance("test", form=told))


def test_nothing_that_breaks_its_pattern_is_without_a_mark(tmp_path: Path) -> None:
    form = load(tmp_path, GOOD)
    page = form_page(
        {"born": (line("31.2.1900", 0.99),), "no": (line("17", 0.95),), "sex": (line("☑ m", 0.9), line("☐ f", 1.0))}
    )
    (row,) = rows_of("a", page, form, 0.8)
    assert row.to_review == ("born: breaks its pattern",)
    assert [value.value for value in row.fields] == ["31.2.1900", "17", "m"]
    told = csv_of([row], form).decode("utf-8-sig").splitlines()
    assert told[1] == "a,a.png,1,,31.2.1900,17,m,born: breaks its pattern,0.99,0.95,0.90"


def test_doubtful_missing_corrected_and_absent(tmp_path: Path) -> None:
    form = load(tmp_path, GOOD)
    now = Correction("1.2.1900", "me", "2026-01-01T00:00:00Z", "corrected")
    page = form_page({"born": (line("7.2.1900", 0.3, correction=now),), "no": (line("", 0.0),)})
    (row,) = rows_of("a", page, form, 0.8)
    assert [(v.value, v.state) for v in row.fields] == [("1.2.1900", "corrected"), ("", "missing"), ("", "absent")]
    both = form_page({"born": (), "no": (line("5", 0.5),), "sex": (line("☑ m", 0.9), line("☒ f", 0.9))})
    (row,) = rows_of("a", both, form, 0.8)
    assert [(v.value, v.state) for v in row.fields] == [("", "empty"), ("5", "doubtful"), ("m|f", "doubtful")]
    loaded = json.loads(json_of([row], form))
    assert loaded["rows"][0]["fields"]["sex"]["state"] == "doubtful"


def test_a_page_that_does_not_fit_is_one_row_with_the_reason(tmp_path: Path) -> None:
    form = load(tmp_path, GOOD)
    (row,) = rows_of("a", form_page({}, "card@1: does not fit: 1 of its 9 words"), form, 0.8)
    assert row.to_review == ("the page does not fit the form: 1 of its 9 words",)
    assert csv_of([row], form).count(b"\r\n") == 2


def test_rows_of_a_table_do_not_mix_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    template = {
        **GOOD,
        "rows": [[100, 150], [150, 200], [200, 250]],
        "fields": [
            {"name": "no", "kind": "number", "box": [0, 100, 50, 150], "column": True},
            {"name": "name", "box": [50, 100, 150, 150], "column": True},
            {"name": "year", "kind": "number", "box": [0, 0, 50, 50]},
        ],
    }
    form = load(tmp_path, template)
    page = form_page(
        {"year": (line("1900", 0.9),), "no#1": (line("1", 0.9),), "name#1": (), "no#2": (), "name#2": (),
         "no#3": (line("3", 0.9),), "name#3": (line("C", 0.9),)}
    )  # fmt: skip
    rows = list(rows_of("a", page, form, 0.8))
    assert [(r.row, [v.value for v in r.fields]) for r in rows] == [(1, ["1", "", "1900"]), (3, ["3", "C", "1900"])]


def test_lines_belong_to_the_box_that_they_stand_in(tmp_path: Path) -> None:
    """Also where one line runs through two boxes, or a label stands before the value."""
    gray = np.full((200, 600), 255, np.uint8)
    one = ((10, 60), (590, 60)), ((10, 30), (590, 30), (590, 75), (10, 75))
    across = Line(one[0], one[1], Writing("handwritten", 1.0), "Label Paris 1900", 0.9)
    places = Places(np.eye(3), gray, [across])
    (first,) = places.strips((100, 20, 300, 80))
    assert (round(float(first.polygon[:, 0].min())), round(float(first.polygon[:, 0].max()))) == (100, 300)
    assert not first.whole
    assert places.strips((100, 100, 300, 180)) == []
    assert places.strips((5, 20, 95, 80), labels=[(0, 25, 100, 78)]) == []
    (whole,) = places.strips((0, 20, 600, 80))
    assert whole.whole


def test_ink_without_a_line_is_found_and_frames_are_not() -> None:
    gray = np.full((200, 600), 240, np.uint8)
    cv2.rectangle(gray, (100, 20), (300, 80), (40,), 2)
    places = Places(np.eye(3), gray, [])
    assert places.strips((100, 20, 300, 80)) == []
    cv2.putText(gray, "17", (130, 65), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (40,), 2)
    (strip,) = Places(np.eye(3), gray, []).strips((100, 20, 300, 80))
    assert strip.line is None
    assert 100 < strip.polygon[:, 0].min() < 135
    assert len(PLACES) == 10


def test_a_digit_in_a_wide_box_is_writing_and_a_speck_is_none() -> None:
    """However wide the box is: it is told by the height."""
    gray = np.full((90, 760), 235, np.uint8)
    cv2.circle(gray, (400, 40), 3, (60,), -1)
    for x in range(100, 700, 12):
        gray[70:72, x : x + 3] = 60  # a leader of dots
    assert Places(np.eye(3), gray, []).strips((0, 0, 760, 90)) == []
    cv2.line(gray, (52, 30), (47, 62), (60,), 2)  # a 1
    (strip,) = Places(np.eye(3), gray, []).strips((0, 0, 760, 90))
    assert strip.polygon[:, 0].min() < 47 < strip.polygon[:, 0].max()


def test_confidence_of_a_free_text_is_that_of_the_whole() -> None:
    """A character is right more often than all of them are."""
    assert of_the_whole("Louis Clara", 0.93) < 0.6
    assert of_the_whole("Louis Clara", 0.99) > 0.8
    rising = [of_the_whole("Louis", confidence) for confidence in (0.0, 0.5, 0.9, 0.99, 1.0)]
    assert rising == sorted(rising) and rising[0] < 0.2 and rising[-1] == 1.0
    assert of_the_whole("", 0.0) == 0.0


def test_the_foot_of_a_digit_is_no_ruling_but_a_frame_is() -> None:
    ink = np.zeros((90, 60), np.uint8)
    ink[60:64, 12:48] = ink[30:60, 30:34] = 1
    assert (without_frame(ink) == ink).all()
    framed = ink.copy()
    framed[2:5, :] = framed[:, 57:] = 1
    assert without_frame(framed)[62].sum() == 36
    assert without_frame(framed)[:6].sum() == 0
