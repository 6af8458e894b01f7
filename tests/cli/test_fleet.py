"""`carrel shard`, `work`, `status` and `merge`: several machines on one folder, as users and as accidents have it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from batch_pages import KILL, write_page
from carrel.fleet import mets
from carrel.fleet.leases import Leases, Machine, Progress, path_of
from command_line import exit_code_of
from fleet_pages import ENTRY, TESTS, carrel, texts_of_shards, wait_until, write_pages
from soak_fleet import check, soak


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def shard(tmp_path: Path, *more: object) -> int:
    return exit_code_of(
        *("shard", tmp_path / "in", "-o", tmp_path / "out", "--size", 4, "-f", "text,json,alto"),
        *("--pages-with", ENTRY, "--quiet-for", 0, "--dead-after", 5, *more),
    )


def lists(tmp_path: Path) -> list[list[str]]:
    found = sorted((tmp_path / "out" / ".carrel-shards" / "lists").iterdir())
    return [path.read_text("utf-8").replace("\0", "\n").splitlines() for path in found]


def test_lists_grow_and_never_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pages(tmp_path / "in", range(5, 14))
    (tmp_path / "in" / "notes.txt").write_text("no scan", "utf-8")
    assert shard(tmp_path) == 0
    assert "9 new files in 3 shards, 0 listed before; 1 other files" in capsys.readouterr().err
    first = lists(tmp_path)
    assert first == [["box0/5.png", "box0/6.png", "box0/7.png", "box0/8.png"], ["box0/9.png", "box1/10.png",
                     "box1/11.png", "box1/12.png"], ["box1/13.png"]]  # fmt: skip
    write_page(tmp_path / "in" / "a new one.png", 99)
    write_page(tmp_path / "in" / "two\nlines.png", 98)
    assert shard(tmp_path) == 0
    assert "2 new files in 1 shards, 9 listed before" in capsys.readouterr().err
    assert lists(tmp_path)[:3] == first and lists(tmp_path)[3] == ["a new one.png", "two", "lines.png"]
    assert shard(tmp_path) == 0
    assert "0 new files in 0 shards, 11 listed before" in capsys.readouterr().err
    write_page(tmp_path / "in" / "just now.png", 97)
    assert shard(tmp_path, "--quiet-for", 60) == 0
    assert "1 changed just now and are left for the next time" in capsys.readouterr().err
    assert shard(tmp_path, "--lang", "deu") == 2
    assert "was begun with another folder of scans or other options" in capsys.readouterr().err


def test_work_status_and_merge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One machine reads all; what fails is told by reason; METS and the review queue know every page once."""
    write_pages(tmp_path / "in", range(6))
    (tmp_path / "in" / "bad.png").write_bytes(b"no scan")
    write_page(tmp_path / "in" / "killer.png", 7, KILL)
    assert shard(tmp_path) == 0
    out = tmp_path / "out"
    assert exit_code_of("merge", out) == 3
    assert "2 shards are not done" in capsys.readouterr().err
    assert exit_code_of("work", out, "--shard", 1, "--workers", 1) == 3
    assert exit_code_of("status", out, "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["shards"], status["done"], status["waiting"], status["pages"]) == (2, 1, 1, 2)
    assert (status["files"], status["pages_left"], status["failed"]) == (8, 4, 2)
    assert exit_code_of("work", out, "--workers", 1) == 0
    assert exit_code_of("status", out, "--watch") == 0
    told = capsys.readouterr().out
    assert "2 shards: 2 done, 0 at work, 0 waiting, 0 set aside" in told
    assert "6 pages read of about 8 in 8 files" in told and "2 gave no results" in told
    assert "1  is not PNG, JPEG" in told and "its worker" not in told
    assert exit_code_of("merge", out) == 3
    assert "8 files, 6 pages read, 18 results" in capsys.readouterr().out
    mets = (out / "mets.xml").read_text("utf-8")
    assert all(mets.count(f'href="../in/box0/{n}.png"') == 1 for n in range(6))
    assert all(mets.count(f'/box0/{n}.alto.xml"') == 2 for n in range(6))  # both groups of texts
    rows = (out / "review.tsv").read_text("utf-8").splitlines()[2:]
    errors = [float(row.split("\t")[1]) for row in rows]
    assert len(rows) == 6 and errors == sorted(errors, reverse=True)
    assert not list((tmp_path / "state" / "carrel" / "shards").rglob("*.sqlite"))


def test_merge_names_what_is_lost_changed_or_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pages(tmp_path / "in", range(8))
    assert shard(tmp_path) == 0
    out = tmp_path / "out"
    assert exit_code_of("work", out, "--workers", 1) == 0
    assert exit_code_of("merge", out) == 0
    capsys.readouterr()
    (worst,) = (out / "review.tsv").read_text("utf-8").splitlines()[2:3]
    name = worst.partition("#")[0]
    (out / "review.tsv").write_text(worst.rpartition("\t")[0] + "\tput right\n", "utf-8")
    assert exit_code_of("review", out, "--corrected", out / "review.tsv") == 0
    assert (
        json.loads((out / f"{name}.json").read_text("utf-8"))["regions"][0]["lines"][0]["correction"]["text"]
        == "put right"
    )
    capsys.readouterr()
    assert exit_code_of("merge", out) == 0  # what people changed is no fault
    told = capsys.readouterr()
    assert "3 results were changed since" in told.out and "review.tsv was changed since" in told.err
    (out / "00001" / "box0" / "1.txt").unlink()
    path = out / ".carrel-shards" / "lists" / "00002.txt"
    path.write_text(path.read_text("utf-8").replace("box0/4.png", "box0/0.png"), "utf-8")
    assert exit_code_of("merge", out, "--no-hashes") == 3
    told = capsys.readouterr().out
    assert "1 results are not there, the first: 00001/box0/1.txt" in told
    assert "1 files are in a record and not listed, the first: 00002: box0/4.png" in told
    assert "1 files are listed and in no record, the first: 00002: box0/0.png" in told
    assert "1 files are listed more than once, the first: box0/0.png" in told
    assert "nothing is lost" not in told


def test_mets_of_many_pages_points_to_one_of_each_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mets, "MOST_PAGES", 5)
    write_pages(tmp_path / "in", range(6))
    assert shard(tmp_path) == 0
    out = tmp_path / "out"
    assert exit_code_of("work", out, "--workers", 1) == 0
    assert exit_code_of("merge", out, "--label", "All & more") == 0
    link = "{http://www.w3.org/1999/xlink}href"
    whole = ET.parse(out / "mets.xml").getroot()
    assert whole.get("LABEL") == "All & more"
    parts = [element.attrib[link] for element in whole.iter("{http://www.loc.gov/METS/}mptr")]
    assert parts == ["00001/mets.xml", "00002/mets.xml"]
    files = [
        element.attrib[link] for part in parts for element in ET.parse(out / part).iter() if link in element.attrib
    ]
    named = {path for path in files if path.endswith(".png")}
    assert named == {f"../../in/box0/{number}.png" for number in range(6)}
    assert all((out / parts[0]).parent.joinpath(path).exists() for path in named)


