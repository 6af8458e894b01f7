"""Forms from the command line: a template proposed, pages read by it one by one and in a batch, corrections in the table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from carrel.formats import read_page
from carrel_bench.accuracy.drawn_forms import PLACES, SCRIPTS, drawn_form, worn
from command_line import exit_code_of

pytestmark = pytest.mark.skipif(
    not all(Path(face).exists() for face in SCRIPTS), reason="the script faces are not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two worn cards and a page that is none, with the template of the cards and their true values."""
    folder = tmp_path_factory.mktemp("forms")
    (folder / "in").mkdir()
    (folder / "places.txt").write_text("\n".join(PLACES), "utf-8")
    true: dict[str, dict[str, str]] = {}
    for number in range(2):
        rng = np.random.default_rng(number)
        form = drawn_form("card", rng)
        cv2.imwrite(str(folder / "in" / f"card-{number}.png"), worn(form.gray, rng)[0])
        (folder / "card.json").write_text(json.dumps(form.template), "utf-8")
        true[f"card-{number}"] = {name: value for (name, _), value in form.values.items()}
    (folder / "true.json").write_text(json.dumps(true), "utf-8")
    other = drawn_form("sheet", np.random.default_rng(9))
    cv2.imwrite(str(folder / "in" / "other.png"), other.gray)
    return folder


def table(file: Path) -> dict[str, dict[str, str]]:
    return {row["document"]: row for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())}


def test_a_batch_reads_the_fields_of_every_page(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    arguments = (
        "batch",
        folder / "in",
        "-o",
        out,
        "--form",
        folder / "card.json",
        "-f",
        "json,alto,page",
        "--workers",
        "1",
    )
    assert exit_code_of(*arguments) == 0
    told = capfd.readouterr().err
    assert "3 rows of fields" in told and "1 page does not fit the form" in told
    rows, true = table(out / "fields-card.csv"), json.loads((folder / "true.json").read_text("utf-8"))
    assert set(rows) == {"card-0", "card-1", "other"}
    right = [rows[d][name] == value for d, values in true.items() for name, value in values.items()]
    assert sum(right) >= 0.75 * len(right), rows
    for document, values in true.items():
        for name, value in values.items():
            assert rows[document][name] == value or f"{name}: " in rows[document]["review"] or name == "name"
    assert "does not fit the form" in rows["other"]["review"]
    assert rows["other"]["name"] == ""
    told_json = json.loads((out / "fields-card.json").read_text("utf-8"))
    assert [row["document"] for row in told_json["rows"]] == ["card-0", "card-1", "other"]
    assert told_json["rows"][0]["fields"]["born"]["box"]
    for suffix in ("json", "alto.xml", "page.xml"):
        page = read_page(out / f"card-0.{suffix}")
        kinds = [region.kind for region in page.regions if region.kind.startswith("CustomZone:")]
        assert kinds == [f"CustomZone:{n}" for n in ("name", "place", "born", "number", "code", "status")]
    assert read_page(out / "card-0.json").provenance.form.startswith("card@")
    assert "does not fit" in read_page(out / "other.json").provenance.form


def test_corrections_come_into_the_table(folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = folder / "out"  # of the test before
    assert exit_code_of("review", out, "--fields", "--below", "1", "--worksheet", tmp_path / "sheet.txt") == 0
    lines = [ln for ln in (tmp_path / "sheet.txt").read_text("utf-8").splitlines() if ln and not ln.startswith("#")]
    document, _, line_id = lines[0].split("\t")[0].partition("#")
    rows = json.loads((out / "fields-card.json").read_text("utf-8"))["rows"]
    fields = next(row["fields"] for row in rows if row["document"] == document)
    name = next(name for name, field in fields.items() if line_id in field["lines"])
    changed = [f"{lines[0].rpartition(chr(9))[0]}\t1.1.1801", *lines[1:]]
    (tmp_path / "back.txt").write_text("\n".join(changed) + "\n", "utf-8")
    assert exit_code_of("review", out, "--corrected", tmp_path / "back.txt", "--by", "me") == 0
    assert exit_code_of("fields", out, "--form", folder / "card.json", "--images", folder / "in") == 0
    assert table(out / "fields-card.csv")[document][name] == "1.1.1801"
    assert (out / "fields-card" / "card-0.born.png").stat().st_size > 0
    (out / "fields-card.csv").write_text("mine", "utf-8")
    assert exit_code_of("fields", out, "--form", folder / "card.json") == 5
    assert (out / "fields-card.csv").read_text("utf-8") == "mine"


def test_read_prints_the_table(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("read", "--form", folder / "card.json", folder / "in" / "card-1.png") == 0
    printed = capfd.readouterr()
    rows = list(csv.DictReader(printed.out.lstrip("\ufeff").splitlines()))
    assert rows[0]["file"] == "card-1.png"
    assert "1 row of the form card" in printed.err


def test_a_template_is_proposed_that_pages_fit(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target, picture = tmp_path / "card.json", tmp_path / "card.png"
    assert exit_code_of("form", folder / "in" / "card-0.png", "-o", target, "--picture", picture) == 0
    template = json.loads(target.read_text("utf-8"))
    kinds = {field["name"]: field.get("kind", "text") for field in template["fields"]}
    assert kinds["date_of_birth"] == "date"
    assert kinds["number_of_entry"] == "number"
    assert kinds["member_number"] == "boxes"
    options = [o["value"] for f in template["fields"] if f.get("kind") == "choice" for o in f["options"]]
    assert [value[:5] for value in options] == ["singl", "marri", "widow"]
    assert cv2.imread(str(picture)) is not None
    assert exit_code_of("form", folder / "in" / "card-0.png", "-o", target) == 5
    assert "a template is of one page" not in capfd.readouterr().err
    capfd.readouterr()
    assert exit_code_of("read", "-q", "--form", target, folder / "in" / "card-1.png") == 0
    (row,) = csv.DictReader(capfd.readouterr().out.lstrip("\ufeff").splitlines())
    true = json.loads((folder / "true.json").read_text("utf-8"))["card-1"]
    assert row["member_number"] == true["code"]
    assert row["marital_status"][:5] == true["status"][:5]


def test_a_template_is_of_one_page_of_a_file(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    both = [Image.open(folder / "in" / name) for name in ("other.png", "card-0.png")]
    both[0].save(tmp_path / "two.tif", save_all=True, append_images=both[1:])
    assert exit_code_of("form", tmp_path / "two.tif", "--page", 2, "-o", tmp_path / "second.json") == 0
    assert "page 2 of 2; a template is of one page" in capfd.readouterr().err
    assert exit_code_of("read", "-q", "--form", tmp_path / "second.json", tmp_path / "two.tif") == 0
    first, second = csv.DictReader(capfd.readouterr().out.lstrip("\ufeff").splitlines())
    assert (first["page"], second["page"]) == ("1", "2")
    assert "does not fit" in first["review"] and "does not fit" not in second["review"]


def test_a_bad_template_is_refused_in_one_line(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text('{"format": "carrel-form/1", "name": "x"}', "utf-8")
    assert exit_code_of("read", "--form", tmp_path / "bad.json", folder / "in" / "card-1.png") == 3
    err = capfd.readouterr().err.strip()
    assert "bad.json: no template of a form: $" in err and "\n" not in err
    assert exit_code_of("read", "--form", tmp_path / "none.json", folder / "in" / "card-1.png") == 3
    assert "cannot be read" in capfd.readouterr().err
