"""Batches with real worker processes: what they read, what they survive, what workers may not do."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from batch_pages import EAT, ENTRY, HANG, KILL, PRY, RAISE, SLOW, expected, fork_worker, page, write_page
from carrel.batch.folders import Folders
from carrel.batch.intake import find_files
from carrel.batch.journal import Counts, Reconciled
from carrel.batch.purge import purge
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.errors import CarrelError, InputError, ModelError, OutputError, UsageError
from carrel.options import ReadOptions
from carrel.workers.pool import Limits

MakeBatch = Callable[..., Batch]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBatch:
    """A function that makes a batch from ``in`` to ``out``."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    (tmp_path / "secret").write_text("not for workers", "utf-8")
    monkeypatch.setenv("CARREL_TEST_SECRET", str(tmp_path / "secret"))
    (tmp_path / "in").mkdir()
    (tmp_path / "cache").mkdir()

    def make_batch(settings: Settings | None = None, **more: object) -> Batch:
        folders = Folders.of(tmp_path / "out")
        more = {"launch": fork_worker, **more}
        settings = settings or Settings(entry=ENTRY)
        return Batch(tmp_path / "in", folders, settings, cache=tmp_path / "cache", **more)  # type: ignore[arg-type]

    return make_batch


def run(batch: Batch) -> Counts:
    deadline = time.monotonic() + 120
    with batch:
        batch.add(find_files(batch.root))
        while not batch.finished:
            batch.step()
            assert time.monotonic() < deadline, "the batch does not come to an end"
        return batch.counts()


def results(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file() and ".carrel" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in files}


def test_bad_pages_cost_themselves_only(make: MakeBatch, tmp_path: Path) -> None:
    source = tmp_path / "in"
    for number, what in enumerate((KILL, HANG, RAISE, EAT, PRY)):
        write_page(source / f"a{number}.png", number, what)
    for number in range(10, 14):
        write_page(source / "good" / f"b{number}.png", number)
    write_page(source / "copy of b10.png", 10)
    frames = [Image.fromarray(page(number)) for number in (20, 21, 22)]
    frames[0].save(source / "three.tif", save_all=True, append_images=frames[1:])
    (source / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    log: list[str] = []
    counts = run(make(log=log.append, limits=Limits(1.5, 20.0, 2**31, first_page_s=0.0)))
    read = {f"good/b{n}.txt": expected(n) for n in range(10, 14)} | {"copy of b10.txt": expected(10)}
    read |= {f"three-{i + 1:04d}.txt": expected(20 + i) for i in range(3)} | {"a4.txt": expected(4, PRY)}
    assert results(tmp_path / "out") == read, log
    assert (counts.done, counts.quarantined, counts.refused_files, counts.duplicates) == (8, 4, 1, 1)
    assert (counts.lines, counts.unread_lines, counts.review) == (24, 8, 8)
    reasons = [line.partition("failed: ")[2].partition(".py:")[0] for line in log if "failed: " in line]
    assert sorted(set(reasons)) == [
        "RuntimeError in batch_pages",
        "did not fit into memory",
        "the worker was ended by SIGSEGV",
        "took longer than 1.5 s",
    ]
    assert len(reasons) == 8, "each is tried twice"
    assert not any(word in line for line in log for word in ("secret", ".png", str(tmp_path)))


def test_names_that_hurt_second_run_and_changed_settings(make: MakeBatch, tmp_path: Path) -> None:
    names = [b"-rf.png", b"a\nb.png", b"\xff\xfe.png", "\u202egpj.png".encode(), b"x" * 240 + b".png", b"%2f..%2f.png"]
    for number, name in enumerate(names):
        path = os.path.join(os.fsencode(tmp_path), b"in", name)  # noqa: PTH118  bytes
        os.rename(write_page(tmp_path / "in" / "next.png", number), path)  # noqa: PTH104
    assert run(make()).done == len(names)
    read = results(tmp_path / "out")
    assert sorted(read.values()) == sorted(expected(number) for number in range(len(names)))
    assert all(name.isprintable() and not name.startswith("-") for name in read)

    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file() and p.parent.name != "in"}
    state = {f"out/.carrel/{name}" for name in ("journal.sqlite", "lock", "status.json", "made-by-carrel.json")}
    assert left == {f"out/{name}" for name in read} | {"secret"} | state
    assert (tmp_path / "out/.carrel").stat().st_mode & 0o777 == 0o700

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.txt")}
    write_page(tmp_path / "in" / "more.png", 7)
    assert run(make()).done == len(names) + 1
    assert {p: p.stat().st_mtime_ns for p in before} == before
    log: list[str] = []
    run(make(Settings(formats=("text", "alto"), entry=ENTRY), log=log.append))
    assert len(results(tmp_path / "out")) == 2 * (len(names) + 1)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert log == ["7 pages lack a result: it is written from what was read"]


