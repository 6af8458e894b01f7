"""The end of a shard: what became of every file and page of it, its review queue, and its journal, handed over with the results.

All of it lies in the shard's own ``.carrel`` folder: ``shard.jsonl`` (the counts, then a line a file), ``review.tsv`` and
``journal.sqlite``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from carrel.batch.folders import MARKER, QUEUE, STATE_FOLDER, Folders
from carrel.batch.journal import Journal
from carrel.batch.names import shown_name
from carrel.batch.results import DOCUMENT, PageKey, page_stem
from carrel.errors import InputError, OutputError
from carrel.fleet.leases import Progress
from carrel.formats.json_page import parse
from carrel.output import make_folder, write_file

RECORD = "shard.jsonl"
MOST_QUEUED = 100_000
"""Lines of a review queue: the worst ones."""


class ShardTold(Struct, frozen=True, omit_defaults=True):
    """The first line of a shard's record: its name, who read it, the counts, and the folder of a store that holds its results;
    "" where they lie beside the record."""

    shard: str
    host: str
    progress: Progress
    results_url: str = ""


class PageTold(Struct, frozen=True, omit_defaults=True):
    """A page of a file: its index (-1: the whole document), what became of it, and path and SHA-256 of each result by format."""

    index: int
    state: str = "done"
    reason: str = ""
    lines: int = 0
    review: bool = False
    results: dict[str, tuple[str, str]] = {}


class FileRecord(Struct, frozen=True, omit_defaults=True):
    """A file of a shard, by its path below the source; ``name`` is that of its results."""

    path: str
    state: str
    reason: str = ""
    sha256: str = ""
    name: str = ""
    pages: list[PageTold] = []


def hand_over(folders: Folders, source: Path, told: ShardTold, share: Path) -> None:
    """Write what became of a shard, and its journal, into a folder on the share; no batch works on it any more.

    Raises
    ------
    OutputError
        Something cannot be written.
    """
    target = share / STATE_FOLDER
    make_folder(share)
    make_folder(target)
    journal = Journal(folders.journal)
    try:
        lines = [msgspec.json.encode(told), *(msgspec.json.encode(file) for file in _records(journal, source))]
        queue = _queue(journal)
    finally:
        journal.close()
    write_file(target / RECORD, b"\n".join(lines) + b"\n")
    write_file(target / QUEUE, queue.encode())
    _copy_journal(folders.journal, target / "journal.sqlite")
    write_file(target / MARKER, (folders.state / MARKER).read_bytes())


def _records(journal: Journal, source: Path) -> Iterator[FileRecord]:
    for file in journal.told():
        results: dict[int, dict[str, tuple[str, str]]] = {}
        for index, form, path, digest in file.results:
            results.setdefault(index, {})[form] = (path, digest)
        pages = [
            PageTold(index, state, reason or "", lines or 0, bool(review), results.get(index, {}))
            for index, state, reason, lines, review in file.pages
        ]
        if DOCUMENT in results:
            pages.append(PageTold(DOCUMENT, results=results[DOCUMENT]))
        name = shown_name(str(file.path.relative_to(source)))
        yield FileRecord(name, file.state, file.reason, file.sha256 or "", file.name, pages)


def _queue(journal: Journal) -> str:
    """The worst lines of the shard as a worksheet."""
    from carrel.review.queue import tasks_of, worst_first
    from carrel.review.worksheet import as_text

    tasks = (
        task
        for file in journal.told()
        for index, state, *_ in file.pages
        if state == "done" and file.sha256
        for page in [journal.stored(PageKey(file.sha256, index))]
        if page is not None
        for task in tasks_of(page_stem(file.name, index, len(file.pages)), parse(page))
    )
    return as_text(worst_first(tasks)[:MOST_QUEUED])


def _copy_journal(journal: Path, target: Path) -> None:
    """Copy a closed journal, without its write-ahead log, which has no place on a network share."""
    try:
        with closing(sqlite3.connect(journal)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
        aside = target.with_name("journal.sqlite.copy")
        shutil.copyfile(journal, aside)
        with aside.open("rb+") as copy:
            os.fsync(copy.fileno())
        aside.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(
            f"{target}: the journal cannot be handed over ({error}); free space or mount it again"
        ) from error


def read_told(shard: Path) -> ShardTold:
    """Return the counts of a shard that is done, by the folder of its results.

    Raises
    ------
    InputError
        Its record is not there, or damaged.
    """
    path = shard / ".carrel" / RECORD
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.readline(), type=ShardTold)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise _damaged(path, error) from error


def read_records(shard: Path) -> Iterator[FileRecord]:
    """Yield what became of each file of a shard that is done.

    Raises
    ------
    InputError
        Its record is not there, or damaged.
    """
    path, decoder = shard / ".carrel" / RECORD, msgspec.json.Decoder(FileRecord)
    try:
        with path.open("rb") as file:
            file.readline()
            for line in file:
                yield decoder.decode(line)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: cannot be read ({error}); move the shard's folder away and let carrel work read it anew"
    )
