"""The journal of a batch: which files were seen, which pages they hold, and how far each page has come.

SQLite with a write-ahead log that is flushed at every commit: without that flush, a power cut takes back commits that
were already acknowledged. The journal holds paths, digests, counts and reasons, never text.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from carrel.errors import OutputError
from carrel.workers.files import SeenFile

FORMAT_VERSION = 1
MOST_ATTEMPTS = 2
"""A page that took its worker down this often is quarantined."""
MOST_LOST_RUNS = 5
"""A page that was being read each time when the whole machine went down this often is quarantined too."""

_LOG_PAGES = 100
"""Of 4 KiB in the write-ahead log, before it is written back: keeps it small on small disks."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files(
  path BLOB PRIMARY KEY, bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'opened', 'refused', 'quarantined')),
  attempts INTEGER NOT NULL DEFAULT 0, lost_runs INTEGER NOT NULL DEFAULT 0,
  sha256 TEXT, reason TEXT, settled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS files_by_content ON files(sha256);
CREATE INDEX IF NOT EXISTS files_by_state ON files(state, lost_runs, attempts);
CREATE TABLE IF NOT EXISTS pages(
  sha256 TEXT NOT NULL, page_index INTEGER NOT NULL, settings TEXT NOT NULL, name TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'done', 'refused', 'quarantined')),
  attempts INTEGER NOT NULL DEFAULT 0, lost_runs INTEGER NOT NULL DEFAULT 0,
  reason TEXT, lines INTEGER, unread INTEGER, review INTEGER, finished TEXT, kept INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY(sha256, page_index, settings));
