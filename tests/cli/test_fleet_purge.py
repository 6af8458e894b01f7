"""Deleting what fleets leave behind, and saying what that is."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import pytest

from batch_pages import page, write_page
from carrel.fleet.leases import Leases, Machine
from carrel.fleet.shards import open_fleet
from command_line import exit_code_of
from fleet_pages import ENTRY, TESTS


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``in`` and ``out``: two shards that were read and merged."""
    folder = tmp_path_factory.mktemp("whole")
    for number in range(3):
        write_page(folder / "in" / "box" / f"{number}.png", number)
    out = folder / "out"
    plan = ("--size", 2, "-f", "text,json", "--pages-with", ENTRY, "--quiet-for", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        assert exit_code_of("shard", folder / "in", "-o", out, *plan) == 0
        assert exit_code_of("work", out, "--workers", 1) == 0
        assert exit_code_of("merge", out) == 0
    return folder


@pytest.fixture
def out(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A copy of its results."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    capsys.readouterr()
    return tmp_path / "out"


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_whole_fleet_is_purged(tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person wrote or changed stays; of machines that died nothing does."""
    (out / "note.txt").write_text("mine")
    (out / "00001" / "box" / "0.txt").write_text("corrected")
    fleet = open_fleet(out)
    (fleet.control / "work" / "00003-0123456789ab" / "box").mkdir(parents=True)
    (fleet.control / "work" / "00003-0123456789ab" / "box" / "9.txt").write_text("read by a machine that died")
    local = tmp_path / "state" / "carrel" / "shards" / fleet.plan.id / "00003"
    local.mkdir(parents=True)
    (local / "journal.sqlite").write_bytes(b"")
    assert exit_code_of("privacy", out) == 0
    told = capsys.readouterr().out
    assert "2 shards are done" in told and "1 shards are being read or were begun" in told
    assert "with text or names of pages: review.tsv" in told and "no batch has been here" not in told
    assert exit_code_of("doctor") == 0
    assert "1 shards are begun there" in capsys.readouterr().out
    assert exit_code_of("purge", out, "--yes") == 0
    told = capsys.readouterr().out
    assert "deleted: 5 files of results" in told and "kept: 1 results that were changed" in told
    assert "deleted with it: mets.xml" in told
    assert files_in(out) == ["00001/box/0.txt", "note.txt"]
    assert not local.exists()
    assert len(files_in(tmp_path / "in")) == 3


def test_one_document_of_a_fleet_is_purged(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its text is nowhere any more, in queues neither; the others stay."""
    assert exit_code_of("purge", out, "--document", "box/9", "--yes") == 3
    assert exit_code_of("purge", out, "--document", "box/1", "--yes") == 0
    gone, stays = (hashlib.sha256(page(number).tobytes()).hexdigest() for number in (1, 0))
    texts = {name: (out / name).read_bytes() for name in files_in(out)}
    assert not [name for name, text in texts.items() if gone.encode() in text]
    holds = [name for name, text in texts.items() if stays.encode() in text]
    assert {"00001/box/0.txt", "00001/box/0.json", "00001/.carrel/review.tsv"} <= set(holds)
    assert exit_code_of("merge", out) == 3
    assert "2 results are not there" in capsys.readouterr().out
    written = max(path.stat().st_mtime for path in (out / "00002").rglob("*"))
    while time.time() < int(written) + 2:  # ages are told in whole seconds
        time.sleep(0.05)
    assert exit_code_of("purge", out / "00002", "--older-than", 0, "--yes") == 0
    old = hashlib.sha256(page(2).tobytes()).hexdigest().encode()
    assert not [path for path in (out / "00002").rglob("*.*") if path.is_file() and old in path.read_bytes()]


def test_a_shard_that_was_purged_by_itself_is_in_nobodys_way(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its folder stays where a person changed a result."""
    (out / "00001" / "box" / "0.txt").write_text("corrected")
    assert exit_code_of("purge", out / "00001", "--yes") == 0
    assert files_in(out / "00001") == ["box/0.txt"]
    assert exit_code_of("purge", out, "--document", "box/2", "--yes") == 0
    assert exit_code_of("purge", out, "--yes") == 0, capsys.readouterr().err
    assert files_in(out) == ["00001/box/0.txt"]


def test_nothing_is_purged_while_a_machine_is_at_work(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "00001").rename(out.parent / "elsewhere")
    before = files_in(out)
    leases = out / ".carrel-shards" / "leases"
    assert Leases(leases, Machine.here("pc7"), 180.0).claim("00001", 1)
    assert exit_code_of("purge", out, "--yes") == 2
    assert "pc7 is at work there" in capsys.readouterr().err
    assert set(before) < set(files_in(out))
