"""Results of a batch, file by file with their digests: nothing else is ever replaced or deleted.

Ages are told by ticks: moments at which Carrel was at work, written down as they came. Between two of them no more time
counts than `MOST_GAP_S`, so that a clock that jumps makes no result old.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from carrel.batch.schema import Database
from carrel.formats import FORMATS, SIDE_FORMATS
from carrel.image.overlay import OVERLAY, OVERLAY_SUFFIX

SUFFIXES = {name: form.suffix for name, form in [*FORMATS.items(), *SIDE_FORMATS.items()]} | {OVERLAY: OVERLAY_SUFFIX}
"""Ends of the names of results, by format."""
WHOLE = tuple(name for name, form in FORMATS.items() if form.multi_page)
"""Formats of which a document of several pages has one file."""
DOCUMENT = -1
"""In place of a page's index: the whole document."""
_LONGEST_FIRST = sorted(SUFFIXES.items(), key=lambda item: -len(item[1]))
MOST_GAP_S = 7 * 86_400.0
LIST = "list of pages"
ELSEWHERE = "elsewhere"
_MOVED = "moved"


@dataclass(frozen=True, slots=True)
class PageKey:
    """A page by the digest of its file and its place in it (from 0)."""

    sha256: str
    page_index: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A result that a page owes to a file: where it goes, relative to the output folder, and the digest of what Carrel
    wrote there before, None where it wrote nothing. The index of a whole document is `DOCUMENT`."""

    file: int
    page_index: int
    format: str
    path: str
    digest: str | None
    lost: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A delivery that is on the disk, with the digest of its contents."""

    delivery: Delivery
    digest: str


@dataclass(frozen=True, slots=True)
class OwedDocument:
    """A document of several pages that is owed as one file: ``pages`` is the JSON of those that were read, ``digest`` that
    of what Carrel wrote before, None where it wrote nothing."""

    file: int
    name: str
    source: Path
    sha256: str
    pages: tuple[bytes, ...]
    digest: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """A result to be set aside; ``target`` is where it goes, None where that was not decided yet."""

    path: str
    target: str | None


