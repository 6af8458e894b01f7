"""Forms at the desk: doubtful values field by field, values that break their pattern, the table, the template edited."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from carrel.forms.template import load_form
from carrel.options import ReadOptions
from carrel_desk.desk.forms import chosen_form, own_template
from carrel_desk.store.pages import Store
from desk_at import At, change, scan
from desk_client import Told, drawn_pool, serving, wait_until
from form_pages import ENTRY, template


@pytest.fixture
def form(tmp_path: Path) -> Path:
    return template(tmp_path / "card.json")


@pytest.fixture
def at(tmp_path: Path, form: Path, tests_on_path: None) -> Generator[At]:
    """A desk that reads a form, which may be edited."""
    made = At(tmp_path / "desk", entry=ENTRY, form=form)

    async def use(edited: Path) -> None:
        readers = made.desk.service.readers
        readers.change(drawn_pool(made.folder / ".desk", entry=ENTRY, options=ReadOptions(form=edited)))

    made.desk.forms.use = use
    with serving(made.app, made.listening):
        made.enter()
        yield made


def cards(at: At, count: int) -> list[str]:
    for number in range(count):
        at.add(scan(), f"card{number}.tif")
    return at.read(count)


def value(at: At, page: str, field: str) -> Any:
    """The line of a field as a browser sees it."""
    lines = at.client.get(f"/api/pages/{page}").json["lines"]
    return next(line for line in lines if line.get("field", {}).get("name") == field)


def table(at: At) -> list[dict[str, str]]:
    told = at.client.get("/api/export?format=fields")
    assert told.headers["content-disposition"].endswith("fields-card.csv")
    return list(csv.DictReader(io.StringIO(told.body.decode("utf-8-sig"))))


def fields_of(at: At, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("name", "kind", "pattern", "required")
    known = [{key: field[key] for key in keys} for field in at.client.get("/api/form").json["fields"]]
    return [{**field, "to": field["name"], **changes.get(field["name"], {})} for field in known]


def edit(at: At, **changes: dict[str, Any]) -> Told:
    body = {"identity": at.client.get("/api/form").json["identity"], "fields": fields_of(at, **changes)}
    return at.client.post("/api/form", json.dumps(body), {"Content-Type": "application/json"})


def test_doubtful_values_come_field_by_field(at: At) -> None:
    first, second = cards(at, 2)
    told = at.client.get("/api/form").json
    assert (told["name"], told["editable"], at.state()["form"]) == ("card", True, "card")
    assert {field["name"]: field["left"] for field in told["fields"]} == {
        "name": 0, "born": 2, "number": 2, "parish": 2, "wed": 0,
    }  # fmt: skip
    queue = at.client.get("/api/queue?by=fields").json
    assert [(line["field"], line["page"]) for line in queue["lines"]] == [
        (field, page) for field in ("born", "number", "parish") for page in (first, second)
    ]
    assert queue["total"] == 6
    born = value(at, first, "born")
    assert (born["field"]["breaks"], born["field"]["pattern"].startswith("<D.M.Y>")) == (True, True)
    assert value(at, first, "wed")["alternatives"] == ["\u2610 yes", "\u2612 yes"]
    told = at.keep(
        change(first, 1, "30.2.1899", line=born["id"]), change(first, 2, "3.2.1899", "done", line=born["id"])
    ).json
    assert [kept["breaks"] for kept in told] == [True, False]
    assert at.client.get("/api/queue?by=fields").json["lines"][0] == {
        "page": second, "line": value(at, second, "born")["id"], "field": "born",
    }  # fmt: skip
    assert at.client.get("/api/form").json["fields"][1]["left"] == 1
    rows = table(at)
    assert [(row["document"], row["born"], row["number"], row["wed"]) for row in rows] == [
        ("card0", "3.2.1899", "12", "yes"), ("card1", "31.2.1899", "12", "yes"),
    ]  # fmt: skip
    assert "born" not in rows[0]["review"] and "born: breaks its pattern" in rows[1]["review"]
    with zipfile.ZipFile(io.BytesIO(at.client.get(f"/api/export?format=all&page={first}").body)) as packed:
        assert {"fields-card.csv", "fields-card.json", "card0.txt"} <= set(packed.namelist())


def test_a_template_is_edited_and_pages_read_anew(at: At, form: Path) -> None:
    before = form.read_bytes()
    touched, untouched = cards(at, 2)
    born = value(at, touched, "born")["id"]
    at.keep(change(touched, 1, "3.2.1899", "done", line=born))
    told = edit(at, born={"to": "name"}, number={"pattern": "(a"})
    assert told.status == 422
    for problem in ("$.fields[0].name: 'name' is there twice", "$.fields[2] ('number'): pattern '(a'", "is not closed"):
        assert problem in told.json["detail"]
    assert str(at.folder) not in told.json["detail"]
    assert not own_template(at.folder).exists()
    seen = at.client.get("/api/form").json["identity"]
    assert edit(at, born={"to": "birth"}, number={"pattern": "[0-9]{4}"}).status == 200
    assert form.read_bytes() == before
    assert (own_template(at.folder).parent / "names.txt").read_text() == "Ann Kolb\n"
    assert value(at, touched, "birth")["now"] == "3.2.1899"
    wait_until(lambda: value(at, untouched, "number")["text"] == "1234")  # read anew; nobody had touched it
    assert value(at, touched, "number")["text"] == "12"
    assert [(row["birth"], row["number"]) for row in table(at)] == [("3.2.1899", "12"), ("31.2.1899", "1234")]
    old = {"identity": seen, "fields": []}
    late = at.client.post("/api/form", json.dumps(old), {"Content-Type": "application/json"})
    assert (late.status, "another window" in late.json["detail"]) == (422, True)
    assert chosen_form(at.folder, form) == chosen_form(at.folder, None) == own_template(at.folder)
    other = template(form.with_name("other.json"))
    other.write_text(other.read_text().replace('"card"', '"label"'))
    assert chosen_form(at.folder, other) == other
    again = Store(at.folder, "tester", load_form(own_template(at.folder)))
    assert again.corrected(touched).lines[5].final_text == "3.2.1899"
    again.journal.close()


def test_without_a_form_and_where_it_is_not_to_be_edited(tmp_path: Path, at: At) -> None:
    cards(at, 1)
    at.desk.forms.use = None
    assert at.client.get("/api/form").json["editable"] is False
    assert (edit(at).status, "not to be edited" in edit(at).json["detail"]) == (422, True)
    at.store.form = None
    assert (at.client.get("/api/form").json, at.state()["form"], "fields" in at.state()["formats"]) == (
        None,
        None,
        False,
    )
    assert at.client.get("/api/export?format=fields").status == 422
    assert at.client.get("/api/queue?by=fields").json["lines"] == []
    assert chosen_form(tmp_path, None) is None


def test_values_by_keyboard_and_the_template_in_a_browser(at: At) -> None:
    pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
    from desk_browser import CHROMIUM, Window, chromium

    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    _, second = cards(at, 2)
    with chromium() as browser:
        window = Window(browser, at)
        page = window.page
        wait_until(window.text)

        def shown(name: str, text: str, *, breaks: bool) -> bool:
            note = "Does not fit" in page.inner_text("#field-note")
            return page.inner_text("#line-name").startswith(name) and window.text() == text and note == breaks

        page.click("#fields")
        page.get_by_role("button", name="Review 2 values of born").click()
        wait_until(lambda: shown("born of card0: date", "31.2.1899", breaks=True))
        window.type_line("3.2.1899")
        wait_until(lambda: shown("born of card0: date", "3.2.1899", breaks=False))
        page.keyboard.press("Enter")
        wait_until(lambda: shown("born of card1: date", "31.2.1899", breaks=True))
        page.keyboard.press("Enter")  # as it stands, whatever the pattern says
        wait_until(lambda: shown("number of card0: number", "12", breaks=False))
        page.click("#fields")
        page.get_by_label("Name of the field number").fill("entry")
        pattern = page.get_by_label("What the field number may hold")
        pattern.fill("(a")
        page.click("#form-save")
        wait_until(lambda: "is not closed" in page.inner_text("#form-state"))
        pattern.fill("<1-99>")
        page.click("#form-save")
        wait_until(lambda: "Saved" in page.inner_text("#form-state"))
        page.click("#form-close")
        wait_until(lambda: page.inner_text("#line-name").startswith("entry of card0"))
        assert [row["born"] for row in table(at)] == ["3.2.1899", "31.2.1899"]
        assert value(at, second, "entry")["field"]["pattern"] == "<1-99>"
        assert window.errors == []
        window.context.close()
