"""The journal of a batch: which files were seen, which pages they hold, and how far each page has come.

A page belongs to the digest of its file: equal files share their pages, a file with new content has new ones, and pages
that no file holds any more are retired. The journal keeps each page as it was read, so that other formats, lost results
and results of equal files are written without reading again.
"""

from __future__ import annotations

import errno
import json
import os
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.batch.results import WHOLE, PageKey, Results, Written, page_stem
from carrel.formats import SIDE_FORMATS
from carrel.workers.files import SeenFile

MOST_ATTEMPTS = 2
"""A page that took its worker down this often is quarantined."""
MOST_LOST_RUNS = 5
"""A page that was being read each time when the whole machine went down this often is quarantined too."""
Candidates = Callable[[int], Iterable[Sequence[str]]]
KEPT, DEPARTED = 1, 2  # what became of an original; 0: nothing yet


@dataclass(frozen=True, slots=True)
class QueuedPage:
    """A page to be read, or, where it was ``stored`` as JSON, to be written out; the file it is in; the formats.

    ``earlier`` is the JSON of a page that is read again.
    """

    key: PageKey
    file: SeenFile
    formats: tuple[str, ...]
    stored: bytes | None = None
    earlier: bytes | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """A file that nothing more will be done with: the name of its results, and its digest, where it has them, and
    whether every page was read."""

    file: SeenFile
    name: str | None
    sha256: str | None
    all_read: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a batch so far. ``waiting_files`` have not been opened; ``duplicates`` are files whose content another
    file has too; ``review`` counts pages to look at (`carrel.page.page_needs_review`); ``gone`` files went away or changed before they
    were read; ``unreadable`` folders could not be looked into."""

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
    gone: int = 0
    unreadable: int = 0
    duplicates: int = 0

    @property
    def failed(self) -> int:
        """Pages, files and folders that gave no results."""
        return self.refused + self.quarantined + self.refused_files + self.gone + self.unreadable


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Counts of the files that one run found, by what became of them; they add up to ``found``. Files with some pages refused or quarantined
    count as such."""

    found: int
    read: int = 0
    refused: int = 0
    put_aside: int = 0
    gone: int = 0
    waiting: int = 0

    @property
    def adds_up(self) -> bool:
        return self.found == self.read + self.refused + self.put_aside + self.gone + self.waiting


@dataclass(frozen=True, slots=True)
class FileTold:
    """A file: what became of it, its digest, the name of its results; of each page index, state, reason, lines, and whether
    it is to be reviewed; of each result page index, format, path and digest."""

    path: Path
    state: str
    reason: str
    sha256: str | None
    name: str
    pages: list[tuple[int, str, str | None, int | None, int | None]]
    results: list[tuple[int, str, str, str]]


