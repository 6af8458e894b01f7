"""The desk's own requests over real sockets, with workers that draw their pages up at once; its journal and its tiles."""

from __future__ import annotations

import asyncio
import io
import os
import time
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pikepdf
import pytest
from PIL import Image

import batch_pages
import desk_pages
from carrel.errors import OutputError
from carrel.formats import read_page
from carrel.workers.files import seen
from carrel_desk.desk.session import Sessions
from carrel_desk.desk.watching import Watched
from carrel_desk.http.guard import cookies
from carrel_desk.reading.tiles import TILE_PX, Index, Level, PackError, open_pack, pack_tiles, parse_pack, read_tile
from carrel_desk.store.edits import Change, Edits
from carrel_desk.store.journal import Journal, line_of, load
from carrel_desk.store.pages import Store
from command_line import exit_code_of
from desk_at import At, change, scan
from desk_client import Client, serving, wait_until

pytestmark = pytest.mark.usefixtures("tests_on_path")


def test_read_correct_export_and_start_again(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    view = at.client.get(f"/api/pages/{page}").json
    assert [line["text"] for line in view["lines"]] == list(desk_pages.TEXTS)
    assert view["lines"][1]["alternatives"] == ["second line"]
    told = at.keep(change(page, 1, "second linn"), change(page, 2, "second line", "done"))
    assert told.status == 200 and told.json[-1]["version"] == 2
    assert at.keep(change(page, 3, "first line", "done", line="r0l0")).status == 200
    text = at.client.get(f"/api/export?format=text&page={page}").body.decode()
    assert text == "first line\nsecond line\nfaurth and last\n"
    alto = read_page(at.client.get(f"/api/export?format=alto&page={page}").body)
    assert alto.lines[1].final_text == "second line"
    with pikepdf.open(io.BytesIO(at.client.get(f"/api/export?format=pdf&page={page}").body)) as pdf:
        assert len(pdf.pages) == 1
    stored = at.folder / "pages" / f"{page}.json"
    wait_until(lambda: read_page(stored).lines[1].correction is not None)
    lines = read_page(stored).lines
    assert lines[1].text == "secund line"
    assert (lines[1].correction.text, lines[1].correction.by) == ("second line", "tester")  # pyright: ignore[reportOptionalMemberAccess]
    assert lines[0].correction.state == "confirmed"  # pyright: ignore[reportOptionalMemberAccess]
    again = Store(at.folder, "tester")  # as after a kill: nothing was closed
    assert again.edits.lines[page, "r0l1"].text == "second line"
    assert again.edits.lines[page, "r0l0"].done
    assert again.corrected(page).text == "first line\nsecond line\nfaurth and last"
    again.journal.close()


def test_pages_of_a_killed_server_are_read_by_the_next(tmp_path: Path) -> None:
    first = At(tmp_path / "desk")
    body = first.folder / ".desk" / "bodies" / "body"
    body.write_bytes(scan(pages=2))
    asyncio.run(first.store.add_scan(seen(body, body.stat()), "deed.tif"))
    first.listening.close()
    second = At(tmp_path / "desk")
    with serving(second.app, second.listening):
        second.enter()
        second.read(2)


def test_a_document_of_several_pages_is_one_pdf(at: At) -> None:
    at.add(scan(pages=3))
    at.read(3)
    with pikepdf.open(io.BytesIO(at.client.get("/api/export?format=pdf").body)) as pdf:
        assert len(pdf.pages) == 3
    told = at.client.get("/api/export?format=all")
    names = zipfile.ZipFile(io.BytesIO(told.body)).namelist()
    assert {"deed.pdf", "deed-0001.txt", "deed-0003.alto.xml", "deed-0002.json"} <= set(names)


def test_files_of_one_name_are_pages_of_several(at: At) -> None:
    for pages in (2, 2, 1, 1):
        at.add(scan(pages=pages))
    at.read(6)
    found = {page["name"] for page in at.state()["pages"]}
    assert found == {"deed-0001", "deed-0002", "deed_2-0001", "deed_2-0002", "deed", "deed_2"}
    texts = zipfile.ZipFile(io.BytesIO(at.client.get("/api/export?format=text").body)).namelist()
    assert sorted(texts) == sorted(f"{name}.txt" for name in found)


def test_a_watched_folder_is_taken_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.desk.app.EVERY_S", 0.1)
    folder = tmp_path / "in"
    folder.mkdir()
    outside = tmp_path / "outside.tif"
    outside.write_bytes(scan())
    (folder / "link.tif").symlink_to(outside)
    (folder / "notes.txt").write_text("no scan")
    for number in range(2):
        at = At(tmp_path / "desk")
        at.desk.watched = Watched(folder, at.store, at.folder / ".desk" / "bodies")
        with serving(at.app, at.listening):
            at.enter()
            (folder / f"deed{number}.tif").write_bytes(scan())
            at.read(number + 1)
            time.sleep(0.5)
            assert [page["name"] for page in at.state()["pages"]] == [f"deed{n}" for n in range(number + 1)]
    assert sorted(path.name for path in folder.iterdir()) == ["deed0.tif", "deed1.tif", "link.tif", "notes.txt"]


def test_two_browsers_on_one_line_keep_both_texts(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    at.keep(change(page, 1, "from the first", who="a"))
    told = at.keep(change(page, 1, "from the second", who="b", base=0)).json[0]
    assert (told["now"], told["others"]) == ("from the second", ["from the first"])
    line = at.client.get(f"/api/pages/{page}").json["lines"][1]
    assert line["others"] == ["from the first"]
    told = at.keep(change(page, 2, "second line", "done", who="b", base=2)).json[0]
    assert told["others"] == ["from the first"]
    assert at.keep(change(page, 3, op="settle", who="b", base=3)).json[0]["others"] == []
    assert "from the first" in (at.folder / ".desk" / "journal").read_text("utf-8")


def test_a_change_that_is_sent_twice_is_applied_once(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    at.keep(change(page, 1, "one"))
    at.keep(change(page, 2, "two"))
    told = at.keep(change(page, 1, "one"), change(page, 2, "two")).json[-1]
    assert (told["now"], told["version"], told["others"]) == ("two", 2, [])


def test_queue_by_errors_and_by_place(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    by_place = at.client.get("/api/queue?by=place").json
    assert [entry["line"] for entry in by_place["lines"]] == ["r0l1", "r0l2", "r0l3"]
    by_errors = at.client.get("/api/queue?by=errors").json
    assert [entry["line"] for entry in by_errors["lines"]] == ["r0l2", "r0l3", "r0l1"]
    assert by_errors["seconds"] == 0  # nobody has been timed yet
    at.keep(change(page, 1, "second line", "done"))
    assert at.client.get("/api/queue").json["total"] == 2


def test_bad_files_are_named_and_nothing_is_replaced(at: At) -> None:
    at.add(b"no picture", "a.tif")
    at.add(scan(batch_pages.RAISE), "b.tif")
    at.add(scan(), "same.tif")
    at.add(scan(), "same.tif")
    at.read(2)
    wait_until(lambda: any(page["state"] == "refused" for page in at.state()["pages"]))
    assert [s["name"] for s in at.state()["scans"] if "is not PNG" in s["reason"]] == ["a.tif"]
    assert len(list((at.folder / "scans").iterdir())) == 4
    assert at.client.get("/api/export?format=all").status == 200


def test_tiles_are_served_and_pages_removed(at: At) -> None:
    at.add(scan())
    (page,) = at.read()
    told = at.client.get(f"/api/pages/{page}/tiles/0/0/0")
    assert told.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(told.body)).size == (batch_pages.WIDTH_PX, batch_pages.HEIGHT_PX)
    assert at.client.get(f"/api/pages/{page}/tiles/0/1/0").status == 404
    assert at.client.get("/api/pages/p99/tiles/0/0/0").status == 404
    assert at.client.ask("DELETE", f"/api/pages/{page}").status == 204
    assert list((at.folder / "scans").iterdir()) == list((at.folder / "pages").iterdir()) == []
    assert at.keep(change(page, 9, "late")).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "carrel.example"}, 421),
        ({"Origin": "http://carrel.example"}, 403),
        ({"Origin": None}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Cookie": None}, 401),
        ({"Cookie": "carrel=x"}, 401),
        ({"Content-Type": "text/html"}, 415),
        ({"Content-Length": str(3 * 2**30)}, 413),
    ],
    ids=str,
)
def test_foreign_uploads_are_refused(at: At, headers: dict[str, str | None], status: int) -> None:
    body = None if "Content-Length" in headers else scan()
    assert at.client.post("/api/scans?name=x.tif", body, headers).status == status
    assert at.state()["scans"] == at.state()["pages"] == []


