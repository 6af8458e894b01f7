"""Corrections of the page itself at the desk: kept before they are shown, in every export, taken back; errors that return."""

from __future__ import annotations

import json
from typing import Any

import pytest

from carrel.formats import read_page
from carrel_desk.store.journal import load
from carrel_desk.store.pages import Store
from carrel_desk.store.same import word_changes
from desk_at import At, change, scan
from desk_client import Told, wait_until

pytestmark = pytest.mark.usefixtures("tests_on_path")


def lay(at: At, page: str, base: int, operation: dict[str, Any] | None = None, **more: Any) -> Told:
    body = json.dumps({"base": base, "change": operation, **more})
    return at.client.post(f"/api/pages/{page}/layout", body, {"Content-Type": "application/json"})


def texts(view: Any) -> list[str]:
    return [line["now"] for line in view["lines"]]


def test_structure_is_kept_exported_taken_back_and_there_after_a_kill(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    stored = at.folder / "pages" / f"{page}.json"
    as_read = stored.read_bytes()
    at.keep(change(page, 1, "second line"))
    split = lay(at, page, 0, {"op": "split", "line": "r0l1", "at": 0.5}, versions={"r0l1": 1}).json
    assert texts(split) == ["first line", "second", "line", "", "faurth and last"]
    wait_until(lambda: _read_anew(at, page))
    assert [line["text"] for line in at.client.get(f"/api/pages/{page}").json["lines"]][1:3] == [
        "read desk1",
        "read desk1b",
    ]
    assert texts(at.client.get(f"/api/pages/{page}").json)[1:3] == ["second", "line"]  # the person's words stay
    assert lay(at, page, 1, {"op": "move", "line": "desk1b", "region": "r0", "place": 0}).status == 200
    assert lay(at, page, 2, {"op": "region_kind", "region": "r0", "kind": "MarginTextZone"}).status == 200
    last = lay(at, page, 3, {"op": "delete", "line": "r0l2"}).json
    assert texts(last) == ["line", "first line", "second", "faurth and last"]
    text = at.client.get(f"/api/export?format=text&page={page}").body.decode()
    assert text == "line\nfirst line\nsecond\nfaurth and last\n"
    for name in ("alto", "page", "hocr", "json"):
        out = read_page(at.client.get(f"/api/export?format={name}&page={page}").body)
        assert [line.final_text for line in out.lines] == text.split("\n")[:-1]
    assert read_page(at.client.get(f"/api/export?format=page&page={page}").body).regions[0].kind == "MarginTextZone"
    assert at.client.get(f"/api/export?format=pdf&page={page}").status == 200
    wait_until(lambda: len(read_page(stored).lines) == 4)
    again = Store(at.folder, "tester")  # as after a kill: nothing was closed
    assert [line.final_text for line in again.corrected(page).lines] == text.split("\n")[:-1]
    again.journal.close()
    back = last
    while back["step"]:
        told = lay(at, page, back["layout"], None, back=back["step"])
        assert told.status == 200
        back = told.json
    assert texts(back) == ["first line", "second line", "", "faurth and last"]
    at.keep(change(page, 2, "secund line"))
    wait_until(lambda: stored.read_bytes() == as_read)


def _read_anew(at: At, page: str) -> bool:
    return any(line["text"].startswith("read ") for line in at.client.get(f"/api/pages/{page}").json["lines"])


def test_a_line_that_was_missed_is_drawn_read_and_typed(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    made = lay(at, page, 0, {"op": "add", "baseline": [[2, 10], [20, 10]], "above_px": 6, "below_px": 2}).json
    (new,) = [line for line in made["lines"] if line["id"] == "desk1"]
    assert new["text"] == ""
    wait_until(lambda: _read_anew(at, page))
    at.keep(change(page, 1, "typed by hand", line="desk1"))
    assert "typed by hand" in at.client.get(f"/api/export?format=text&page={page}").body.decode()
    queue = {entry["line"] for entry in at.client.get("/api/queue").json["lines"]}
    assert "desk1" in queue


def test_two_windows_cannot_change_a_page_that_they_have_not_seen(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    assert lay(at, page, 0, {"op": "delete", "line": "r0l0"}).status == 200
    late = lay(at, page, 0, {"op": "delete", "line": "r0l1"})
    assert (late.status, "another window" in late.json["detail"]) == (409, True)
    at.keep(change(page, 1, "typed meanwhile"))
    assert lay(at, page, 1, {"op": "delete", "line": "r0l1"}, versions={"r0l1": 0}).status == 409
    assert lay(at, page, 1, {"op": "delete", "line": "r0l1"}, versions={"r0l1": 1}).status == 200
    assert lay(at, page, 2, None, back=1).status == 409
    # what somebody typed into a line that went meanwhile is kept, and comes back with it
    assert at.keep(change(page, 2, "typed too late", base=1)).status == 200
    assert "typed too late" in texts(lay(at, page, 2, None, back=2).json)


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "delete", "line": "nothing"}, 422),
        ({"op": "explode", "line": "r0l0"}, 422),
        ({"op": "split", "line": "r0l0", "at": 1.5}, 422),
        ({"op": "join", "lines": ["r0l0"]}, 422),
        ({"op": "region_kind", "region": "r0", "kind": "<script>"}, 422),
        ({"op": "add", "baseline": [[0, 0], [10**9, 0]], "above_px": 3, "below_px": 3}, 422),
        ({"op": "add", "baseline": [[-9, -9], [-1, -9]], "above_px": 3, "below_px": 3}, 422),
        ({"op": "delete", "line": "x" * 70_000}, 413),
    ],
    ids=str,
)
def test_changes_that_cannot_be_are_refused(at: At, operation: dict[str, Any], status: int) -> None:
    at.add(scan())
    (page,) = at.read()
    before = at.client.get(f"/api/pages/{page}").json
    size = (at.folder / ".desk" / "journal").stat().st_size
    assert lay(at, page, 0, operation).status == status
    assert at.client.get(f"/api/pages/{page}").json == before
    assert (at.folder / ".desk" / "journal").stat().st_size == size
    assert lay(at, "p99", 0, {"op": "delete", "line": "r0l0"}).status == 404