def test_only_one_batch_at_a_time(make: MakeBatch) -> None:
    with make(), pytest.raises(UsageError, match="another carrel is at work"), make():
        raise AssertionError("two batches at one output")


def test_file_that_changes_while_it_waits_is_read_as_it_is_then(make: MakeBatch, tmp_path: Path) -> None:
    path = write_page(tmp_path / "in" / "page.png", 1)
    with make() as batch:
        batch.add(find_files(batch.root))
        write_page(path, 22)
        while not batch.finished:
            batch.step()
        assert batch.journal.reconciled() == Reconciled(1, read=1)
    assert results(tmp_path / "out") == {"page.txt": expected(22)}


def test_file_that_goes_away_while_it_waits_is_counted(make: MakeBatch, tmp_path: Path) -> None:
    for number in range(3):
        write_page(tmp_path / "in" / f"{number}.png", number)
    log: list[str] = []
    with make(log=log.append) as batch:
        batch.add(find_files(batch.root))
        (tmp_path / "in" / "1.png").unlink()
        while not batch.finished:
            batch.step()
        assert batch.journal.reconciled() == Reconciled(3, read=2, gone=1)
        assert [failure[2] for failure in batch.journal.failures()] == ["gone"]
        assert batch.counts().failed == 1
    assert log == ["a file went away while it waited"]


def test_pages_at_work_when_stopped_are_queued_again(make: MakeBatch, tmp_path: Path) -> None:
    write_page(tmp_path / "in" / "slow.png", 1, SLOW)
    with make() as batch:
        batch.add(find_files(batch.root))
        while not (batch.counts().running and batch.counts().done == 0):
            batch.step(0.05)
    assert results(tmp_path / "out") == {}
    assert run(make()).done == 1


@pytest.mark.parametrize(
    ("entry", "error", "says"),
    [
        ("batch_pages:without_model", ModelError, "no model there"),
        ("nowhere:nothing", CarrelError, "nowhere is missing; pip install"),
        ("batch_pages:without_end", CarrelError, "before they can"),
    ],
)
def test_workers_that_cannot_start_end_the_batch(
    make: MakeBatch, tmp_path: Path, entry: str, error: type[CarrelError], says: str
) -> None:
    write_page(tmp_path / "in" / "a.png", 1)
    with pytest.raises(error, match=says):
        run(make(Settings(entry=entry), launch=None))


