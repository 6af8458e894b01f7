"""Hot folders: files are taken when they have come to rest, once, and originals are dealt with after."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from batch_pages import ENTRY, RAISE, SLOW, expected, fork_worker, page, write_page
from carrel.batch.folders import Folders
from carrel.batch.purge import expire, purge
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.batch.watch import Watcher, WatchOptions
from carrel.errors import InputError, UsageError
from carrel.workers.files import has_writer, is_written_by_a_process

Watch = Callable[..., tuple[Batch, Watcher]]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """A function that starts to watch ``in``."""
    (tmp_path / "in").mkdir()
    with ExitStack() as stack:

        def start(group: str | None = None, **options: object) -> tuple[Batch, Watcher]:
            pattern = re.compile(group) if group else None
            batch = Batch(
                tmp_path / "in", Folders.of(tmp_path / "out"), Settings(entry=ENTRY), cache=tmp_path,
                launch=fork_worker, group=pattern, wait_for_disk=True, log=lambda line: None,
            )  # fmt: skip
            stack.enter_context(batch)
            choices = WatchOptions(**{"every_s": 0.05, "quiet_s": 0.3, **options})  # type: ignore[arg-type]
            return batch, Watcher(batch, choices)

        yield start


def go_on(watcher: Watcher, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        watcher.step()
        assert time.monotonic() < deadline, "nothing happens"


def pages_of(document: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in document.read_text("utf-8").splitlines()]


def texts(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in folder.rglob("*.txt")}


def test_slow_copies_bad_files_and_strange_ones(watch: Watch, tmp_path: Path) -> None:
    source = tmp_path / "in"
    batch, watcher = watch(originals="move", done=tmp_path / "done", refused=tmp_path / "refused")
    os.mkfifo(source / "pipe.png")
    (source / "link.png").symlink_to("/etc/hostname")
    (source / "bad.png").write_bytes(b"not a scan")
    write_page(source / "fails.png", 5, RAISE)
    whole = write_page(tmp_path / "whole.png", 1).read_bytes()
    slow = source / "slow.png"
    for end in range(0, len(whole) + 1, len(whole) // 6):  # as a scanner writes
        slow.write_bytes(whole[:end])
        until = time.monotonic() + 0.15
        go_on(watcher, lambda until=until: time.monotonic() > until)
    slow.write_bytes(whole)
    write_page(source / "box" / "b.png", 2)
    go_on(watcher, lambda: len(texts(tmp_path / "out")) == 2 and (tmp_path / "refused" / "fails.png").exists())
    go_on(watcher, lambda: sorted(p.name for p in source.iterdir()) == ["box", "link.png", "pipe.png"])
    assert texts(tmp_path / "out") == {"slow.txt": expected(1), "box/b.txt": expected(2)}
    assert batch.counts().refused_files == 1, "the slow file was taken too early"
    assert {p.name for p in (tmp_path / "refused").iterdir()} == {"bad.png", "fails.png"}
    assert (tmp_path / "done" / "box" / "b.png").exists()
    assert pages_of(tmp_path / "out/box/document.jsonl") == [{"name": "b", "state": "done"}]
    write_page(source / "box" / "b.png", 2)  # dropped again: not read again, moved and written under another name
    go_on(watcher, (tmp_path / "done" / "box" / "b.png.png").exists)
    assert texts(tmp_path / "out") == {"slow.txt": expected(1), "box/b.txt": expected(2), "box/b.png.txt": expected(2)}
    assert batch.counts().done == 2


def test_marker_groups_and_deleted_originals(watch: Watch, tmp_path: Path) -> None:
    source = tmp_path / "in"
    _, watcher = watch(group="(.+)_[0-9]+", marker="ready", originals="delete", quiet_s=0.0)
    for number in (1, 2):
        write_page(source / f"deed_00{number}.png", number)
    (source / "bad_1.png").write_bytes(b"not a scan")
    until = time.monotonic() + 0.5
    go_on(watcher, lambda: time.monotonic() > until)
    assert texts(tmp_path / "out") == {}
    (source / "ready").write_bytes(b"")
    document = tmp_path / "out" / "deed" / "document.jsonl"
    go_on(watcher, document.exists)
    assert texts(tmp_path / "out") == {f"deed/deed_00{number}.txt": expected(number) for number in (1, 2)}
    assert pages_of(document) == [{"name": f"deed_00{number}", "state": "done"} for number in (1, 2)]
    go_on(watcher, lambda: not (source / "deed_002.png").exists())
    assert {p.name for p in source.iterdir()} == {"bad_1.png", "ready"}, "what was not read is never deleted"


def test_expiry_and_purge(watch: Watch, tmp_path: Path) -> None:
    batch, watcher = watch(quiet_s=0.0)
    write_page(tmp_path / "in" / "box" / "a.png", 1)
    go_on(watcher, (tmp_path / "out/box/document.jsonl").exists)
    with pytest.raises(UsageError, match="another carrel"):
        purge(batch.folders)
    assert expire(batch.folders, batch.journal, 1).results == 0
    assert expire(batch.folders, batch.journal, -1).results == 2
    assert texts(tmp_path / "out") == {}
    until = time.monotonic() + 0.5
    go_on(watcher, lambda: time.monotonic() > until)
    assert texts(tmp_path / "out") == {}, "what has expired is not read again"
    batch.__exit__()
    (tmp_path / "out/box/mine.txt").write_text("not Carrel's", "utf-8")
    purged = purge(batch.folders)
    assert (purged.results, purged.failed) == (0, [])
    assert purged.left == [(tmp_path / "out/box/mine.txt").resolve()]
    assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == ["box", "mine.txt"]
    assert (tmp_path / "in" / "box" / "a.png").exists()
    with pytest.raises(InputError, match="no batch has been there"):
        purge(batch.folders)


def test_file_that_is_held_open_is_not_taken_and_lost(watch: Watch, tmp_path: Path) -> None:
    """As a scanner does that writes page after page into one file."""
    _, watcher = watch(originals="delete", quiet_s=0.1)
    first, second = (Image.fromarray(page(number)) for number in (1, 2))
    whole = io.BytesIO()
    first.save(whole, "TIFF", save_all=True, append_images=[second])
    path = tmp_path / "in" / "deed.tif"
    with path.open("wb") as scanner:
        first.save(scanner, "TIFF")
        scanner.flush()
        until = time.monotonic() + 1.5
        go_on(watcher, lambda: time.monotonic() > until)
        assert path.exists() and texts(tmp_path / "out") == {}
        scanner.seek(0)
        scanner.write(whole.getvalue())
    go_on(watcher, lambda: not path.exists())
    assert texts(tmp_path / "out") == {"deed-0001.txt": expected(1), "deed-0002.txt": expected(2)}


def test_file_that_grows_after_it_was_read_is_read_again_and_not_deleted_before(watch: Watch, tmp_path: Path) -> None:
    batch, watcher = watch(originals="delete", quiet_s=0.1)
    path = write_page(tmp_path / "in" / "deed.png", 1, SLOW)
    go_on(watcher, lambda: batch.counts().running > 0)
    write_page(path, 2)  # another page under its name, before the original is dealt with
    go_on(watcher, lambda: not path.exists())
    assert texts(tmp_path / "out")["deed.txt"] == expected(2)


def test_hot_folder_that_is_made_anew(watch: Watch, tmp_path: Path) -> None:
    _, watcher = watch(quiet_s=0.1)
    write_page(tmp_path / "in" / "a.png", 1)
    go_on(watcher, lambda: texts(tmp_path / "out") == {"a.txt": expected(1)})
    shutil.rmtree(tmp_path / "in")
    go_on(watcher, lambda: not (tmp_path / "in").exists())
    write_page(tmp_path / "in" / "b.png", 2)
    go_on(watcher, lambda: texts(tmp_path / "out") == {"a.txt": expected(1), "b.txt": expected(2)})


def test_refused_empty_file_leaves_too_and_lists_are_no_results(watch: Watch, tmp_path: Path) -> None:
    _, watcher = watch(originals="move", done=tmp_path / "done", refused=tmp_path / "refused", quiet_s=0.1)
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    write_page(tmp_path / "in" / "box" / "document.png", 1)
    go_on(watcher, lambda: sorted(p.name for p in (tmp_path / "in").iterdir()) == ["box"])
    go_on(watcher, (tmp_path / "out" / "box" / "document.jsonl").exists)
    assert (tmp_path / "refused" / "empty.png").exists()
    assert texts(tmp_path / "out") == {"box/document.txt": expected(1)}


def test_writers_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(b"x")
    descriptor = os.open(path, os.O_RDONLY)
    for flag, seen in ((os.O_RDONLY, False), (os.O_WRONLY, True), (os.O_RDWR, True)):
        other = os.open(path, flag)
        assert has_writer(descriptor) is seen
        assert is_written_by_a_process(os.fstat(descriptor)) is seen
        os.close(other)
    assert not has_writer(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("other", ["link", "file", "pipe"])
def test_what_takes_the_place_of_the_hot_folder_is_not_read_nor_deleted(
    watch: Watch, tmp_path: Path, other: str
) -> None:
    source, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    batch, watcher = watch(originals="delete")
    foreign = write_page(elsewhere / "foreign.png", 8)
    source.rmdir()
    match other:
        case "link":
            source.symlink_to(elsewhere)
        case "file":
            shutil.copyfile(foreign, source)
        case _:
            os.mkfifo(source)
    go_on(watcher, lambda: batch.key is not None)
    until = time.monotonic() + 1.5
    go_on(watcher, lambda: time.monotonic() > until and not batch.pool.busy)
    assert not texts(tmp_path / "out")
    source.unlink()
    write_page(source / "own.png", 1)
    go_on(watcher, lambda: not list(source.iterdir()))
    assert texts(tmp_path / "out") == {"own.txt": expected(1)}
    assert foreign.exists()


def test_results_wait_while_the_disk_of_the_output_is_not_mounted(watch: Watch, tmp_path: Path) -> None:
    batch, watcher = watch()
    write_page(tmp_path / "in" / "a.png", 1)
    go_on(watcher, lambda: len(texts(tmp_path / "out")) == 1)
    (tmp_path / "out").rename(tmp_path / "disk")
    (tmp_path / "out").mkdir()
    write_page(tmp_path / "in" / "b.png", 2)

    def mount_again() -> None:
        deadline = time.monotonic() + 60
        while not batch.doing.startswith("paused") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not texts(tmp_path / "out")
        (tmp_path / "out").rename(tmp_path / "empty")
        (tmp_path / "disk").rename(tmp_path / "out")

    with ThreadPoolExecutor() as threads:
        mounted = threads.submit(mount_again)
        go_on(watcher, lambda: len(texts(tmp_path / "out")) == 2)
        mounted.result()
    assert not list((tmp_path / "empty").rglob("*.txt"))