class Journal(Results):
    """Files and pages, beside the results that `carrel.batch.results.Results` keeps."""

    def begin_run(self) -> None:
        """Start a run: queue again what was running when the last one ended, and forget folders that could not be read.

        A page that was running in many lost runs is quarantined: it may be what takes the machine down.
        """
        with self._commit():
            self._db.execute("DELETE FROM files WHERE state='unreadable'")
            for table in ("files", "pages"):
                self._db.execute(
                    f"UPDATE {table} SET lost_runs=lost_runs+1, state=CASE WHEN lost_runs+1>=? THEN 'quarantined'"
                    " ELSE 'queued' END, reason=CASE WHEN lost_runs+1>=? THEN ? END WHERE state='running'",
                    (MOST_LOST_RUNS, MOST_LOST_RUNS, f"was being read in {MOST_LOST_RUNS} runs that were cut off"),
                )
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('run', ?)", (str(self.run + 1),))

    @property
    def run(self) -> int:
        """The number of this run, from 1."""
        return int(self.meta("run") or 0)

    def add_files(
        self, files: Iterable[SeenFile], unreadable: Iterable[Path] = (), missing: Iterable[Path] = ()
    ) -> None:
        """Queue files that are new or have changed since they were opened, and note folders that could not be read and
        files that were listed and are not there; what was read of those before stays."""
        run = self.run
        with self._commit():
            for file in files:
                self._add(file, run)
            for folder in unreadable:
                self._db.execute(
                    "INSERT OR IGNORE INTO files(path, bytes, changed_ns, state, reason, run) VALUES(?, 0, 0,"
                    " 'unreadable', 'cannot be looked into; change its permissions', ?)",
                    (os.fsencode(folder), run),
                )
            for path in map(os.fsencode, missing):
                if not self._db.execute(f"UPDATE files SET run=? WHERE path=? AND {_NOW}", (run, path)).rowcount:
                    self._db.execute(
                        "INSERT INTO files(path, bytes, changed_ns, state, reason, run) VALUES(?, 0, 0, 'gone',"
                        " 'was listed, and no such file is there; check the list', ?)",
                        (path, run),
                    )

    def _add(self, file: SeenFile, run: int) -> None:
        path = os.fsencode(file.path)
        row = self._one(
            f"SELECT id, bytes, changed_ns, state, settled, sha256 FROM files WHERE path=? AND {_NOW}", (path,)
        )
        same = row is not None and (row[1], row[2]) == (file.size_bytes, file.changed_ns)
        if row is not None and same and row[3] != "gone":
            self._db.execute("UPDATE files SET run=? WHERE id=?", (run, row[0]))
        elif row is not None and row[4] != DEPARTED:
            self._db.execute(
                "UPDATE files SET bytes=?, changed_ns=?, run=?, state='queued', attempts=0, lost_runs=0, reason=NULL,"
                " settled=0 WHERE id=?",
                (file.size_bytes, file.changed_ns, run, row[0]),
            )
        else:
            if row is not None:  # it was moved or deleted after it was read: this is another file of that name
                self._db.execute("UPDATE files SET state='left' WHERE id=?", (row[0],))
                self._retire(row[5])
            self._db.execute(
                "INSERT INTO files(path, bytes, changed_ns, state, run) VALUES(?, ?, ?, 'queued', ?)",
                (path, file.size_bytes, file.changed_ns, run),
            )

    def use_settings(self, settings: str, formats: Sequence[str]) -> int:
        """Return from now on pages are read under these settings and written in these formats.

        Pages that are read stay so; returns how many of them were read under other settings.
        """
        with self._commit():
            for key, value in (("settings", settings), ("formats", json.dumps(formats))):
                self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))
        return self._one(f"SELECT count(*) FROM pages WHERE state='done' AND settings<>? AND {_HELD}", (settings,))[0]

    def queue_missing(self) -> int:
        """Queue read pages that lack a result in one of the formats, to be written from what is stored."""
        with self._commit():
            return self._db.execute(f"UPDATE pages SET state='queued' WHERE state='done' AND {_LACKS}").rowcount

    def reread(self, but: Iterable[PageKey] = ()) -> int:
        """Queue all pages that were read under other settings to be read again, but some; returns how many."""
        spared = {(key.sha256, key.page_index) for key in but}
        settings = self.meta("settings")
        with self._commit():
            rows = self._all(
                f"SELECT sha256, page_index FROM pages WHERE state='done' AND settings<>? AND {_HELD}", (settings,)
            )
            again = [row for row in rows if row not in spared]
            self._db.executemany("UPDATE readings SET again=1 WHERE sha256=? AND page_index=?", again)
            self._db.executemany("UPDATE pages SET state='queued' WHERE sha256=? AND page_index=?", again)
        return len(again)

    def take_file(self) -> SeenFile | None:
        """Return the next file to open, marked as running; files that failed before come last."""
        with self._commit():
            row = self._one(
                "SELECT id, path, bytes, changed_ns FROM files WHERE state='queued'"
                " ORDER BY lost_runs, attempts, id LIMIT 1"
            )
            if row is None:
                return None
            self._db.execute("UPDATE files SET state='running' WHERE id=?", (row[0],))
        return _seen(*row[1:])

    def opened(self, file: SeenFile, sha256: str, pages: int, candidates: Candidates) -> bool:
        """Return a file was opened: it holds the pages of this digest, and gets a name.

        ``candidates`` gives names for the results of so many pages, each a list: that of the document, then those of its
        pages. The first list of which all are free is taken. A file whose content was replaced keeps its name; its old results are then
        those of a file of state ``replaced``, and to be set aside. Returns whether the file is still what was opened.
        """
        with self._commit():
            row = self._running(file)
            if row is None:
                return False
            number, before, name = row
            self._db.execute("INSERT OR IGNORE INTO contents VALUES(?, ?)", (sha256, pages))
            pages = self._one("SELECT pages FROM contents WHERE sha256=?", (sha256,))[0]
            if before not in (None, sha256):
                number = self._replace(number, file)
            self._db.execute(
                "UPDATE files SET state='opened', sha256=?, name=? WHERE id=?",
                (sha256, name if before == sha256 else self._name(number, candidates(pages)), number),
            )
            self._db.executemany(
                "INSERT INTO pages(sha256, page_index, state) VALUES(?, ?, 'queued') ON CONFLICT(sha256, page_index)"
                " DO UPDATE SET state='queued' WHERE state='retired'",
                [(sha256, index) for index in range(pages)],
            )
            self._db.execute(f"UPDATE pages SET state='queued' WHERE sha256=? AND state='done' AND {_LACKS}", (sha256,))
            self._retire(before)
        return True

    def take_page(self) -> QueuedPage | None:
        """Return the next page to read or to write, marked as running; pages that failed before come last."""
        with self._commit():
            row = self._one("SELECT sha256, page_index FROM takeable ORDER BY lost_runs, attempts, row LIMIT 1")
            if row is None:
                return None
            key = PageKey(*row)
            file = self._one(
                "SELECT path, bytes, changed_ns FROM files WHERE sha256=? AND state='opened' ORDER BY settled, run DESC, id",
                (key.sha256,),
            )
            stored = self.stored(key)
            formats = self._formats(key, lacking=stored is not None)
            self._set_page(key, "state='running'")
        return QueuedPage(key, _seen(*file), formats, stored, self._page(key, again=1))

    def stored(self, key: PageKey) -> bytes | None:
        """Return the JSON of a page as it was read, None where it was not, or has been deleted."""
        return self._page(key, again=0)

    def _page(self, key: PageKey, *, again: int) -> bytes | None:
        row = self._one(
            "SELECT page FROM readings WHERE sha256=? AND page_index=? AND again=?", (key.sha256, key.page_index, again)
        )
        try:
            return None if row is None else zlib.decompress(row[0])
        except (zlib.error, TypeError) as error:
            raise self._damaged("a page cannot be unpacked") from OSError(errno.EIO, str(error))

    def _formats(self, key: PageKey, *, lacking: bool) -> tuple[str, ...]:
        """Those that a page lacks; or those asked for and those that it has already, which a new reading replaces."""
        asked: list[str] = json.loads(self.meta("formats") or "[]")
        if self._one("SELECT pages>1 FROM contents WHERE sha256=?", (key.sha256,))[0]:
            asked = [form for form in asked if form not in WHOLE]
        rows = self._all(
            "SELECT files.id, results.format FROM files LEFT JOIN results ON results.file=files.id AND page_index=?"
            " WHERE sha256=? AND state='opened'",
            (key.page_index, key.sha256),
        )
        there = Counter((number, _WHOLE_NAMES.get(form, form)) for number, form in rows)
        there.update((number, form) for number, form in rows if form not in SIDE_FORMATS)
        if lacking:
            return tuple(f for f in asked if any(there[number, f] < 2 for number, _ in rows))
        return tuple(dict.fromkeys([*asked, *sorted({f for _, f in there if f})]))

    @property
    def unfinished(self) -> bool:
        """A file to open or a page to read is left."""
        files = "SELECT 1 FROM files WHERE state IN ('queued', 'running')"
        pages = "SELECT 1 FROM pages WHERE state='running'"
        return bool(self._one(f"SELECT EXISTS({files}) OR EXISTS({pages}) OR EXISTS(SELECT 1 FROM takeable)")[0])

    def takeable_pages(self, most: int) -> int:
        """Return how many pages `take_page` would give, counted up to ``most``."""
        return int(self._one("SELECT count(*) FROM (SELECT 1 FROM takeable LIMIT ?)", (most,))[0])

    def page_done(
        self, key: PageKey, reading: bytes, counts: tuple[int, int, int], written: Sequence[Written] = ()
    ) -> None:
        """Record that a page was read, and its results are on the disk; ``counts`` of lines, unread ones, and ones to review."""
        with self._commit():
            if not self._set_page(
                key,
                "state='done', reason=NULL, lines=?, unread=?, review=?, settings=?",
                *counts,
                self.meta("settings"),
            ):
                return
            self._record(written)
            self._db.execute(
                "INSERT OR REPLACE INTO readings(sha256, page_index, page) VALUES(?, ?, ?)",
                (key.sha256, key.page_index, zlib.compress(reading, 6)),
            )

    def page_kept(self, key: PageKey) -> None:
        """Record that a page that was read again stays as it was."""
        with self._commit():
            if self._set_page(key, "state='done', reason=NULL, settings=?", self.meta("settings")):
                self._db.execute(
                    "UPDATE readings SET again=0 WHERE sha256=? AND page_index=?", (key.sha256, key.page_index)
                )

    def equal_pages(self, path: str) -> list[str]:
        """Return names of results, without suffix, of the page that a result is of, for the other files that hold it."""
        rows = self._all(
            "SELECT files.name, results.page_index, contents.pages FROM results JOIN files AS own ON own.id=results.file"
            " JOIN files ON files.sha256=own.sha256 AND files.id<>own.id AND files.state='opened'"
            " JOIN contents ON contents.sha256=files.sha256 WHERE results.path=? AND own.state='opened' ORDER BY files.id",
            (path,),
        )
        return [page_stem(*row) for row in rows]

    def corrected(self, path: str, page: bytes) -> None:
        """Keep the corrected page, as JSON, that a result belongs to: formats are written from it from now on."""
        with self._commit():
            self._db.execute(
                "UPDATE readings SET page=? WHERE (sha256, page_index)=(SELECT sha256, page_index FROM results"
                " JOIN files ON files.id=results.file WHERE results.path=? AND files.state='opened')",
                (zlib.compress(page, 6), path),
            )

    def page_written(self, key: PageKey, written: Sequence[Written] = ()) -> None:
        """Record that results that a read page lacked are on the disk, or cannot be made."""
        with self._commit():
            if self._set_page(key, "state='done', reason=NULL"):
                self._record(written)

    def take_over(self, key: PageKey, written: Sequence[Written]) -> None:
        """Count a page as read whose results were found on the disk."""
        with self._commit():
            if self._set_page(key, "state='done', settings='taken over'"):
                self._record(written)

    def page_refused(self, key: PageKey, reason: str) -> None:
        """Record that a page is at fault, for good."""
        with self._commit():
            self._set_page(key, "state='refused', reason=?", reason)

    def file_refused(self, file: SeenFile, reason: str) -> None:
        """Record that a file is at fault, for good."""
        self._close_file(file, "state='refused', reason=?", reason)

    def page_failed(self, key: PageKey, reason: str) -> None:
        """Record that its worker died over it, or took too long: one more attempt, then quarantine."""
        with self._commit():
            self._set_page(key, _FAILED, MOST_ATTEMPTS, reason)

    def quarantine(self, task: QueuedPage | SeenFile, reason: str) -> None:
        """Record that a page or file is not tried any more."""
        if isinstance(task, SeenFile):
            self._close_file(task, "state='quarantined', reason=?", reason)
            return
        with self._commit():
            self._set_page(task.key, "state='quarantined', reason=?", reason)

    def file_failed(self, file: SeenFile, reason: str) -> None:
        """Record that its worker died over it, or took too long: one more attempt, then quarantine."""
        self._close_file(file, _FAILED, MOST_ATTEMPTS, reason)

    def file_gone(self, file: SeenFile) -> None:
        """Record that a file went away before its pages were read; pages that no other file holds are retired."""
        with self._commit():
            row = self._one(
                f"SELECT id, sha256 FROM files WHERE path=? AND bytes=? AND changed_ns=? AND {_NOW}", _key(file)
            )
            if row is None:
                return
            self._db.execute(
                "UPDATE files SET state='gone', reason='went away or changed while it waited; scan it again' WHERE id=?",
                (row[0],),
            )
            self._retire(row[1])

    def release_page(self, key: PageKey) -> None:
        """Queue a page again that was not read through no fault of its own."""
        with self._commit():
            self._set_page(key, "state='queued'")
            self._retire(key.sha256)

    def release_file(self, file: SeenFile) -> None:
        """Queue a file again that was not opened through no fault of its own."""
        self._close_file(file, "state='queued'")

    def finished_files(self) -> list[Original]:
        """Return files that nothing more will be done with and that have not been dealt with."""
        rows = self._all(
            "SELECT path, bytes, changed_ns, name, sha256, state='opened' AND NOT EXISTS (SELECT 1 FROM pages WHERE"
            " pages.sha256=files.sha256 AND pages.state<>'done') FROM files WHERE settled=0"
            " AND state IN ('opened', 'refused', 'quarantined') AND NOT EXISTS (SELECT 1 FROM pages WHERE"
            " pages.sha256=files.sha256 AND files.state='opened' AND pages.state IN ('queued', 'running'))"
        )
        return [Original(_seen(*row[:3]), row[3], row[4], bool(row[5])) for row in rows]

    def settle_file(self, file: SeenFile, *, departed: bool) -> None:
        """Record that the original was kept, or ``departed``: moved or deleted."""
        with self._commit():
            self._db.execute(
                f"UPDATE files SET settled=? WHERE path=? AND bytes=? AND changed_ns=? AND {_NOW}",
                (DEPARTED if departed else KEPT, *_key(file)),
            )

    def pages_below(self, folder: str) -> list[tuple[str, str]]:
        """Return names and states of the pages whose results lie directly in ``folder``."""
        rows = self._all(
            "SELECT name, page_index, contents.pages, pages.state FROM files JOIN contents USING(sha256)"
            " JOIN pages USING(sha256) WHERE files.state='opened' ORDER BY name, page_index"
        )
        below = [row for row in rows if row[0].rpartition("/")[0] == folder]
        return [(page_stem(name, index, pages), state) for name, index, pages, state in below]

    def retry_failed(self) -> None:
        """Queue again what was refused or quarantined."""
        with self._commit():
            for table in ("files", "pages"):
                self._db.execute(
                    f"UPDATE {table} SET state='queued', attempts=0, lost_runs=0, reason=NULL"
                    " WHERE state IN ('refused', 'quarantined')"
                )
            self._retire_all()

    def counts(self) -> Counts:
        """Return counts of all files, and of the pages that they hold."""
        states: Counter[str] = Counter(
            dict(self._all(f"SELECT state, count(*) FROM pages WHERE {_HELD} GROUP BY state"))
        )
        files: Counter[str] = Counter(dict(self._all(f"SELECT state, count(*) FROM files WHERE {_NOW} GROUP BY state")))
        contents = self._one("SELECT count(sha256), count(DISTINCT sha256) FROM files WHERE state='opened'")
        sums = self._one(
            "SELECT coalesce(sum(lines), 0), coalesce(sum(unread), 0), coalesce(sum(review > 0), 0)"
            f" FROM pages WHERE state='done' AND {_HELD}"
        )
        return Counts(
            **{state: states[state] for state in ("queued", "running", "done", "refused", "quarantined")},
            lines=sums[0],
            unread_lines=sums[1],
            review=sums[2],
            files=files.total() - files["unreadable"],
            waiting_files=files["queued"] + files["running"],
            refused_files=files["refused"] + files["quarantined"],
            gone=files["gone"],
            unreadable=files["unreadable"],
            duplicates=contents[0] - contents[1],
        )

    def failed(self, most: int) -> int:
        """Return how many pages and files gave no results, counted up to ``most``."""
        lost = "state IN ('refused', 'quarantined')"
        return int(
            self._one(
                f"SELECT count(*) FROM (SELECT 1 FROM pages WHERE {lost} AND {_HELD} UNION ALL"
                f" SELECT 1 FROM files WHERE {lost} OR state='gone' LIMIT ?)",
                (most,),
            )[0]
        )

    def reconciled(self) -> Reconciled:
        """Return what became of each file that this run found."""
        rows = self._all(
            "SELECT kind, count(*) FROM (SELECT CASE"
            " WHEN files.state IN ('queued', 'running') THEN 'waiting'"
            " WHEN files.state='quarantined' THEN 'put_aside'"
            " WHEN files.state IN ('refused', 'gone') THEN files.state"
            " WHEN max(pages.state IN ('queued', 'running')) THEN 'waiting'"
            " WHEN max(pages.state='quarantined') THEN 'put_aside'"
            " WHEN max(pages.state='refused') THEN 'refused' WHEN min(pages.state='done') THEN 'read' ELSE 'lost' END AS kind"
            " FROM files LEFT JOIN pages ON files.state='opened' AND pages.sha256=files.sha256"
            f" WHERE run=? AND files.{_NOW} AND files.state<>'unreadable' GROUP BY files.id) GROUP BY kind",
            (self.run,),
        )
        kinds = dict(rows)
        found = sum(kinds.values())
        kinds.pop("lost", None)
        return Reconciled(found, **kinds)

    def reasons(self, most: int = 20) -> dict[str, int]:
        """Return why pages and files gave no results, the most frequent reasons with how often each."""
        lost = "state IN ('refused', 'quarantined', 'gone', 'unreadable')"
        rows = self._all(
            f"SELECT reason, count(*) FROM (SELECT reason FROM files WHERE {lost} UNION ALL"
            f" SELECT reason FROM pages WHERE {lost} AND {_HELD}) GROUP BY reason ORDER BY 2 DESC, 1 LIMIT ?",
            (most,),
        )
        return {str(reason or ""): count for reason, count in rows}

    def told(self) -> Iterator[FileTold]:
        """Yield every file as it is now, with its pages and their results, in the order in which they came."""
        for number, path, state, reason, sha256, name in self._all(
            f"SELECT id, path, state, reason, sha256, name FROM files WHERE {_NOW} ORDER BY id"
        ):
            pages = self._all(
                "SELECT page_index, state, reason, lines, review FROM pages WHERE sha256=? AND state<>'retired'"
                " ORDER BY page_index",
                (sha256 if state == "opened" else None,),
            )
            results = self._all(
                "SELECT page_index, format, path, digest FROM results WHERE file=? AND expired=0", (number,)
            )
            yield FileTold(Path(os.fsdecode(path)), state, reason or "", sha256, name or "", pages, results)

    def failures(self) -> list[tuple[Path, int | None, str, str]]:
        """Return what gave no results: path, page (from 0, None for a whole file or folder), state and reason."""
        rows = self._all(
            "SELECT path, NULL, state, reason FROM files WHERE state IN ('refused', 'quarantined', 'gone', 'unreadable')"
            " UNION ALL SELECT min(path), page_index, pages.state, pages.reason FROM pages JOIN files USING(sha256)"
            " WHERE files.state='opened' AND pages.state IN ('refused', 'quarantined') GROUP BY sha256, page_index"
            " ORDER BY 1, 2"
        )
        return [(Path(os.fsdecode(path)), index, state, reason or "") for path, index, state, reason in rows]

    def duplicates(self) -> Iterator[tuple[Path, Path]]:
        """Find files that have the content of another: path of the one, and of the first with that content."""
        rows = self._all(
            "SELECT path, (SELECT path FROM files AS f WHERE f.sha256=files.sha256 AND f.state='opened' ORDER BY id LIMIT 1)"
            " AS first FROM files WHERE state='opened' AND path<>first ORDER BY path"
        )
        return ((Path(os.fsdecode(path)), Path(os.fsdecode(first))) for path, first in rows)

    def _running(self, file: SeenFile) -> Any:
        return self._one(
            "SELECT id, sha256, name FROM files WHERE path=? AND bytes=? AND changed_ns=? AND state='running'",
            _key(file),
        )

    def _replace(self, number: int, file: SeenFile) -> int:
        """Make history of a file whose content is no more; returns the number of the one that takes its place."""
        run = self.run
        self._db.execute("UPDATE files SET state='replaced' WHERE id=?", (number,))
        cursor = self._db.execute(
            "INSERT INTO files(path, bytes, changed_ns, state, run) VALUES(?, ?, ?, 'running', ?)", (*_key(file), run)
        )
        new = int(cursor.lastrowid or 0)
        self._db.execute("UPDATE names SET file=? WHERE file=?", (new, number))
        return new

    def _name(self, number: int, candidates: Iterable[Sequence[str]]) -> str:
        for names in candidates:
            keys = {name_key(name): None for name in names}
            owners = [self._one("SELECT file FROM names WHERE name_key=?", (key,)) for key in keys]
            if all(owner is None or owner[0] == number for owner in owners):
                self._db.executemany("INSERT OR IGNORE INTO names VALUES(?, ?)", [(key, number) for key in keys])
                return names[0]
        raise AssertionError("candidates for names never end")

    def _retire(self, sha256: str | None) -> None:
        """Retire what waits of a content that no file holds; what ran when its file went is another file's to read."""
        if sha256 is None:
            return
        self._db.execute(
            "UPDATE pages SET state='retired' WHERE sha256=? AND state IN ('queued', 'running') AND NOT EXISTS ("
            " SELECT 1 FROM files WHERE files.sha256=pages.sha256 AND files.state IN ('opened', 'queued', 'running'))",
            (sha256,),
        )

    def _retire_all(self) -> None:
        for (sha256,) in self._all("SELECT DISTINCT sha256 FROM pages WHERE state IN ('queued', 'running')"):
            self._retire(sha256)

    def _set_page(self, key: PageKey, assignments: str, *values: Any) -> bool:
        """Change a page that runs; one that was retired meanwhile stays so."""
        cursor = self._db.execute(
            f"UPDATE pages SET {assignments} WHERE sha256=? AND page_index=? AND state<>'retired'",
            (*values, key.sha256, key.page_index),
        )
        return cursor.rowcount > 0

    def _close_file(self, file: SeenFile, assignments: str, *values: Any) -> None:
        """Change a file that runs, if it is still what was opened; pages of an older content of it are retired."""
        with self._commit():
            row = self._running(file)
            if row is not None:
                self._db.execute(f"UPDATE files SET {assignments} WHERE id=?", (*values, row[0]))
                self._retire(row[1])