def test_a_stopped_machine_gives_its_shard_back_and_goes_on_with_it(tmp_path: Path) -> None:
    write_pages(tmp_path / "in", range(8), slow=True)
    assert shard(tmp_path, "--size", 8) == 0
    out = tmp_path / "out"
    process = carrel("work", out, "--workers", 1)
    wait_until(lambda: bool(list(out.rglob(".carrel-shards/work/*/box0/1.json"))))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=600)
    assert process.returncode == 130
    lease = json.loads((out / ".carrel-shards" / "leases" / "00001.1.json").read_text("utf-8"))
    assert lease["state"] == "released" and 2 <= lease["progress"]["pages"] < 8
    before = {path.name: path.stat().st_mtime_ns for path in out.rglob(".carrel-shards/work/*/box0/*.txt")}
    assert exit_code_of("work", out, "--workers", 1) == 0
    after = {path.name: path.stat().st_mtime_ns for path in (out / "00001" / "box0").glob("*.txt")}
    assert len(after) == 8 and before.items() <= after.items(), "no page was read again"


def test_a_shard_that_was_moved_away_is_read_anew_and_one_is_purged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pages(tmp_path / "in", range(8))
    assert shard(tmp_path) == 0
    out = tmp_path / "out"
    assert exit_code_of("work", out, "--workers", 1) == 0
    (out / "00002").rename(tmp_path / "damaged")
    assert exit_code_of("merge", out) == 3
    assert exit_code_of("work", out, "--workers", 1) == 0
    assert len(texts_of_shards(out)) == 8
    assert (out / ".carrel-shards" / "leases" / "00002.2.json").exists()
    assert exit_code_of("purge", out / "00001", "--yes") == 0
    assert not list((out / "00001").rglob("*.*")), "no text is left, in the queue neither"


