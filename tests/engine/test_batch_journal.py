"""The journal: every page once, whatever order things happen in."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.batch.intake import find_files, natural
from carrel.batch.journal import MOST_LOST_RUNS, Journal, QueuedPage, Reconciled, name_key
from carrel.batch.names import LONGEST_BYTES, candidates, document_folder
from carrel.batch.results import SUFFIXES, Move, PageKey, Written
from carrel.batch.settings import Settings
from carrel.batch.watch import DOCUMENT_FILE
from carrel.errors import OutputError
from carrel.options import ReadOptions
from carrel.workers.files import SeenFile
from carrel.workers.messages import Begin, decode_to_worker, encode

A, B = (digit * 64 for digit in "ab")
FILE = SeenFile(Path("/in/one.tif"), 10, 20)


@pytest.fixture
def journal(tmp_path: Path):
    opened = Journal(tmp_path / "journal.sqlite")
    opened.begin_run()
    opened.use_settings("s", ("text",))
    yield opened
    opened.close()


def open_file(journal: Journal, file: SeenFile, sha256: str, pages: int = 1) -> None:
    journal.add_files([file])
    assert journal.take_file() == file
    assert journal.opened(file, sha256, pages, lambda number: candidates(file.path, "", number))


def read_page(journal: Journal, page: QueuedPage | None) -> list[str]:
    """Settle a page; the paths of its results."""
    assert page is not None
    written = [Written(delivery, "digest") for delivery in journal.deliveries(page.key, page.formats)]
    if page.stored is None:
        journal.page_done(page.key, b"{}", (5, 1, 2), written)
    else:
        journal.page_written(page.key, written)
    return [w.delivery.path for w in written]


def paths_of(journal: Journal) -> list[str]:
    return [path for page in iter(journal.take_page, None) for path in read_page(journal, page)]


def test_pages_are_taken_once_and_in_order(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    taken = [journal.take_page() for _ in range(3)]
    assert [page and page.key for page in taken] == [PageKey(A, 0), PageKey(A, 1), None]


def test_equal_files_are_read_once_and_each_has_its_results(journal: Journal) -> None:
    open_file(journal, FILE, A)
    open_file(journal, SeenFile(Path("/in/copy.tif"), 10, 21), A)
    counts = journal.counts()
    assert (counts.queued, counts.duplicates, counts.files) == (1, 1, 2)
    assert paths_of(journal) == ["one.txt", "copy.txt"]
    open_file(journal, SeenFile(Path("/in/late.tif"), 10, 22), A)
    page = journal.take_page()
    assert page is not None and page.stored == b"{}", "a page that was read is written from what is stored"
    assert "late.txt" in read_page(journal, page)
    assert list(journal.duplicates()) == [(Path(f"/in/{name}.tif"), FILE.path) for name in ("copy", "late")]


def test_files_that_were_seen_are_not_opened_again_until_they_change(journal: Journal) -> None:
    open_file(journal, FILE, A)
    journal.add_files([FILE])
    assert journal.take_file() is None
    journal.add_files([SeenFile(FILE.path, 10, 99)])
    assert journal.take_file() == SeenFile(FILE.path, 10, 99)


@pytest.mark.parametrize("sha256", [A, B], ids=["touched", "scanned again"])
def test_stopped_within_a_file_that_changes_then(journal: Journal, sha256: str) -> None:
    open_file(journal, FILE, A, pages=12)
    for _ in range(2):
        read_page(journal, journal.take_page())
    open_file(journal, SeenFile(FILE.path, 10, 99), sha256, pages=12)
    for move in journal.to_set_aside():
        journal.set_aside(move.path, f"{move.path}.~1~", moved=True)
    assert len(paths_of(journal)) == (10 if sha256 == A else 12)
    assert not journal.unfinished
    journal.check()
    assert journal.reconciled() == Reconciled(1, read=1)


def test_replaced_scan_takes_the_name_and_its_old_result_is_set_aside(journal: Journal) -> None:
    open_file(journal, FILE, A)
    assert paths_of(journal) == ["one.txt"]
    open_file(journal, SeenFile(FILE.path, 11, 99), B)
    assert journal.to_set_aside() == [Move("one.txt", None)]
    journal.set_aside("one.txt", "one.txt.~1~", moved=False)
    assert journal.to_set_aside() == [Move("one.txt", "one.txt.~1~")], "a run that is cut off here goes on"
    journal.set_aside("one.txt", "one.txt.~1~", moved=True)
    assert journal.to_set_aside() == []
    assert paths_of(journal) == ["one.txt"]
    assert [path for path, _ in journal.results()] == ["one.txt", "one.txt.~1~"]


def test_another_file_of_a_name_whose_original_has_left_gets_its_own(journal: Journal) -> None:
    open_file(journal, FILE, A)
    assert paths_of(journal) == ["one.txt"]
    journal.settle_file(FILE, departed=True)
    open_file(journal, SeenFile(FILE.path, 11, 99), B)
    assert journal.to_set_aside() == []
    assert paths_of(journal) == ["one.tif.txt"]
    assert [original.name for original in journal.finished_files()] == ["one.tif"]


def test_names_that_would_overwrite_each_other_are_told_apart(journal: Journal) -> None:
    for number, (name, sha256) in enumerate((("Page.tif", A), ("page.png", B), ("PAGE.PNG", "c" * 64))):
        open_file(journal, SeenFile(Path("/in", name), 1, number), sha256)
    assert paths_of(journal) == ["Page.txt", "page.png.txt", "PAGE-2.txt"]


def test_name_of_a_single_page_that_equals_a_page_of_another_file(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    open_file(journal, SeenFile(Path("/in/one-0002.png"), 1, 1), B)
    assert paths_of(journal) == ["one-0001.txt", "one-0002.txt", "one-0002.png.txt"]


def test_no_suffix_ends_another() -> None:
    """Then different names never give the same path."""
    assert not [(a, b) for a in SUFFIXES.values() for b in SUFFIXES.values() if a != b and a.endswith(b)]
    assert not any(DOCUMENT_FILE.endswith(suffix) for suffix in SUFFIXES.values())


def test_failing_page_is_tried_once_more_and_last(journal: Journal) -> None:
    open_file(journal, FILE, A, pages=2)
    first = journal.take_page()
    assert first is not None
    journal.page_failed(first.key, "ended by SIGSEGV")
    second, again = journal.take_page(), journal.take_page()
    assert second is not None and second.key.page_index == 1
    assert again is not None and again.key == first.key
    journal.page_failed(again.key, "ended by SIGSEGV")
    assert journal.take_page() is None
    assert journal.counts().quarantined == 1
    assert journal.failures() == [(FILE.path, 0, "quarantined", "ended by SIGSEGV")]
    assert journal.reconciled().waiting == 1
    read_page(journal, second)
    assert journal.reconciled() == Reconciled(1, put_aside=1)
    journal.retry_failed()
    assert journal.take_page() is not None


def test_lost_runs_queue_again_what_was_running(tmp_path: Path) -> None:
    for run in range(MOST_LOST_RUNS):
        journal = Journal(tmp_path / "journal.sqlite")  # as after a power cut: never closed cleanly
        journal.begin_run()
        if run == 0:
            journal.use_settings("s", ("text",))
            open_file(journal, FILE, A, pages=2)
        page = journal.take_page()
        assert page is not None and page.key.page_index == 0
        assert [d.lost for d in journal.deliveries(page.key, page.formats)] == [run > 0]
        if run == 0:
            read_page(journal, journal.take_page())
        journal.close()
    journal = Journal(tmp_path / "journal.sqlite")
    journal.begin_run()
    assert (journal.counts().quarantined, journal.counts().done) == (1, 1)
    journal.close()


def test_other_settings_read_nothing_again_until_asked(journal: Journal) -> None:
    open_file(journal, FILE, A)
    read_page(journal, journal.take_page())
    assert journal.use_settings("s", ("text",)) == 0
    assert journal.use_settings("t", ("text",)) == 1
    assert not journal.unfinished
    assert journal.reread([PageKey(A, 0)]) == 0
    assert journal.reread() == 1
    again = journal.take_page()
    assert again is not None and again.stored is None
    assert journal.counts().running == 1
    assert [d.digest for d in journal.deliveries(again.key, again.formats)] == ["digest"]


def test_more_formats_and_lost_results_are_written_from_what_is_stored(journal: Journal) -> None:
    open_file(journal, FILE, A)
    read_page(journal, journal.take_page())
    journal.use_settings("s", ("text", "alto"))
    assert journal.queue_missing() == 1
    page = journal.take_page()
    assert page is not None and (page.stored, page.formats) == (b"{}", ("alto",))
    assert read_page(journal, page) == ["one.alto.xml"]
    assert journal.forget_lost(lambda path: path != "one.txt") == 1
    assert journal.queue_missing() == 1
    assert paths_of(journal) == ["one.txt"]


def test_file_that_went_away_is_counted_and_comes_back(journal: Journal) -> None:
    open_file(journal, FILE, A)
    page = journal.take_page()
    assert page is not None
    journal.file_gone(page.file)
    journal.release_page(page.key)
    journal.check()
    counts = journal.counts()
    assert (counts.gone, counts.queued, counts.running, counts.failed) == (1, 0, 0, 1)
    assert journal.reconciled() == Reconciled(1, gone=1)
    assert journal.failures()[0][2] == "gone"
    open_file(journal, FILE, A)
    assert journal.take_page() is not None


def test_page_whose_file_went_away_is_read_from_its_copy(journal: Journal) -> None:
    copy = SeenFile(Path("/in/copy.tif"), 10, 21)
    open_file(journal, FILE, A)
    open_file(journal, copy, A)
    page = journal.take_page()
    assert page is not None
    journal.file_gone(page.file)
    journal.release_page(page.key)
    again = journal.take_page()
    assert again is not None and again.file == copy


def test_folders_that_cannot_be_looked_into_are_counted(journal: Journal) -> None:
    journal.add_files([FILE], [Path("/in/closed")])
    assert (journal.counts().unreadable, journal.counts().failed) == (1, 1)
    assert journal.failures()[0][:3] == (Path("/in/closed"), None, "unreadable")
    journal.begin_run()
    assert journal.counts().unreadable == 0


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE files SET state='gone'", "no file holds"),
        ("DELETE FROM pages WHERE page_index=1", "lacks pages"),
        ("DELETE FROM names", "has no name"),
        ("UPDATE pages SET state='done'", "has no reading"),
    ],
)
def test_damaged_journal_names_the_way_out(journal: Journal, damage: str, says: str) -> None:
    open_file(journal, FILE, A, pages=2)
    journal.check()
    journal._db.execute(damage)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(OutputError, match=f"{says}.*--rebuild"):
        journal.check()


DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("hours", "days", "old"),
    [
        ([24.0] * 31, 30, True),
        ([24.0] * 29, 30, False),
        ([24.0 * 365 * 25], 30, False),  # a clock without a battery, set right
        ([24.0 * 365 * 25, 24.0], 30, False),
        ([-24.0 * 365, 24.0 * 365], 30, False),
        ([24.0 * 365], 0.01, False),
        ([1.0] * 3, 0.05, True),
    ],
)
def test_age_is_what_was_seen_of_the_time(
    journal: Journal, hours: list[float], days: float, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    monkeypatch.setattr(time, "time", lambda: now)
    journal.tick()
    open_file(journal, FILE, A)
    read_page(journal, journal.take_page())
    jumps = 0
    for step in (0.0, *hours):
        now += step * 3600
        jumps += journal.tick() is not None
    assert (len(journal.older_than(days * DAY_S)) > 0) is old
    assert (jumps > 0) is (max(map(abs, hours)) > 24 * 7)


def test_paths_that_are_no_text(journal: Journal) -> None:
    path = Path(os.fsdecode(b"/in/\xff\n\xe2\x80\xaegpj.png"))
    open_file(journal, SeenFile(path, 1, 1), A)
    page = journal.take_page()
    assert page is not None and page.file.path == path
    assert all(name.isprintable() for name in read_page(journal, page))


def test_journal_is_private_and_flushed(journal: Journal, tmp_path: Path) -> None:
    assert (tmp_path / "journal.sqlite").stat().st_mode & 0o777 == 0o600
    settings = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]  # pyright: ignore[reportPrivateUsage]
    assert settings == ["wal", 2]


def test_damaged_journal_and_one_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(8192))
    with pytest.raises(OutputError, match=r"noise: the journal is damaged.*--rebuild"):
        Journal(tmp_path / "noise")
    Journal(tmp_path / "later").close()
    with sqlite3.connect(tmp_path / "later") as db:
        db.execute("UPDATE meta SET value='99' WHERE key='version'")
    db.close()
    with pytest.raises(OutputError, match="another version"):
        Journal(tmp_path / "later")


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=250), min_size=1, max_size=3))
def test_names_are_printable_and_short_and_never_end(parts: list[str]) -> None:
    parts = [part for part in parts if part not in (".", "..")] or ["x"]
    path = Path("/in", *parts)
    seen: set[str] = set()
    for names in islice(candidates(path, document_folder(path, Path("/in")), 2), 5):
        for name in names:
            assert name.isprintable()
            assert all(len(part.encode()) <= LONGEST_BYTES + 24 and part not in (".", "..") for part in name.split("/"))
            assert not name.startswith("/")
        seen |= set(names)
    assert len(seen) >= 12


def test_names_that_a_disk_may_take_for_one() -> None:
    assert name_key("STRASSE/\u00c9t\u00e9") == name_key("stra\u00dfe/E\u0301te\u0301")


def test_settings_travel_and_what_changes_results_changes_the_key() -> None:
    settings = Settings(ReadOptions(("deu",), model=Path("/m")), ("text", "alto"))
    begin = Begin(settings.work, 7, (Path(os.fsdecode(b"/m\xff")),), ())
    assert decode_to_worker(encode(begin)) == begin
    key = settings.key("model@1")
    assert key == Settings(ReadOptions(("deu",), threads=7), ("text",)).key("model@1")
    assert key != settings.key("model@2")
    assert key != Settings(ReadOptions(("fra",))).key("model@1")


def test_documents_by_folder_and_by_name() -> None:
    group = re.compile(r"(.+)_[0-9]+")
    paths = [Path("/in", name) for name in ("deed_001.tif", "box/deed_2.tif", "box/deed.tif")]
    assert [document_folder(path, Path("/in"), group) for path in paths] == ["deed", "box/deed", "box"]
    assert [document_folder(path, Path("/in")) for path in paths] == ["", "box", "box"]
    assert document_folder(Path("/in/_2.png"), Path("/in"), re.compile("(x)?_[0-9]+")) == ""


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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"CREATE UNIQUE INDEX", b"CREATE UN\x9aQUE INDEX"),
        (b"path BLOB NOT NULL", b"pXth BLOB NOT NULL"),
        (b"sha256 TEXT PRIMARY", b"sha2X6 TEXT PRIMARY"),
        (b"SQLite format 3", b"SQLite format 4"),
    ],
)
def test_a_damaged_schema_names_the_way_out(before: bytes, after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))

    def use() -> None:
        with closing(Journal(path)) as journal:
            journal.check()
            journal.begin_run()
            journal.add_files([SeenFile(Path("a.png"), 1, 1)])
            journal.take_file()
            journal.take_page()
            journal.counts()

    with pytest.raises(OutputError, match="--rebuild"):
        use()


def test_a_page_that_cannot_be_unpacked_names_the_way_out(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        statements = (
            "INSERT INTO contents VALUES('s', 1)",
            "INSERT INTO pages(sha256, page_index, state) VALUES('s', 0, 'done')",
            "INSERT INTO readings VALUES('s', 0, x'00ff', 0)",
        )
        for statement in statements:
            journal._db.execute(statement)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(OutputError, match="--rebuild"):
            journal.stored(PageKey("s", 0))