class Results(Database):
    """The results in the output folder."""

    def deliveries(self, key: PageKey, formats: Iterable[str]) -> list[Delivery]:
        """Return what a page owes in these formats to the files that hold it."""
        rows = self._all(
            "SELECT files.id, name, contents.pages, pages.lost_runs FROM files JOIN contents USING(sha256)"
            " JOIN pages ON pages.sha256=files.sha256 AND page_index=? WHERE files.sha256=? AND files.state='opened'",
            (key.page_index, key.sha256),
        )
        found: list[Delivery] = []
        for number, name, pages, lost_runs in rows:
            stem = page_stem(name, key.page_index, pages)
            for form in formats:
                digest = self._one(
                    "SELECT digest FROM results WHERE file=? AND page_index=? AND format=?",
                    (number, key.page_index, form),
                )
                path, before = stem + SUFFIXES[form], digest[0] if digest else None
                found.append(Delivery(number, key.page_index, form, path, before, lost_runs > 0))
        return found

    def owed_documents(self, form: str, sha256: str | None = None, *, anew: bool = False) -> Iterator[OwedDocument]:
        """Yield documents of several pages, all settled, that have no file in a format of whole documents, or one that is older
        than the results of a page; with ``anew`` those that have one, too."""
        rows = self._all(
            "SELECT files.id, files.name, files.path, files.sha256, whole.digest FROM files JOIN contents USING(sha256)"
            " LEFT JOIN results AS whole ON whole.path=files.name || ?"
            " WHERE files.state='opened' AND contents.pages>1 AND (? IS NULL OR files.sha256=?)"
            " AND coalesce(whole.expired, 0)=0 AND (? OR whole.path IS NULL OR EXISTS (SELECT 1 FROM results AS page"
            f" WHERE page.file=files.id AND page.page_index<>{DOCUMENT} AND page.finished>whole.finished))"
            " AND NOT EXISTS (SELECT 1 FROM pages WHERE pages.sha256=files.sha256 AND pages.state IN ('queued', 'running'))",
            (SUFFIXES[form], sha256, sha256, anew),
        )
        for number, name, path, digest_of_file, digest in rows:
            pages = self._all(
                "SELECT page FROM readings WHERE sha256=? AND again=0 ORDER BY page_index", (digest_of_file,)
            )
            if pages:
                texts = tuple(zlib.decompress(page) for (page,) in pages)
                yield OwedDocument(number, name, Path(os.fsdecode(path)), digest_of_file, texts, digest)

    def stored_pages(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield every page that was read, by the name of its results: that, the name of its own file, its JSON."""
        rows = self._all(
            "SELECT files.name, files.path, readings.page_index, contents.pages, readings.page FROM files"
            " JOIN contents USING(sha256) JOIN readings ON readings.sha256=files.sha256"
            " WHERE files.state='opened' AND readings.again=0 ORDER BY files.name, readings.page_index"
        )
        for name, path, page_index, pages, page in rows:
            yield page_stem(name, page_index, pages), Path(os.fsdecode(path)).name, zlib.decompress(page)

    def document_written(self, written: Written) -> None:
        """Record that the file of a whole document is on the disk."""
        with self._commit():
            self._record([written])

    def wrote(self, path: str) -> bool:
        """Tell whether Carrel wrote a result of this path."""
        return self._one("SELECT 1 FROM results WHERE path=?", (path,)) is not None

    def digest_of(self, path: str) -> str | None:
        """Return the digest of what Carrel wrote to a path; None where it wrote nothing."""
        row = self._one("SELECT digest FROM results WHERE path=?", (path,))
        return row and row[0]

    def listed(self, path: str, digest: str) -> None:
        """Record that a list of pages was written to ``path``."""
        with self._commit():
            self._record([Written(Delivery(0, 0, LIST, path, None, False), digest)])

    def note(self, path: str, digest: str) -> None:
        """Record that a file was written or written anew outside a batch: as a result of the page whose other results have its name,
        else as one of no page."""
        stem, form = next(
            ((path[: -len(end)], form) for form, end in _LONGEST_FIRST if path.endswith(end)), (path, LIST)
        )
        others = [stem + end for end in SUFFIXES.values()]
        row = self._one(
            f"SELECT file, page_index FROM results WHERE file IS NOT NULL AND path IN ({', '.join('?' * len(others))})",
            others,
        )
        number, index = row or (0, 0)
        delivery = Delivery(number, index, form if row else LIST, path, None, False)
        with self._commit():
            self._record([Written(delivery, digest)])

    def note_elsewhere(self, path: str) -> None:
        """Remember a file that was written outside the output folder; Carrel never deletes it."""
        self.set_meta(ELSEWHERE, json.dumps(sorted({*self.elsewhere(), path})))

    def elsewhere(self) -> list[str]:
        """Return the files that were written outside the output folder."""
        return json.loads(self.meta(ELSEWHERE) or "[]")

    def of_document(self, name: str) -> list[tuple[str, str]]:
        """Return path and digest of the results of a document, by the name of its results; replaced ones too."""
        whole = [name + end for end in SUFFIXES.values()]
        return self._all(
            "SELECT results.path, digest FROM results LEFT JOIN files ON files.id=results.file WHERE expired=0 AND"
            f" (files.name=? OR (file IS NULL AND results.path IN ({', '.join('?' * len(whole))}))) ORDER BY results.path",
            (name, *whole),
        )

    def of_no_page(self) -> list[tuple[str, str]]:
        """Return path and digest of what was written that is no page's: lists, worksheets, reports, line packs, and what
        people had changed, kept apart, which has no digest."""
        return self._all("SELECT path, digest FROM results WHERE file IS NULL AND expired=0 ORDER BY path")

    def results(self) -> list[tuple[str, str]]:
        """Return path and digest of everything that Carrel wrote and did not delete."""
        return self._all("SELECT path, digest FROM results WHERE expired=0 ORDER BY path")

    def forget_lost(self, there: Callable[[str], bool]) -> int:
        """Forget results that are not there any more, so that they are made again; returns how many."""
        rows = self._all("SELECT path FROM results WHERE expired=0")
        lost = [row for row in rows if not there(row[0])]
        with self._commit():
            self._db.executemany("DELETE FROM results WHERE path=?", lost)
        return len(lost)

    def changed(self, digest_of: Callable[[str], str | None]) -> set[PageKey]:
        """Return pages of which a result is there and is not what Carrel wrote."""
        rows = self._all(
            "SELECT results.path, digest, sha256, pages.page_index FROM results JOIN files ON files.id=results.file"
            f" JOIN pages USING(sha256) WHERE results.page_index IN (pages.page_index, {DOCUMENT})"
            " AND files.state='opened' AND expired=0"
        )
        return {PageKey(*key) for path, digest, *key in rows if digest_of(path) not in (None, digest)}

    def to_set_aside(self) -> list[Move]:
        """Return results of files whose content was replaced, which are to make way."""
        return [
            Move(*row)
            for row in self._all(
                "SELECT results.path, aside FROM results JOIN files ON files.id=results.file"
                f" WHERE files.state='replaced' AND expired=0 AND aside IS NOT '{_MOVED}'"
            )
        ]

    def set_aside(self, path: str, target: str, *, moved: bool) -> None:
        """Note where a result is about to be moved, or that it was."""
        with self._commit():
            if moved:
                self._db.execute("UPDATE OR REPLACE results SET path=?, aside=? WHERE path=?", (target, _MOVED, path))
            else:
                self._db.execute("UPDATE results SET aside=? WHERE path=?", (target, path))

    def forget(self, paths: Iterable[str]) -> None:
        """Forget results that were deleted for good."""
        with self._commit():
            self._db.executemany("DELETE FROM results WHERE path=?", [(path,) for path in paths])

    def tick(self) -> tuple[float, float] | None:
        """Note the time; returns the last time and this one where the clock cannot be right about one of them."""
        now = time.time()
        last = self._one("SELECT time_s FROM ticks ORDER BY id DESC LIMIT 1")
        with self._commit():
            self._db.execute("INSERT INTO ticks(time_s) VALUES(?)", (now,))
        jumped = last is not None and not -_SMALL_STEP_S <= now - last[0] <= MOST_GAP_S
        return (float(last[0]), now) if last is not None and jumped else None

    def finished_before(self, time_s: float) -> list[tuple[str, str]]:
        """Return path and digest of results that were finished before a time, if the clock was right then."""
        before = datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._all("SELECT path, digest FROM results WHERE expired=0 AND finished<?", (before,))

    def older_than(self, age_s: float) -> list[tuple[str, str]]:
        """Return path and digest of results that Carrel has kept for longer, by what it saw of the time."""
        oldest = self._tick_before(age_s)
        return self._all("SELECT path, digest FROM results WHERE expired=0 AND tick<?", (oldest,))

    def folders(self) -> set[str]:
        """Return the folders that results lie in, relative to the output folder."""
        return {path.rpartition("/")[0] for (path,) in self._all("SELECT path FROM results")} | {
            name.rpartition("/")[0] for (name,) in self._all("SELECT name FROM files WHERE name IS NOT NULL")
        }

    def expire(self, paths: Iterable[str]) -> None:
        """Remember results that were deleted for their age: they are not made again, and what was read goes with them."""
        with self._commit():
            self._db.executemany("UPDATE results SET expired=1, digest='' WHERE path=?", [(path,) for path in paths])
            self._db.execute(
                "DELETE FROM readings WHERE NOT EXISTS (SELECT 1 FROM results JOIN files ON files.id=results.file"
                f" WHERE files.sha256=readings.sha256 AND results.page_index IN (readings.page_index, {DOCUMENT})"
                " AND expired=0)"
            )

    def _tick_before(self, age_s: float) -> int:
        """The newest tick that is at least so old; 0 where none is."""
        times = self._all("SELECT id, time_s FROM ticks ORDER BY id DESC")
        most_s, seen_s = min(MOST_GAP_S, max(age_s, 0.0) / 2), 0.0
        later: float | None = None
        for number, at in times:
            if later is not None:
                seen_s += min(max(later - at, 0.0), most_s)
            if seen_s >= age_s:
                return int(number)
            later = at
        return 0

    def _record(self, written: Sequence[Written]) -> None:
        """Note results that are on the disk; within a transaction."""
        tick = self._one("SELECT coalesce(max(id), 0) FROM ticks")[0]
        finished = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._db.executemany(
            "INSERT OR REPLACE INTO results(path, file, page_index, format, digest, tick, finished)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    d.path,
                    *((d.file, d.page_index) if d.format != LIST else (None, None)),
                    d.format,
                    w.digest,
                    tick,
                    finished,
                )
                for w in written
                for d in (w.delivery,)
            ],
        )


_SMALL_STEP_S = 300.0  # a clock that is set right by a time server


def page_stem(name: str, page_index: int, pages: int) -> str:
    """Return the name of a page's results without suffix: the document's, with the page's number where it has several."""
    return name if pages == 1 or page_index == DOCUMENT else f"{name}-{page_index + 1:0{max(4, len(str(pages)))}d}"