def test_removing_a_page_removes_what_it_was(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    lay(at, page, 0, {"op": "delete", "line": "r0l0"})
    assert list((at.folder / ".desk" / "read").iterdir())
    assert at.client.ask("DELETE", f"/api/pages/{page}").status == 204
    assert list((at.folder / ".desk" / "read").iterdir()) == []
    again = Store(at.folder, "tester")
    assert again.pages == {} == again.layouts
    again.journal.close()
    assert load(at.folder / ".desk" / "journal")[0][-1]["op"] == "remove"


def test_a_step_is_not_taken_back_under_somebody_who_types(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    step = lay(at, page, 0, {"op": "join", "lines": ["r0l0", "r0l1"]}, who="a").json["step"]
    at.keep(change(page, 1, "typed by another", who="b", line="desk1"))
    assert lay(at, page, 1, None, back=step, who="a").status == 409
    assert "typed by another" in texts(at.client.get(f"/api/pages/{page}").json)
    assert lay(at, page, 1, None, back=step, who="b").status == 200


# errors that return


def test_words_that_were_exchanged() -> None:
    assert word_changes("the qnick brown fox", "the quick brown fox") == [("qnick", "quick")]
    assert word_changes("Jchn, and Jchn.", "John, and John.") == [("Jchn", "John")]
    assert word_changes("in to the house", "into the house") == [("in to", "into")]
    assert word_changes("a house", "the house") == []  # a letter alone is another word elsewhere
    assert word_changes("", "all new") == word_changes("same", "same") == word_changes("gone word", "gone") == []


def test_an_error_that_returns_is_found_where_nobody_was(at: At) -> None:
    at.add(scan())
    at.add(scan(), "other.tif")
    at.add(scan(), "third.tif")
    first, second, third = at.read(3)
    at.keep(change(first, 1, "second line"), change(second, 2, "my own text"))
    (found,) = at.client.get(f"/api/pages/{first}/lines/r0l1/same").json
    assert (found["wrong"], found["right"]) == ("secund", "second")
    assert [(line["page"], line["line"], line["changed"]) for line in found["lines"]] == [
        (third, "r0l1", "second line")
    ]
    assert at.client.get(f"/api/pages/{second}/lines/r0l0/same").json == []
    assert at.client.get("/api/pages/p99/lines/r0l0/same").status == 404