def test_output_that_is_no_folder(make: MakeBatch, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("taken", "utf-8")
    with pytest.raises(OutputError, match="not a folder"), make():
        raise AssertionError("it is a file")


def test_stopped_within_a_file_that_is_touched(make: MakeBatch, tmp_path: Path) -> None:
    frames = [Image.fromarray(page(number)) for number in range(12)]
    book = tmp_path / "in" / "book.tif"
    frames[0].save(book, save_all=True, append_images=frames[1:])
    with make() as batch:
        batch.add(find_files(batch.root))
        while batch.counts().done < 2:
            batch.step(0.05)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.txt")}
    book.touch()
    assert run(make()).done == 12
    assert results(tmp_path / "out") == {f"book-{n + 1:04d}.txt": expected(n) for n in range(12)}
    assert all(path.stat().st_mtime_ns == at for path, at in before.items()), "a page was read twice"


def test_replaced_scan_and_what_a_person_changed(make: MakeBatch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in range(3):
        write_page(tmp_path / "in" / f"{number}.png", number)
    run(make())
    (out / "0.txt").write_text("corrected", "utf-8")
    (out / "1.txt").write_text("corrected too", "utf-8")
    write_page(tmp_path / "in" / "1.png", 11)
    (out / "2.txt").unlink()
    log: list[str] = []
    run(make(Settings(ReadOptions(("deu",)), entry=ENTRY), log=log.append))
    assert results(out) == {
        "0.txt": "corrected", "1.txt": expected(11), "1.txt.~1~": "corrected too", "2.txt": expected(2),
    }  # fmt: skip
    assert any("2 pages were read under other settings" in line for line in log), log
    run(make(Settings(ReadOptions(("deu",)), entry=ENTRY), log=log.append, reread=True))
    assert results(out)["0.txt"] == "corrected", "a re-reading replaces nothing that was changed"
    assert any("1 pages stay as they are" in line for line in log), log


def test_files_that_carrel_did_not_write_are_not_replaced(make: MakeBatch, tmp_path: Path) -> None:
    write_page(tmp_path / "in" / "page.png", 1)
    write_page(tmp_path / "in" / "more.png", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "page.txt").write_text("mine", "utf-8")
    run(make())
    (tmp_path / "out" / "more.alto.xml").write_text("mine too", "utf-8")
    run(make(Settings(formats=("text", "alto"), entry=ENTRY)))
    assert results(tmp_path / "out") == {
        "page.txt": "mine", "page.png.txt": expected(1), "page.png.alto.xml": expected(1), "more.txt": expected(2),
        "more.alto.xml": expected(2), "more.alto.xml.~1~": "mine too",
    }  # fmt: skip


def test_links_and_pipes_in_the_output_are_not_followed(make: MakeBatch, tmp_path: Path) -> None:
    write_page(tmp_path / "in" / "a.png", 1)
    write_page(tmp_path / "in" / "sub" / "b.png", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "else")
    os.mkfifo(tmp_path / "out" / "a.txt.part")
    os.mkfifo(tmp_path / "out" / ".carrel.part")
    with pytest.raises(OutputError, match="cannot be written"):
        run(make())
    (tmp_path / "out" / "sub").unlink()
    run(make())
    assert (tmp_path / "out" / "sub" / "b.txt").read_text("utf-8") == expected(2)
    assert list((tmp_path / "else").iterdir()) == []


def test_state_folder_with_foreign_files_is_refused(tmp_path: Path, make: MakeBatch) -> None:
    mine = tmp_path / "mine" / "spool"
    mine.mkdir(parents=True)
    (mine / "letter.txt").write_text("keep", "utf-8")
    before = (tmp_path / "mine").stat().st_mode
    folders = Folders.of(tmp_path / "out", tmp_path / "mine")
    with (
        pytest.raises(UsageError, match="did not write"),
        Batch(tmp_path / "in", folders, Settings(entry=ENTRY), cache=tmp_path),
    ):
        raise AssertionError("a foreign folder became the state")
    with pytest.raises(InputError, match="no batch"):
        purge(folders)
    assert (mine / "letter.txt").read_text("utf-8") == "keep"
    assert (tmp_path / "mine").stat().st_mode == before


def test_purge_stays_within_the_output_and_deletes_what_carrel_wrote(make: MakeBatch, tmp_path: Path) -> None:
    write_page(tmp_path / "in" / "a.png", 1)
    write_page(tmp_path / "in" / "c.png", 3)
    write_page(tmp_path / "in" / "sub" / "b.png", 2)
    run(make())
    out, elsewhere = tmp_path / "out", tmp_path / "else"
    (out / "sub").rename(elsewhere)
    (out / "sub").symlink_to(elsewhere)
    (out / "c.txt").write_text("corrected", "utf-8")
    (tmp_path / "victim.txt").write_text("keep", "utf-8")
    db = sqlite3.connect(out / ".carrel" / "journal.sqlite")
    for path in ("../victim.txt", str(tmp_path / "victim.txt"), "./../victim.txt"):
        db.execute("INSERT INTO results(path, format, digest, tick, finished) VALUES(?, 'text', '', 0, '')", (path,))
    db.commit()
    db.close()
    purged = purge(Folders.of(out), changed=False)
    assert (purged.results, purged.changed, len(purged.failed)) == (1, ["c.txt"], 4)
    assert (tmp_path / "victim.txt").read_text("utf-8") == "keep"
    assert (elsewhere / "b.txt").exists()
    assert {p.name for p in out.iterdir()} == {"sub", "c.txt"}


def test_rebuild_takes_over_what_is_there(make: MakeBatch, tmp_path: Path) -> None:
    for number in range(3):
        write_page(tmp_path / "in" / f"{number}.png", number)
    run(make())
    (tmp_path / "out" / "2.txt").unlink()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.txt")}
    journal = tmp_path / "out" / ".carrel" / "journal.sqlite"
    journal.write_bytes(b"noise" * 4000)
    with pytest.raises(OutputError, match="--rebuild"), make():
        raise AssertionError("a damaged journal was used")
    assert run(make(rebuild=True)).done == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert results(tmp_path / "out") == {f"{n}.txt": expected(n) for n in range(3)}
    assert run(make()).done == 3


def test_random_kills_of_workers_lose_and_repeat_nothing(make: MakeBatch, tmp_path: Path) -> None:
    """``CARREL_KILLS`` is how many, over the same 100 pages again and again if need be."""
    kills, chance = int(os.environ.get("CARREL_KILLS", "40")), random.Random(7)
    for number in range(100 if kills > 40 else 40):
        write_page(tmp_path / "in" / f"{number}.png", number, SLOW if number % 4 == 0 else 0)
    done = 0
    while done < kills:
        struck = _struck_at_random(make(workers=2), chance, kills - done)
        done += sum(struck.values())
        shutil.rmtree(tmp_path / "out")


def _struck_at_random(made: Batch, chance: random.Random, kills: int) -> Counter[object]:
    """How often a worker was killed that had a file or a page at hand, or nothing (None). Whatever is put aside was at hand in two
    deaths of its worker; everything else is read, once."""
    struck: Counter[object] = Counter()
    with made as batch:
        batch.add(find_files(batch.root))
        count = batch.counts().files
        while not batch.finished:
            batch.step(0.02)
            workers = [
                w
                for w in batch.pool._workers  # pyright: ignore[reportPrivateUsage]
                if w.ready
                and (w.began or w.task is None or chance.random() < 0.2)  # twenty in a row would end the batch
            ]
            if workers and struck.total() < kills and chance.random() < 0.07 and batch.key:
                worker = chance.choice(workers)
                task = worker.task
                struck[task and (task.file.path, getattr(task, "page_index", None))] += 1
                worker.process.kill()
        aside = {(path, index) for path, index, state, _ in batch.journal.failures() if state == "quarantined"}
        assert batch.journal.reconciled().adds_up
        assert len(batch.journal.failures()) == len(aside)
        assert batch.counts().done == len(batch.pace._ends)  # pyright: ignore[reportPrivateUsage]
    innocent = [key for key in aside if struck[key] < 2]
    assert not innocent
    names = {path.stem for path, _ in aside}
    right = {f"{n}.txt": expected(n, SLOW if n % 4 == 0 else 0) for n in range(count) if str(n) not in names}
    assert results(batch.folders.output) == right
    return struck
