"""The journal: every page once, whatever order things happen in."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.batch.intake import find_files, natural
from carrel.batch.journal import MOST_LOST_RUNS, Journal, PageKey, name_key
from carrel.batch.names import LONGEST_BYTES, document_folder, page_names
from carrel.batch.settings import Settings
from carrel.errors import OutputError
from carrel.options import ReadOptions
from carrel.workers.files import SeenFile
from carrel.workers.messages import Begin, decode_to_worker, encode

A, B = (digit * 64 for digit in "ab")
FILE = SeenFile(Path("/in/one.tif"), 10, 20)


@pytest.fixture
def journal(tmp_path: Path):
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def open_file(journal: Journal, file: SeenFile, sha256: str, pages: int = 1, settings: str = "s") -> None:
    journal.add_files([file])
    assert journal.take_file() == file
    journal.opened(file, sha256, settings, page_names(file.path, "", sha256, pages))


def test_pages_are_taken_once_and_in_order(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    taken = [journal.take_page("s") for _ in range(3)]
    assert [(page.key.page_index, page.name) for page in taken if page] == [(0, "one-0001"), (1, "one-0002")]
    assert journal.take_page("other settings") is None


def test_file_of_the_same_content_is_a_duplicate(journal: Journal) -> None:
    open_file(journal, FILE, A)
    open_file(journal, SeenFile(Path("/in/copy.tif"), 10, 21), A)
    counts = journal.counts("s")
    assert (counts.queued, counts.duplicates, counts.files) == (1, 1, 2)


def test_files_that_were_seen_are_not_opened_again_until_they_change(journal: Journal) -> None:
    open_file(journal, FILE, A)
    journal.add_files([FILE])
    assert journal.take_file() is None
    journal.add_files([SeenFile(FILE.path, 10, 99)])
    assert journal.take_file() == SeenFile(FILE.path, 10, 99)


def test_names_that_would_overwrite_each_other_are_told_apart(journal: Journal) -> None:
    for number, (name, sha256) in enumerate((("Page.tif", A), ("page.png", B), ("PAGE.PNG", "c" * 64))):
        open_file(journal, SeenFile(Path("/in", name), 1, number), sha256)
    names = [page.name for page in iter(lambda: journal.take_page("s"), None)]
    assert names == ["Page", "page.png", f"PAGE-{'c' * 16}"]


def test_name_of_a_single_page_that_equals_a_page_of_another_file(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    open_file(journal, SeenFile(Path("/in/one-0002.png"), 1, 1), B)
    names = [page.name for page in iter(lambda: journal.take_page("s"), None)]
    assert names == ["one-0001", "one-0002", "one-0002.png"]


def test_failing_page_is_tried_once_more_and_last(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    first = journal.take_page("s")
    assert first is not None
    journal.page_failed(first.key, "ended by SIGSEGV")
    second, again = journal.take_page("s"), journal.take_page("s")
    assert second is not None and second.key.page_index == 1
    assert again is not None and again.key == first.key
    journal.page_failed(again.key, "ended by SIGSEGV")
    assert journal.take_page("s") is None
    assert journal.counts("s").quarantined == 1
    assert journal.failures("s") == [(FILE.path, 0, "quarantined", "ended by SIGSEGV")]
    journal.retry_failed()
    assert journal.take_page("s") is not None


def test_lost_runs_queue_again_what_was_running(tmp_path: Path) -> None:
    for run in range(MOST_LOST_RUNS):
        journal = Journal(tmp_path / "journal.sqlite")  # as after a power cut: never closed cleanly
        names = journal.recover()
        if run == 0:
            open_file(journal, FILE, A, pages=2)
        else:
            assert names == ["one-0001"]
        page = journal.take_page("s")
        assert page is not None and page.key.page_index == 0
        if run == 0:
            journal.page_done(PageKey(A, 1, "s"), 1, 0, 0)
        journal.close()
    journal = Journal(tmp_path / "journal.sqlite")
    journal.recover()
    assert (journal.counts("s").quarantined, journal.counts("s").done) == (1, 1)
    journal.close()


def test_other_settings_read_everything_again(journal: Journal) -> None:
    journal.use_settings("s")
    open_file(journal, FILE, A)
    page = journal.take_page("s")
    assert page is not None
    journal.page_done(page.key, 5, 1, 2)
    assert journal.use_settings("s") == 0
    assert journal.use_settings("t") == 1
    again = journal.take_page("t")
    assert again is not None and again.name == page.name
    assert journal.counts().running == 1
    assert journal.counts("s").done == 1


def test_file_that_went_away_is_as_if_never_seen(journal: Journal) -> None:
    open_file(journal, FILE, A)
    page = journal.take_page("s")
    assert page is not None
    journal.forget(page.file)
    assert journal.counts("s").files == journal.counts("s").queued == journal.counts("s").running == 0
    open_file(journal, FILE, A)
    assert journal.take_page("s") is not None


def test_page_whose_file_went_away_is_read_from_its_copy(journal: Journal) -> None:
    copy = SeenFile(Path("/in/copy.tif"), 10, 21)
    open_file(journal, FILE, A)
    open_file(journal, copy, A)
    page = journal.take_page("s")
    assert page is not None
    journal.forget(page.file)
    again = journal.take_page("s")
    assert again is not None and again.file == copy


def test_paths_that_are_no_text(journal: Journal) -> None:
    path = Path(os.fsdecode(b"/in/\xff\n\xe2\x80\xaegpj.png"))
    open_file(journal, SeenFile(path, 1, 1), A)
    page = journal.take_page("s")
    assert page is not None and page.file.path == path
    assert page.name.isprintable()


def test_journal_is_private_and_flushed(journal: Journal, tmp_path: Path) -> None:
    assert (tmp_path / "journal.sqlite").stat().st_mode & 0o777 == 0o600
    settings = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]  # pyright: ignore[reportPrivateUsage]
    assert settings == ["wal", 2]


def test_damaged_journal_and_one_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(8192))
    with pytest.raises(OutputError, match="noise: the journal cannot be used"):
        Journal(tmp_path / "noise")
    Journal(tmp_path / "later").close()
    with sqlite3.connect(tmp_path / "later") as db:
        db.execute("UPDATE meta SET value='99' WHERE key='version'")
    db.close()
    with pytest.raises(OutputError, match="another version"):
        Journal(tmp_path / "later")


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=250), min_size=1, max_size=3))
def test_names_are_printable_and_short_and_the_last_is_unique(parts: list[str]) -> None:
    parts = [part for part in parts if part not in (".", "..")] or ["x"]
    path = Path("/in", *parts)
    candidates = page_names(path, document_folder(path, Path("/in")), A, 2)
    for names in candidates:
        for name in names:
            assert name.isprintable()
            assert all(len(part.encode()) <= LONGEST_BYTES + 24 and part not in (".", "..") for part in name.split("/"))
            assert not name.startswith("/")
    assert all(A in name for name in candidates[-1])


def test_names_that_a_disk_may_take_for_one() -> None:
    assert name_key("STRASSE/\u00c9t\u00e9") == name_key("stra\u00dfe/E\u0301te\u0301")


def test_settings_travel_and_what_changes_results_changes_the_key() -> None:
    settings = Settings(ReadOptions(("deu",), model=Path("/m")), ("text", "alto"))
    begin = Begin(settings.work, 7, (Path(os.fsdecode(b"/m\xff")),), ())
    assert decode_to_worker(encode(begin)) == begin
    key = settings.key("model@1")
    assert key == Settings(ReadOptions(("deu",), threads=7), ("alto", "text")).key("model@1")
    assert key != settings.key("model@2")
    assert key != Settings(ReadOptions(("deu",)), ("text",)).key("model@1")


def test_documents_by_folder_and_by_name() -> None:
    group = re.compile(r"(.+)_[0-9]+")
    paths = [Path("/in", name) for name in ("deed_001.tif", "box/deed_2.tif", "box/deed.tif")]
    assert [document_folder(path, Path("/in"), group) for path in paths] == ["deed", "box/deed", "box"]
    assert [document_folder(path, Path("/in")) for path in paths] == ["", "box", "box"]


def test_natural_order() -> None:
    assert sorted(["p10", "p9", "p1a", "10", "9"], key=natural) == ["9", "10", "p1a", "p9", "p10"]


def test_only_scans_are_found_and_no_link_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("in/b10.png", "in/b9.PNG", "in/sub/a.pdf", "in/.hidden.png", "in/list.xml", "elsewhere/no.png"):
        (tmp_path / name).write_bytes(b"x")
    (root / "link.png").symlink_to(tmp_path / "elsewhere/no.png")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    found = find_files(root)
    assert [file.path.relative_to(root).as_posix() for file in found.files] == ["b9.PNG", "b10.png", "sub/a.pdf"]
    assert found.others == 6
    assert len(find_files(root, every=True).files) == 4
    assert [f.path.name for f in find_files(root, root / "sub").files] == ["b9.PNG", "b10.png"]
    assert find_files(root / "link.png").files == []