def test_paths_lead_nowhere(at: At) -> None:
    for path in (
        "/web/..%2Fdesk%2Fapp.py",
        "/web/../__init__.py",
        "/web/nothing.js",
        "/api/pages/..%2F..",
        "/etc/passwd",
    ):
        assert at.client.get(path).status in (404, 405)
    at.add(scan(), "..%2F..%2Fescape.tif")
    at.read()
    assert [page["name"] for page in at.state()["pages"]] == ["escape"]
    assert not list(at.folder.parent.glob("escape*"))


def test_an_entry_link_works_once(at: At) -> None:
    entry = at.sessions.new_entry()
    newest = at.sessions.new_entry()
    other = Client(at.port, {})
    assert other.get(f"/enter?token={entry}").status == 401
    assert other.get(f"/enter?token={newest}").status == 303
    assert other.get(f"/enter?token={newest}").status == 401
    told = other.get("/")
    assert (told.status, told.headers["location"]) == (303, "/left")
    assert other.get("/api/state").status == 401
    page = at.client.get("/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_sessions_outlive_a_killed_server(tmp_path: Path) -> None:
    path = tmp_path / "sessions"
    sessions = Sessions(path)
    cookie = sessions.enter(sessions.new_entry())
    assert cookie and cookie not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert Sessions(path).tokens == sessions.tokens


def test_leaving_a_kiosk_deletes_everything(tmp_path: Path) -> None:
    at = At(tmp_path / "desk", kiosk=True)
    with serving(at.app, at.listening):
        at.enter()
        at.add(scan())
        (page,) = at.read()
        at.keep(change(page, 1, "a secret"))
        told = at.client.post("/api/leave", b"")
        assert '"storage"' in told.headers["clear-site-data"]
        assert at.client.get("/api/state").status == 401
        left = [path for path in at.folder.rglob("*") if path.is_file() and path.stat().st_size and path.name != "jobs"]
        assert all(b"secret" not in path.read_bytes() for path in left)
        assert list((at.folder / "scans").iterdir()) == list((at.folder / "pages").iterdir()) == []
        assert at.client.get(told.json["next"]).status == 303


def test_the_api_is_served_beside_the_desk(at: At) -> None:
    assert at.client.post("/v1/pages?format=text", scan()).body.startswith(b"first line")


# the journal


def test_journal_is_cut_at_a_torn_end_and_refused_when_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = [{"op": "x", "n": n, "text": "é\n"} for n in range(3)]
    data = b"".join(map(line_of, whole))
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        journal = Journal(path)
        assert journal.records == whole[: data[:cut].count(b"\n")]
        journal.close()
        assert load(path)[0] == journal.records
    path.write_bytes(data[:10] + b"#" + data[11:])
    with pytest.raises(OutputError, match="damaged"):
        Journal(path)


def test_journal_keeps_many_changes_in_few_flushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[int] = []
    flush = os.fdatasync

    def counted(file: int) -> None:
        flushes.append(file)
        flush(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    journal = Journal(tmp_path / "journal")

    async def many() -> None:
        await asyncio.gather(*(journal.keep({"op": "x", "n": n}) for n in range(200)))

    asyncio.run(many())
    journal.close()
    assert [record["n"] for record in load(tmp_path / "journal")[0]] == list(range(200))
    assert 1 <= len(flushes) < 200


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert exit_code_of("desk", tmp_path / "file" / "desk", "--no-browser") == 5
    assert "not a folder to write to" in capsys.readouterr().err


def test_a_full_disk_is_said_and_nothing_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    asyncio.run(journal.keep({"op": "x"}))

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(OutputError, match="No space"):
        asyncio.run(journal.keep({"op": "y"}))
    monkeypatch.undo()
    asyncio.run(journal.keep({"op": "z"}))
    journal.close()
    assert [record["op"] for record in load(tmp_path / "journal")[0]] == ["x", "z"]


def test_time_of_a_line_is_measured_once_there_is_enough() -> None:
    edits = Edits()
    for number in range(250):
        edits.apply(Change("p", f"l{number}", "done", "a", number + 1, 0, "t", 100.0), "now")
    assert edits.seconds == [60.0] * 200


# tiles


def test_tiles_show_the_page(tmp_path: Path) -> None:
    gray = np.tile(np.linspace(0, 255, 1300).astype(np.uint8), (700, 1))
    path = tmp_path / "p.tiles"
    path.write_bytes(pack_tiles(gray))
    pack = open_pack(path)
    assert [(level.columns, level.rows) for level in pack.index.levels] == [(3, 2), (2, 1), (1, 1)]
    tile = Image.open(io.BytesIO(read_tile(path, pack, 0, 2, 1) or b""))
    assert tile.size == (1300 - 2 * TILE_PX, 700 - TILE_PX)
    shown = np.asarray(tile.convert("L"), int)
    assert np.abs(shown - gray[TILE_PX:, 2 * TILE_PX :]).mean() < 3
    assert read_tile(path, pack, 0, 3, 0) is read_tile(path, pack, 3, 0, 0) is read_tile(path, pack, 0, -1, 0) is None


@pytest.mark.parametrize("spoil", ["magic", "cut", "order", "length"])
def test_packs_of_a_hostile_worker_are_refused(spoil: str) -> None:
    pack = bytearray(pack_tiles(np.zeros((600, 600), np.uint8)))
    size = len(pack)
    if spoil == "magic":
        pack[0] = 0
    elif spoil == "cut":
        size -= 1
    elif spoil == "order":
        index = msgspec.json.encode(Index(10, 10, [Level(2, 1, [0, 9, 5])]))
        pack = bytearray(b"CTP1" + len(index).to_bytes(4, "big") + index + bytes(9))
    else:
        pack[4:8] = b"\xff\xff\xff\xff"
    with pytest.raises(PackError):
        parse_pack(bytes(pack), size)


def test_cookies_are_told_apart() -> None:
    scope = {"headers": [(b"cookie", b"a=1; carrel_80=x; carrel_8=y")]}
    assert cookies(scope, "carrel_8") == ["y"]
