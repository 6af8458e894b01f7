"""The bench of forms: drawn forms are judged, and a wrong value without a mark counts as such."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from carrel_bench.accuracy import forms
from carrel_bench.accuracy.drawn_forms import LAYOUTS, SCRIPTS, drawn_form, worn


def test_shares_count_wrong_fields_without_a_mark() -> None:
    fields = [
        forms.JudgedField("date", True, False),
        forms.JudgedField("date", False, True),
        forms.JudgedField("date", False, False),
    ]
    shares = forms.shares_of([*fields, forms.JudgedField("date", True, True)])
    assert shares == {"share of fields right": 0.5, "share marked": 0.5, "share unmarked wrong": 0.25, "fields": 4}


@pytest.mark.skipif(not all(Path(face).exists() for face in SCRIPTS), reason="the script faces are not installed")
def test_forms_are_drawn_with_their_values_inside_their_boxes() -> None:
    for layout in LAYOUTS:
        form = drawn_form(layout, np.random.default_rng(0))
        again = drawn_form(layout, np.random.default_rng(0))
        assert (form.gray == again.gray).all() and form.values == again.values
        names = {field["name"] for field in form.template["fields"]}
        assert {name for name, _ in form.values} <= names
        gray, change = worn(form.gray, np.random.default_rng(1))
        assert gray.dtype == np.uint8 and change.shape == (3, 3)


def test_numbers_are_measured_without_material(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LAYOUTS", ("sheet",))
    options = argparse.Namespace(data=None, quick=True, split="test", count=1)
    found = {(f.suite, f.program, f.name): f.value for f in forms.measure(options)}
    assert found["drawn", "pattern, lexicon, glyphs", "share of pages that fit"] == 1.0
    assert found["drawn", "pattern, lexicon, glyphs", "fields"] >= 6
    assert not any(suite == "numbers" for suite, _, _ in found)