CREATE INDEX IF NOT EXISTS pages_by_state ON pages(settings, state, lost_runs, attempts);
CREATE TABLE IF NOT EXISTS names(name_key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, page_index INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class PageKey:
    """A page by the digest of its file, its place in it (from 0), and the settings it is read under."""

    sha256: str
    page_index: int
    settings: str


@dataclass(frozen=True, slots=True)
class QueuedPage:
    """A page to be read: the file it is in, and the name of its results without suffix."""

    key: PageKey
    file: SeenFile
    name: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the batch has come. ``waiting_files`` have not been opened; ``duplicates`` are files whose content was
    there before under another path; ``review`` counts pages with a doubtful or unread line."""

    queued: int = 0
    running: int = 0
    done: int = 0
    refused: int = 0
    quarantined: int = 0
    review: int = 0
    lines: int = 0
    unread_lines: int = 0
    files: int = 0
    waiting_files: int = 0
    refused_files: int = 0
    duplicates: int = 0

    @property
    def failed(self) -> int:
        """Pages and files that gave no results."""
        return self.refused + self.quarantined + self.refused_files


class Journal:
    """The journal in ``path``, made if need be. One process writes at a time; others may look with ``readonly``.

    Raises
    ------
    OutputError
        It cannot be opened, or is of another version; also from every method, when it cannot be written. The cause
        is an ``OSError`` with ENOSPC where the disk is full.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        mode = "ro" if readonly else "rwc"
        with self._translated():
            uri = f"file:{_quoted(path)}?mode={mode}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
            if not readonly:
                path.chmod(0o600)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA secure_delete=ON")
                self._db.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
                self._prepare()

    def close(self) -> None:
        self._db.close()

    def recover(self) -> list[str]:
        """Queue again what was running when the last run ended; returns the names whose results may be half written.

        A page that was running in many lost runs is quarantined: it may be what takes the machine down.
        """
        with self._commit():
            names = [name for (name,) in self._db.execute("SELECT name FROM pages WHERE state='running'")]
            for table in ("files", "pages"):
                self._db.execute(
                    f"UPDATE {table} SET lost_runs=lost_runs+1, state=CASE WHEN lost_runs+1>=? THEN 'quarantined'"
                    " ELSE 'queued' END, reason=CASE WHEN lost_runs+1>=? THEN ? END WHERE state='running'",
                    (MOST_LOST_RUNS, MOST_LOST_RUNS, f"was being read in {MOST_LOST_RUNS} runs that were cut off"),
                )
        return names

    def add_files(self, files: Iterable[SeenFile]) -> None:
        """Queue files that are new or have changed since they were opened."""
        rows = [(os.fsencode(f.path), f.size_bytes, f.changed_ns) for f in files]
        with self._commit():
            self._db.executemany(
                "INSERT INTO files(path, bytes, changed_ns, state) VALUES(?, ?, ?, 'queued') ON CONFLICT(path) DO UPDATE"
                " SET bytes=excluded.bytes, changed_ns=excluded.changed_ns, state='queued', attempts=0, lost_runs=0,"
                " sha256=NULL, reason=NULL, settled=0"
                " WHERE files.bytes<>excluded.bytes OR files.changed_ns<>excluded.changed_ns",
                rows,
            )

    def use_settings(self, settings: str) -> int:
        """From now on pages are read under these settings; queues the pages of all opened files that were not yet.

        Returns how many pages that were read under other settings are queued by it.
        """
        with self._commit():
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO pages(sha256, page_index, settings, name, state)"
                " SELECT sha256, page_index, ?, min(name), 'queued' FROM pages"
                " WHERE sha256 IN (SELECT sha256 FROM files WHERE state='opened') GROUP BY sha256, page_index",
                (settings,),
            )
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('settings', ?)", (settings,))
        return cursor.rowcount

    def take_file(self) -> SeenFile | None:
        """The next file to open, marked as running; files that failed before come last."""
        with self._commit():
            row = self._one(
                "SELECT path, bytes, changed_ns FROM files WHERE state='queued'"
                " ORDER BY lost_runs, attempts, rowid LIMIT 1"
            )
            if row is None:
                return None
            self._db.execute("UPDATE files SET state='running' WHERE path=?", (row[0],))
        return _seen(*row)

    def opened(self, file: SeenFile, sha256: str, settings: str, names: Sequence[Sequence[str]]) -> None:
        """A file was opened: queue its pages, unless a file of the same content was there before.

        ``names`` are candidates for the pages' names, a list of all pages' names each; the first that is free is taken.
        """
        with self._commit():
            self._db.execute("UPDATE files SET state='opened', sha256=? WHERE path=?", (sha256, os.fsencode(file.path)))
            chosen = self._names(sha256, names)
            self._db.executemany(
                "INSERT OR IGNORE INTO pages(sha256, page_index, settings, name, state) VALUES(?, ?, ?, ?, 'queued')",
                [(sha256, index, settings, name) for index, name in enumerate(chosen)],
            )

    def take_page(self, settings: str) -> QueuedPage | None:
        """The next page to read, marked as running; pages that failed before come last."""
        with self._commit():
            row = self._one(
                "SELECT sha256, page_index, name, path, bytes, changed_ns FROM pages JOIN files USING(sha256)"
                " WHERE pages.settings=? AND pages.state='queued' AND files.state='opened'"
                " ORDER BY pages.lost_runs, pages.attempts, pages.rowid LIMIT 1",
                (settings,),
            )
            if row is None:
                return None
            key = PageKey(row[0], row[1], settings)
            self._set_page(key, "state='running'")
        return QueuedPage(key, _seen(*row[3:]), row[2])

    def unfinished(self, settings: str) -> bool:
        """Is there a file to open or a page to read?"""
        files = "SELECT 1 FROM files WHERE state IN ('queued', 'running')"
        pages = "SELECT 1 FROM pages WHERE settings=? AND state IN ('queued', 'running')"
        return bool(self._one(f"SELECT EXISTS({files}) OR EXISTS({pages})", (settings,))[0])

    def queued_pages(self, settings: str) -> int:
        return int(self._one("SELECT count(*) FROM pages WHERE settings=? AND state='queued'", (settings,))[0])

    def page_done(self, key: PageKey, lines: int, unread: int, review: int) -> None:
        """Results are on the disk."""
        with self._commit():
            self._set_page(
                key,
                "state='done', kept=1, reason=NULL, lines=?, unread=?, review=?, finished=?",
                lines,
                unread,
                review,
                datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )

    def page_refused(self, key: PageKey, reason: str) -> None:
        with self._commit():
            self._set_page(key, "state='refused', reason=?", reason)

    def file_refused(self, file: SeenFile, reason: str, sha256: str | None) -> None:
        with self._commit():
            self._set_file(file, "state='refused', reason=?, sha256=?", reason, sha256)

    def page_failed(self, key: PageKey, reason: str) -> None:
        """Its worker died over it, or took too long: one more attempt, then quarantine."""
        with self._commit():
            self._set_page(key, _FAILED, MOST_ATTEMPTS, reason)

    def file_failed(self, file: SeenFile, reason: str) -> None:
        with self._commit():
            self._set_file(file, _FAILED, MOST_ATTEMPTS, reason)

    def release_page(self, key: PageKey) -> None:
        """Queue a page again that was not read through no fault of its own."""
        with self._commit():
            self._set_page(key, "state='queued'")

    def release_file(self, file: SeenFile) -> None:
        with self._commit():
            self._set_file(file, "state='queued'")

    def forget(self, file: SeenFile) -> None:
        """The file went away or changed before its pages were read: as if it had never been seen."""
        with self._commit():
            row = self._one("SELECT sha256 FROM files WHERE path=?", (os.fsencode(file.path),))
            self._db.execute("DELETE FROM files WHERE path=?", (os.fsencode(file.path),))
            if row and row[0] and not self._one("SELECT 1 FROM files WHERE sha256=?", (row[0],)):
                self._db.execute("DELETE FROM pages WHERE sha256=? AND state IN ('queued', 'running')", (row[0],))
            elif row and row[0]:
                self._db.execute("UPDATE pages SET state='queued' WHERE sha256=? AND state='running'", (row[0],))

    def finished_files(self, settings: str) -> list[tuple[SeenFile, bool]]:
        """Files that nothing more will be done with and whose originals have not been dealt with; True where every page
        was read."""
        rows = self._all(
            "SELECT path, bytes, changed_ns, state='opened' AND NOT EXISTS (SELECT 1 FROM pages WHERE"
            " pages.sha256=files.sha256 AND settings=? AND pages.state<>'done') FROM files WHERE settled=0"
            " AND state NOT IN ('queued', 'running') AND NOT EXISTS (SELECT 1 FROM pages WHERE"
            " pages.sha256=files.sha256 AND settings=? AND pages.state IN ('queued', 'running'))",
            (settings, settings),
        )
        return [(_seen(*row[:3]), bool(row[3])) for row in rows]

    def settle_file(self, file: SeenFile) -> None:
        """The original was kept, moved or deleted, as it should."""
        with self._commit():
            self._set_file(file, "settled=1")

    def pages_below(self, folder: str, settings: str) -> list[tuple[str, str]]:
        """Names and states of the pages whose names lie directly in ``folder``."""
        rows = self._all("SELECT name, state FROM pages WHERE settings=? ORDER BY name", (settings,))
        return [(name, state) for name, state in rows if name.rpartition("/")[0] == folder]

    def names(self) -> list[str]:
        """Names of all pages that were ever queued."""
        return [name for (name,) in self._all("SELECT DISTINCT name FROM pages")]

    def results(self, finished_before: str | None = None) -> list[str]:
        """Names of pages whose results may be there; only of those that were finished before a time as in
        ``2026-01-31T12:00:00Z``, if one is given.
        """
        rows = self._all(
            "SELECT DISTINCT name FROM pages WHERE kept=1 AND (? IS NULL OR finished<?)",
            (finished_before, finished_before),
        )
        return [name for (name,) in rows]

    def results_deleted(self, names: Iterable[str]) -> None:
        """Remember pages as done whose results are gone: they are not read again."""
        with self._commit():
            self._db.executemany("UPDATE pages SET kept=0 WHERE name=?", [(name,) for name in names])

    def retry_failed(self) -> None:
        """Queue again what was refused or quarantined."""
        with self._commit():
            for table in ("files", "pages"):
                self._db.execute(
                    f"UPDATE {table} SET state='queued', attempts=0, lost_runs=0, reason=NULL"
                    " WHERE state IN ('refused', 'quarantined')"
                )

    def counts(self, settings: str | None = None) -> Counts:
        """Counts of the pages read under ``settings``, by default those of the last run, and of all files."""
        key = settings or self.meta("settings") or ""
        states: Counter[str] = Counter(
            dict(self._all("SELECT state, count(*) FROM pages WHERE settings=? GROUP BY state", (key,)))
        )
        files: Counter[str] = Counter(dict(self._all("SELECT state, count(*) FROM files GROUP BY state")))
        contents = self._one("SELECT count(sha256), count(DISTINCT sha256) FROM files WHERE state='opened'")
        sums = self._one(
            "SELECT coalesce(sum(lines), 0), coalesce(sum(unread), 0), coalesce(sum(review > 0), 0)"
            " FROM pages WHERE settings=? AND state='done'",
            (key,),
        )
        return Counts(
            **{state: states[state] for state in ("queued", "running", "done", "refused", "quarantined")},
            lines=sums[0],
            unread_lines=sums[1],
            review=sums[2],
            files=files.total(),
            waiting_files=files["queued"] + files["running"],
            refused_files=files["refused"] + files["quarantined"],
            duplicates=contents[0] - contents[1],
        )

    def failures(self, settings: str | None = None) -> list[tuple[Path, int | None, str, str]]:
        """What gave no results: path, page (from 0, None for a whole file), state and reason."""
        key = settings or self.meta("settings") or ""
        rows = self._all(
            "SELECT path, NULL, state, reason FROM files WHERE state IN ('refused', 'quarantined') UNION ALL"
            " SELECT min(path), page_index, pages.state, pages.reason FROM pages JOIN files USING(sha256)"
            " WHERE pages.settings=? AND pages.state IN ('refused', 'quarantined') GROUP BY sha256, page_index"
            " ORDER BY 1, 2",
            (key,),
        )
        return [(Path(os.fsdecode(path)), index, state, reason or "") for path, index, state, reason in rows]

    def meta(self, key: str) -> str | None:
        row = self._one("SELECT value FROM meta WHERE key=?", (key,))
        return None if row is None else row[0]

    def _prepare(self) -> None:
        with self._commit():
            self._db.execute("CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            row = self._one("SELECT value FROM meta WHERE key='version'")
            if row is not None and row[0] != str(FORMAT_VERSION):
                raise OutputError(f"{self.path}: a journal of another version of Carrel; choose another folder with -o")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES('version', ?)", (str(FORMAT_VERSION),))

    def _names(self, sha256: str, candidates: Sequence[Sequence[str]]) -> Sequence[str]:
        for names in candidates:
            keys = [name_key(name) for name in names]
            owners = (self._one("SELECT sha256 FROM names WHERE name_key=?", (key,)) for key in keys)
            if all(owner is None or owner[0] == sha256 for owner in owners):
                self._db.executemany(
                    "INSERT OR IGNORE INTO names VALUES(?, ?, ?)", [(k, sha256, i) for i, k in enumerate(keys)]
                )
                return names
        raise AssertionError("the last candidate names hold the digest of the file: they are its own")

    def _set_page(self, key: PageKey, assignments: str, *values: Any) -> None:
        self._db.execute(
            f"UPDATE pages SET {assignments} WHERE sha256=? AND page_index=? AND settings=?",
            (*values, key.sha256, key.page_index, key.settings),
        )

    def _set_file(self, file: SeenFile, assignments: str, *values: Any) -> None:
        self._db.execute(f"UPDATE files SET {assignments} WHERE path=?", (*values, os.fsencode(file.path)))

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        with self._translated():
            return self._db.execute(statement, values).fetchone()

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._translated():
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def _commit(self) -> Generator[None]:
        """One transaction: all of it is on the disk afterwards, or none."""
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
            raise OutputError(f"{self.path}: the journal cannot be used ({error})") from OSError(number, str(error))
        except OSError as error:
            raise OutputError(f"{self.path}: the journal cannot be used ({error.strerror})") from error


_FAILED = "attempts=attempts+1, state=CASE WHEN attempts+1>=? THEN 'quarantined' ELSE 'queued' END, reason=?"


def name_key(name: str) -> str:
    """Names with the same key may be one file on some disk: case and composition of letters do not count."""
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _seen(path: bytes, size_bytes: int, changed_ns: int) -> SeenFile:
    return SeenFile(Path(os.fsdecode(path)), size_bytes, changed_ns)


def _quoted(path: Path) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(os.fsencode(path))