# a page has a result of a format, which counts twice, or one of each side
_WHOLE_NAMES = {name: name.removesuffix(f"-{form.side}") for name, form in SIDE_FORMATS.items()}
"""Of formats of one page of a spread: what was asked for."""
_NOW = "state NOT IN ('replaced', 'left')"
_HELD = "EXISTS (SELECT 1 FROM files WHERE files.sha256=pages.sha256 AND files.state='opened')"
_LACKS = (
    "EXISTS (SELECT 1 FROM files, json_each((SELECT value FROM meta WHERE key='formats')) AS asked"
    " WHERE files.sha256=pages.sha256 AND files.state='opened' AND (SELECT count(*) + count(CASE WHEN"
    " results.format=asked.value THEN 1 END) FROM results WHERE results.file=files.id"
    " AND results.page_index=pages.page_index"
    " AND results.format IN (asked.value, asked.value || '-left', asked.value || '-right')) < 2"
    f" AND NOT (asked.value IN ({', '.join(map(repr, WHOLE)) or 'NULL'})"
    " AND (SELECT contents.pages FROM contents WHERE contents.sha256=pages.sha256)>1))"
)
_FAILED = "attempts=attempts+1, state=CASE WHEN attempts+1>=? THEN 'quarantined' ELSE 'queued' END, reason=?"


def name_key(name: str) -> str:
    """Return what is the same for names that may be one file on some disk: case and composition do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _key(file: SeenFile) -> tuple[bytes, int, int]:
    return os.fsencode(file.path), file.size_bytes, file.changed_ns


def _seen(path: bytes, size_bytes: int, changed_ns: int) -> SeenFile:
    return SeenFile(Path(os.fsdecode(path)), size_bytes, changed_ns)