def test_a_page_that_was_read_when_two_machines_died_is_quarantined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pages(tmp_path / "in", range(4))
    assert shard(tmp_path) == 0
    leases = tmp_path / "out" / ".carrel-shards" / "leases"
    page = hashlib.sha256((tmp_path / "in" / "box0" / "2.png").read_bytes()).hexdigest() + ":0"
    for generation, name in enumerate(("pc1", "pc2")):
        machine = replace(Machine.here(name), pid=2**30, started="1")  # as good as dead
        lease = Leases(leases, machine, 5.0).claim("00001", generation)
        assert lease is not None
        lease.tell(Progress(), [page]) if generation else lease.end("working", Progress())
        if not generation:
            path = path_of(leases, "00001", 1)
            path.write_bytes(msgspec.json.encode(msgspec.structs.replace(lease.contents, at_work=[page])))
    assert exit_code_of("work", tmp_path / "out", "--workers", 2) == 3
    assert exit_code_of("merge", tmp_path / "out") == 3
    assert "1  was being read when machines ended" in capsys.readouterr().out
    assert sorted(texts_of_shards(tmp_path / "out")) == ["box0/0.txt", "box0/1.txt", "box0/3.txt"]


def test_failures_stop_a_machine_and_not_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for number in range(8):
        (tmp_path / "in" / f"{number}.png").write_bytes(b"no scan %d" % number)
    assert shard(tmp_path) == 0
    assert exit_code_of("work", tmp_path / "out", "--workers", 1, "--stop-after-failures", 2) == 3
    assert not list((tmp_path / "out").glob("0*"))
    assert exit_code_of("work", tmp_path / "out", "--workers", 1) == 3
    assert len(list((tmp_path / "out").glob("0*"))) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("work", "{out}"), 3, "no shards there; make them with carrel shard"),
        (("status", "{out}/gone"), 3, "there is no folder"),
        (("merge", "{out}"), 3, "no shards there"),
        (("shard", "{out}/gone", "-o", "{out}"), 3, "there is no folder"),
        (("shard", "{out}", "-o", "{out}"), 2, "results would lie among the scans"),
        (("shard", "{out}", "-o", "{out}/o", "--size", "0"), 2, "--size"),
    ],
)
def test_what_cannot_be_met(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert exit_code_of(*(argument.replace("{out}", str(tmp_path / "out")) for argument in arguments)) == code
    assert says in capsys.readouterr().err


def test_a_machine_without_scans_or_with_its_journals_on_a_share_takes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pages(tmp_path / "in", range(2))
    assert shard(tmp_path) == 0
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    assert exit_code_of("work", tmp_path / "out") == 3
    assert "the scans are not there; mount them, or name their folder with --source" in capsys.readouterr().err
    assert not list((tmp_path / "out" / ".carrel-shards" / "leases").iterdir())
    (tmp_path / "in").mkdir()  # what is left of a share that is not mounted
    assert exit_code_of("work", tmp_path / "out", "--workers", 1) == 2
    assert "is empty; mount the scans" in capsys.readouterr().err
    (tmp_path / "in" / "other.png").touch()
    assert exit_code_of("work", tmp_path / "out", "--workers", 1) == 3
    assert "none of the 2 files of the shard is in" in capsys.readouterr().err
    assert exit_code_of("status", tmp_path / "out") == 0
    assert "set aside: 00001: none of the 2 files" in capsys.readouterr().out
    assert exit_code_of("work", tmp_path / "out", "--retry", "--source", tmp_path / "elsewhere", "--workers", 1) == 0
    assert len(texts_of_shards(tmp_path / "out")) == 2


def test_results_of_a_machine_that_was_too_late_are_dropped(tmp_path: Path) -> None:
    """It reads the last page while another one has handed over the same shard."""
    write_pages(tmp_path / "in", range(4), slow=True)
    assert shard(tmp_path) == 0
    out = tmp_path / "out"
    process = carrel("work", out, "--workers", 1)
    wait_until(lambda: bool(list(out.rglob(".carrel-shards/work/*/box0/0.json"))))
    os.killpg(process.pid, signal.SIGSTOP)
    (work,) = (out / ".carrel-shards" / "work").iterdir()
    shutil.copytree(work, out / "00001")
    os.killpg(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "taken over by another machine" in err
    assert [path.name for path in out.glob("0*")] == ["00001"]
    assert not list((out / ".carrel-shards" / "work").iterdir())


def test_machines_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    """A few blows; ``python tests/soak_fleet.py`` deals thirty."""
    soak(tmp_path, pages=48, size=6, machines=3, kills=4)
    check(tmp_path, 48)
