"""The journal's database: its tables, what must hold between them, and transactions that are on the disk or nowhere.

SQLite with a write-ahead log that is flushed at every commit: without that flush, a power cut takes back commits that
were already acknowledged. On a network share, where only single commands open a journal that was handed over, without it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from carrel.batch.shares import network_share
from carrel.errors import OutputError

FORMAT_VERSION = 2
WAY_OUT = "start again with --rebuild: the old journal is put aside, and results that are complete are taken over"

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Results of SQLite; the last means that tables are not those that Carrel made."""
_LOG_PAGES = 100
"""Of 4 KiB in the write-ahead log, before it is written back: keeps it small on small disks."""

_TABLES = """
CREATE TABLE IF NOT EXISTS contents(sha256 TEXT PRIMARY KEY, pages INTEGER NOT NULL CHECK(pages > 0));
CREATE TABLE IF NOT EXISTS files(
  id INTEGER PRIMARY KEY, path BLOB NOT NULL, bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN
    ('queued', 'running', 'opened', 'refused', 'quarantined', 'gone', 'unreadable', 'replaced', 'left')),
  attempts INTEGER NOT NULL DEFAULT 0, lost_runs INTEGER NOT NULL DEFAULT 0, run INTEGER NOT NULL,
  sha256 TEXT REFERENCES contents(sha256), reason TEXT, settled INTEGER NOT NULL DEFAULT 0, name TEXT,
  CHECK(state <> 'opened' OR (sha256 IS NOT NULL AND name IS NOT NULL)));
CREATE UNIQUE INDEX IF NOT EXISTS files_now ON files(path) WHERE state NOT IN ('replaced', 'left');
CREATE INDEX IF NOT EXISTS files_by_content ON files(sha256, state);
CREATE INDEX IF NOT EXISTS files_by_state ON files(state, lost_runs, attempts);
CREATE TABLE IF NOT EXISTS pages(
  sha256 TEXT NOT NULL REFERENCES contents(sha256), page_index INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'done', 'refused', 'quarantined', 'retired')),
  attempts INTEGER NOT NULL DEFAULT 0, lost_runs INTEGER NOT NULL DEFAULT 0,
  reason TEXT, lines INTEGER, unread INTEGER, review INTEGER, settings TEXT,
  PRIMARY KEY(sha256, page_index));
CREATE INDEX IF NOT EXISTS pages_by_state ON pages(state, lost_runs, attempts);
CREATE TABLE IF NOT EXISTS readings(
  sha256 TEXT NOT NULL, page_index INTEGER NOT NULL, page BLOB NOT NULL, again INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(sha256, page_index),
  FOREIGN KEY(sha256, page_index) REFERENCES pages(sha256, page_index));
CREATE TABLE IF NOT EXISTS names(name_key TEXT PRIMARY KEY, file INTEGER NOT NULL REFERENCES files(id));
CREATE INDEX IF NOT EXISTS names_by_file ON names(file);
CREATE TABLE IF NOT EXISTS results(
  path TEXT PRIMARY KEY, file INTEGER REFERENCES files(id), page_index INTEGER, format TEXT NOT NULL,
  digest TEXT NOT NULL, tick INTEGER NOT NULL, finished TEXT NOT NULL, expired INTEGER NOT NULL DEFAULT 0, aside TEXT,
  UNIQUE(file, page_index, format));
CREATE TABLE IF NOT EXISTS ticks(id INTEGER PRIMARY KEY, time_s REAL NOT NULL);
CREATE VIEW IF NOT EXISTS takeable AS SELECT pages.rowid AS row, * FROM pages WHERE state='queued' AND EXISTS (
  SELECT 1 FROM files WHERE files.sha256=pages.sha256 AND files.state='opened');
"""

_MUST_BE_EMPTY = {
    "a page waits that no file holds": """
SELECT 1 FROM pages WHERE state IN ('queued', 'running') AND NOT EXISTS (
  SELECT 1 FROM files WHERE files.sha256=pages.sha256 AND files.state IN ('opened', 'queued', 'running'))""",
    "an opened file lacks pages": """
SELECT 1 FROM files JOIN contents USING(sha256) WHERE state='opened' AND contents.pages<>(
  SELECT count(*) FROM pages WHERE pages.sha256=files.sha256 AND pages.state<>'retired')""",
    "an opened file has no name": """
SELECT 1 FROM files WHERE state='opened' AND NOT EXISTS (SELECT 1 FROM names WHERE names.file=files.id)""",
    "a result is of a page that was never read": """
SELECT 1 FROM results JOIN files ON files.id=results.file LEFT JOIN pages
  ON pages.sha256=files.sha256 AND pages.page_index=results.page_index
  WHERE results.page_index>=0 AND pages.settings IS NULL""",
    "a page is read and has no reading": """
SELECT 1 FROM pages WHERE state='done' AND settings IS NULL""",
}


class Database:
    """The database in ``path``, made if need be. One process writes at a time; others may look with ``readonly``.

    Raises
    ------
    OutputError
        It cannot be opened, is damaged, or is of another version; also from every method, when it cannot be written. The
        cause is an ``OSError`` with ENOSPC where the disk is full.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        with self._translated():
            uri = f"file:{quote_from_bytes(os.fsencode(path))}?mode={'ro' if readonly else 'rwc'}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
            try:
                if not readonly:
                    path.chmod(0o600)
                    for setting in (
                        f"journal_mode={'DELETE' if network_share(path) else 'WAL'}",
                        "synchronous=FULL",
                        "secure_delete=ON",
                        "foreign_keys=ON",
                        f"wal_autocheckpoint={_LOG_PAGES}",
                    ):
                        self._db.execute(f"PRAGMA {setting}")
                    self._prepare()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def check(self) -> None:
        """Check that the database is whole and that its tables agree.

        Raises
        ------
        OutputError
            They do not; the message names the way out.
        """
        faults = [what for what, rows in _MUST_BE_EMPTY.items() if self._one(f"SELECT EXISTS({rows})")[0]]
        whole = self._one("PRAGMA quick_check(1)")[0]
        faults += [] if whole == "ok" else [str(whole).splitlines()[-1]]
        faults += ["a row points nowhere"] if self._all("PRAGMA foreign_key_check") else []
        if faults:
            raise self._damaged("; ".join(faults))

    def meta(self, key: str) -> str | None:
        """Return a setting of the journal, None where it was never set."""
        row = self._one("SELECT value FROM meta WHERE key=?", (key,))
        return None if row is None else row[0]

    def set_meta(self, key: str, value: str) -> None:
        """Remember a setting."""
        with self._commit():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))

    def _prepare(self) -> None:
        with self._commit():
            self._db.execute("CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            row = self._one("SELECT value FROM meta WHERE key='version'")
            if row is not None and row[0] != str(FORMAT_VERSION):
                raise OutputError(f"{self.path}: a journal of another version of Carrel; choose another folder with -o")
            for statement in _TABLES.split(";\n"):
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES('version', ?)", (str(FORMAT_VERSION),))

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

    def _damaged(self, why: str) -> OutputError:
        return OutputError(f"{self.path}: the journal is damaged ({why}); {WAY_OUT}")

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
            if code in _DAMAGED:
                raise self._damaged(str(error)) from OSError(number, str(error))
            raise OutputError(f"{self.path}: the journal cannot be used ({error})") from OSError(number, str(error))
        except UnicodeDecodeError as error:  # SQLite quotes a schema that is none
            raise self._damaged("malformed database schema") from OSError(errno.EIO, str(error))
        except OSError as error:
            raise OutputError(f"{self.path}: the journal cannot be used ({error.strerror})") from error
