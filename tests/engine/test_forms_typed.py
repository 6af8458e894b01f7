"""A printed form from the scan to the table: signs, commas, check digits, days that there are, lexicons hard and soft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageFont

from carrel.forms.table import FieldValue, rows_of
from carrel.forms.template import load_form
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.page import Source
from carrel.reader import Reader
from carrel_bench.accuracy.drawn_forms import PRINT, SCRIPTS, Sheet

pytestmark = pytest.mark.skipif(not all(Path(face).exists() for face in SCRIPTS), reason="the faces are not installed")
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "balance": ("Balance carried", "-1204,50", {"kind": "number", "pattern": r"-?\d{1,6},\d{2}"}),
    "account": ("Account number", "79927398713", {"kind": "number", "pattern": "<luhn 11>"}),
    "wrong": ("Account again", "79927398714", {"kind": "number", "pattern": "<luhn 11>"}),
    "leap": ("Leap day", "29.2.1904", {"kind": "date"}),
    "no_leap": ("No leap day", "29.2.1903", {"kind": "date"}),
    "last": ("Last day", "30/11/1899", {"kind": "date"}),
    "town": ("Town of birth", "Leipzig", {"lexicon": "places.txt"}),
    "other": ("Town of baptism", "Lyons", {"lexicon": "places.txt"}),
    "soft": ("Town of death", "Hartlepool", {"lexicon": "places.txt", "lexicon_soft": True}),
    "species": ("Species", "Quercus robur", {}),
    "empty": ("Nothing here", "", {"required": True}),
}


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FieldValue]:
    folder = tmp_path_factory.mktemp("typed")
    (folder / "places.txt").write_text("Leipzig\nLyon\nDijon\n", "utf-8")
    sheet = Sheet(1100, 150 + 80 * len(CASES), np.random.default_rng(0), None)
    sheet.label(60, 70, "Ledger of the northern warehouse company", 30)
    for k, (name, (label, text, more)) in enumerate(CASES.items()):
        base = 150 + 80 * k
        sheet.label(60, base, label)
        sheet.rule(480, base + 12, 1020, base + 12)
        sheet.draw.text((500, base), text, font=ImageFont.truetype(str(PRINT), 30), fill=30, anchor="ls")
        sheet.fields.append({"name": name, "box": [480, base - 50, 1020, base + 20], **more})
    drawn = sheet.done("typed")
    (folder / "typed.json").write_text(json.dumps(drawn.template), "utf-8")
    options = ReadOptions(languages=("eng",), form=folder / "typed.json")
    with Reader(options) as reader:
        page = reader.read_scan(Scan(drawn.gray, None, Source("typed.png")))
    (row,) = rows_of("typed", page, load_form(folder / "typed.json"), 0.8)
    return {value.name: value for value in row.fields}


@pytest.mark.parametrize("name", ["balance", "account", "leap", "last", "town", "species"])
def test_what_is_allowed_is_read(name: str, fields: dict[str, FieldValue]) -> None:
    assert (fields[name].value, fields[name].state) == (CASES[name][1], "read")


@pytest.mark.parametrize("name", ["wrong", "no_leap", "other", "soft"])
def test_what_its_constraint_does_not_know_goes_to_review(name: str, fields: dict[str, FieldValue]) -> None:
    """The value is another that is allowed, or outside a soft lexicon as it stands."""
    assert fields[name].state == "doubtful"
    assert (fields[name].value == CASES[name][1]) == (name == "soft")


def test_a_required_field_that_is_empty_is_missing(fields: dict[str, FieldValue]) -> None:
    assert (fields["empty"].value, fields["empty"].state) == ("", "missing")
