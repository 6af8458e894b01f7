"""The batch: files in, results out, the journal in between.

A page is `running` in the journal before a worker gets it, and `done` only after its results are on the disk. The batch
itself never decodes anything; workers write nothing.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

from carrel.batch.folders import Folders
from carrel.batch.intake import Found, seen_now
from carrel.batch.journal import Counts, Journal, QueuedPage
from carrel.batch.names import candidates, document_folder, shown_name
from carrel.batch.results import SUFFIXES, WHOLE, PageKey, Written
from carrel.batch.settings import Settings
from carrel.batch.status import HEARTBEAT_S, Pace, told_jump, write_heartbeat
from carrel.batch.whole import Documents
from carrel.budget import add_option
from carrel.errors import OutputError
from carrel.formats import side_names
from carrel.workers.files import SeenFile
from carrel.workers.launch import Launch, Places
from carrel.workers.messages import (
    Failed,
    Gone,
    Opened,
    OpenFile,
    Outcome,
    PageRead,
    ReadPage,
    Refused,
    WritePage,
    WrittenOut,
)
from carrel.workers.pool import Answer, Limits, LocalPool

TRY_AGAIN_S = 5.0
TICK_S = 3600.0
READING = "json"
"""The format in which the journal keeps a page."""

Log = Callable[[str], None]


class Batch:
    """A run over files below ``root`` into the output folder; a context manager.

    Parameters
    ----------
    root
        Folder that names of results are relative to.
    workers
        How many processes read at the same time.
    log
        Called with one line at a time: page ids and reasons, never text or names of files.
    wait_for_disk
        Wait and try again when results cannot be written for another reason than a full disk; that is always waited for.
    cache
        Folder that workers keep compiled kernels in.
    group
        Tells which files belong to one document, see `carrel.batch.names.document_folder`.
    launch
        Starts a worker; by default a new Python.
    reread
        Read again what was read under other settings or by other models, but pages of which a result was changed since.
    rebuild
        Put the journal aside, and take over results that are there under the names that they would get.
    condemned
        Names of pages and files, as in `at_work`, that are quarantined instead of read.
    tell
        Called with this batch before a task is handed out, and several times a second while there is work.

    Raises
    ------
    OutputError
        On entering: a folder cannot be written to, or the journal is damaged.
    UsageError
        On entering: another batch is at work there.
    """

    def __init__(
        self,
        root: Path,
        folders: Folders,
        settings: Settings,
        *,
        cache: Path | None,
        workers: int = 1,
        limits: Limits | None = None,
        log: Log = lambda line: None,
        wait_for_disk: bool = False,
        show_stderr: bool = False,
        launch: Launch | None = None,
        group: re.Pattern[str] | None = None,
        reread: bool = False,
        rebuild: bool = False,
        condemned: Collection[str] = (),
        tell: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        self.root, self.folders, self.settings = root, folders, settings
        self.pace = Pace()
        self.stopping = False
        self.doing = "starting"
        self.log, self._wait_for_disk = log, wait_for_disk
        self._workers, self._group = workers, group
        self._reread, self._rebuild = reread, rebuild
        self._condemned, self._tell = condemned, tell
        self._cache, self._limits, self._show_stderr, self._launch = cache, limits, show_stderr, launch
        self._key: str | None = None
        self._beat = self._ticked = 0.0
        self._at_work: dict[str, SeenFile | QueuedPage] = {}
        self._numbers = count(1)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folders.make()
        with ExitStack() as stack:
            stack.enter_context(self.folders.locked())
            if self._rebuild:
                self.folders.put_journal_aside()
            self.journal = Journal(self.folders.journal)
            stack.callback(self.journal.close)
            self._begin()
            self._documents = Documents(self.settings.options, self.folders, self.log)
            stack.callback(self._documents.close)
            spool = self.folders.make_spool()
            places = Places(spool, self._cache or spool, self.settings.options.own_files)
            self.pool = LocalPool(
                self._workers,
                self.settings.work,
                places,
                self._limits,
                show_stderr=self._show_stderr,
                launch=self._launch,
            )
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def _begin(self) -> None:
        """Make sure that the journal holds together, and finish what the last run could not."""
        identity = self.folders.identity or ""
        if self.journal.meta("state") not in (None, identity):
            raise OutputError(f"{self.folders.state}: holds the journal of another folder; choose another with --state")
        self.journal.set_meta("state", identity)
        self.journal.check()
        self.journal.begin_run()
        self.folders.clear_spools()
        self.folders.sweep({"", *self.journal.folders()})
        self._set_aside()
        self._tick()

    def add(self, found: Found) -> None:
        """Queue what was found in the input folder or by a list."""
        self.journal.add_files(found.files, found.unreadable, found.missing)

    def step(self, timeout_s: float = 0.5) -> None:
        """Hand out tasks and settle what has been answered; waits at most about ``timeout_s``."""
        if not self.stopping:
            self.pool.start()
            self.patiently(self._hand_out)
        for answer in self.pool.wait(timeout_s):
            self._settle(answer)
        self._learn_settings()
        self._tick()
        self.doing = ("stopping" if self.stopping else "reading") if self.pool.busy else "idle"
        self.heartbeat()

    def finish(self) -> None:
        """Let the pages at work finish, and hand out no others."""
        self.stopping = True

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing is left that could."""
        if self.pool.busy or self.stopping:
            return not self.pool.busy
        return self._key is not None and not self.journal.unfinished

    @property
    def key(self) -> str | None:
        """The key that pages are read under; None until the first worker has loaded its models."""
        return self._key

    def document(self, path: Path) -> str:
        """Return the folder of a file's results."""
        return document_folder(path, self.root, self._group)

    def counts(self) -> Counts:
        """Return how far the batch has come."""
        return self.journal.counts()

    @property
    def at_work(self) -> list[str]:
        """Names of the pages and files that are being read: digest and index of a page, path of a file below the root."""
        return list(map(self._name, self._at_work.values()))

    def heartbeat(self, *, now: bool = False) -> None:
        """Write the heartbeat, if it is time."""
        self._tell(self)
        if now or time.monotonic() - self._beat > HEARTBEAT_S:
            self._beat = time.monotonic()
            write_heartbeat(self.folders, self.doing, self.counts(), self.pace)

    def _tick(self) -> None:
        if not self._ticked or time.monotonic() - self._ticked > TICK_S:
            self._ticked = time.monotonic()
            jump = self.journal.tick()
            if jump is not None:
                self.log(told_jump(*jump))

    def _learn_settings(self) -> None:
        if self._key is not None or self.pool.identity is None:
            return
        key = self.settings.key(self.pool.identity)
        if self.patiently(lambda: self._use(key)):
            self._key = key

    def _use(self, key: str) -> None:
        others = self.journal.use_settings(key, self.settings.formats)
        if others and self._reread:
            changed = self.journal.changed(self.folders.digest)
            again = self.journal.reread(changed)
            self.log(f"{again:,} pages are read again under other settings or by other models")
            if again < others:
                self.log(f"{others - again:,} pages stay as they are: their results were changed since")
        elif others:
            self.log(
                f"{others:,} pages were read under other settings or by other models and stay; --reread reads them again"
            )
        self.journal.forget_lost(self.folders.is_there)
        missing = self.journal.queue_missing()
        if missing:
            self.log(f"{missing:,} pages lack a result: it is written from what was read")
        self._documents.write_owed(self.journal, self.settings.formats)

    def _hand_out(self) -> None:
        while self._key is not None and self.pool.idle:
            task = self._next_task()
            if task is None:
                return
            if self._name(task) in self._condemned:
                self.journal.quarantine(task, "was being read when machines ended")
                self.log("a page that was being read when machines ended is put aside")
            else:
                self._submit(task)

    def _name(self, task: SeenFile | QueuedPage) -> str:
        if isinstance(task, QueuedPage):
            return f"{task.key.sha256}:{task.key.page_index}"
        return shown_name(os.path.relpath(task.path, self.root))

    def _submit(self, task: SeenFile | QueuedPage) -> None:
        name = str(next(self._numbers))
        self._at_work[name] = task
        self._tell(self)
        if isinstance(task, SeenFile):
            self.pool.submit(OpenFile(name, task))
        elif task.stored is None:
            formats = tuple(dict.fromkeys([*task.formats, READING]))
            self.pool.submit(ReadPage(name, task.file, task.key.page_index, formats, earlier=task.earlier))
        else:
            self.pool.submit(WritePage(name, task.file, task.key.page_index, task.stored, task.formats))

    def _next_task(self) -> SeenFile | QueuedPage | None:
        """A page, or a file to open where few pages wait: so files are opened no earlier than needed, and workers
        never wait for one."""
        enough = 2 * self._workers
        if self.journal.takeable_pages(enough) < enough:
            return self.journal.take_file() or self.journal.take_page()
        return self.journal.take_page()

    def _settle(self, answer: Answer) -> None:
        task = self._at_work.pop(answer.task.id)
        if isinstance(task, QueuedPage):
            self._settle_page(task, answer.outcome)
            sha256, anew = task.key.sha256, isinstance(answer.outcome, PageRead)
            self.patiently(lambda: self._documents.write_owed(self.journal, self.settings.formats, sha256, anew=anew))
        else:
            self._settle_file(task, answer.outcome)

    def _settle_page(self, page: QueuedPage, outcome: Outcome) -> None:
        key = page.key
        match outcome:
            case PageRead(lost=lost) if lost:
                self.patiently(lambda: self.journal.page_kept(key))
                self.log(f"{_shown(key)}: stays as it is: {lost} corrected lines are not found again by this reading")
            case PageRead(files, lines, unread, review):
                counts, reading = (lines, unread, review), files[READING]
                if self.patiently(lambda: self.journal.page_done(key, reading, counts, self._deliver(page, files))):
                    self.pace.page()
            case WrittenOut(files):
                self.patiently(lambda: self.journal.page_written(key, self._deliver(page, files)))
            case Refused(reason, lacks_memory=lacks_memory) if page.stored is None:
                reason = add_option(reason, "--retry") if lacks_memory else reason
                self.patiently(lambda: self.journal.page_refused(key, reason))
                self.log(f"{_shown(key)}: refused: {reason}")
            case Gone() if page.stored is None:
                self.patiently(lambda: self._gone(page.file, key))
            case Gone() | Refused():
                self.patiently(lambda: self.journal.page_written(key))
                self.log(f"{_shown(key)}: {', '.join(page.formats)} cannot be made: the scan is not there any more")
            case Failed(reason):
                self.patiently(lambda: self.journal.page_failed(key, reason))
                self.log(f"{_shown(key)}: failed: {reason}")
            case Opened():
                raise AssertionError("the pool matches answers to tasks")

    def _deliver(self, page: QueuedPage, files: dict[str, bytes]) -> list[Written]:
        """Write a page's results for every file that holds it."""
        self._require_same_output()
        written: list[Written] = []
        formats = [form for name in page.formats for form in (name, *side_names(name)) if form in files]
        for delivery in self.journal.deliveries(page.key, formats):
            if page.stored is not None and self.journal.wrote(delivery.path):
                continue  # an equal file has it already
            put = self.folders.put(delivery.path, files[delivery.format], delivery.digest, lost=delivery.lost)
            if put.digest is None:
                self.log(f"{_shown(page.key)}: {delivery.format} was changed since it was written, and stays as it is")
            else:
                written.append(Written(delivery, put.digest))
            if put.aside:
                self.log(f"{_shown(page.key)}: a file that Carrel did not write was set aside (.~1~)")
        return written

    def _require_same_output(self) -> None:
        """Make sure that the output is not the empty place where its disk was mounted."""
        if self.folders.identity != self.journal.meta("state"):
            what = f"{self.folders.output}: is not the folder that the batch began with; mount it again"
            raise OutputError(what) from OSError(errno.ENOENT, "not mounted")

    def _settle_file(self, file: SeenFile, outcome: Outcome) -> None:
        match outcome:
            case Opened(sha256, pages) if pages <= self.settings.most_pages:
                self.patiently(lambda: self._opened(file, sha256, pages))
            case Refused(reason):
                self.patiently(lambda: self.journal.file_refused(file, reason))
                self.log(f"a file was refused: {reason}")
            case Gone():
                self.patiently(lambda: self._gone(file))
            case _:
                reason = outcome.reason if isinstance(outcome, Failed) else "sent an unreadable answer"
                self.patiently(lambda: self.journal.file_failed(file, reason))
                self.log(f"a file could not be opened: {reason}")

    def _opened(self, file: SeenFile, sha256: str, pages: int) -> None:
        def names(number: int) -> Iterator[Sequence[str]]:
            return filter(self._are_free, candidates(file.path, self.document(file.path), number))

        if self.journal.opened(file, sha256, pages, names):
            self._set_aside()
            if self._rebuild:
                self._take_over(file, sha256, pages)

    def _are_free(self, names: Sequence[str]) -> bool:
        """Whether nothing that Carrel did not write stands where these results would go."""
        paths = [
            name + SUFFIXES[form]
            for form in self.settings.formats
            for name in (names[:1] if form in WHOLE else names[1:] or names)
        ]
        return self._rebuild or not any(self.folders.is_there(p) and not self.journal.wrote(p) for p in paths)

    def _take_over(self, file: SeenFile, sha256: str, pages: int) -> None:
        """Count pages as read whose results are all there and newer than the file."""
        for index in range(pages):
            key = PageKey(sha256, index)
            there = [
                (d, self.folders.newer(d.path, file.changed_ns))
                for d in self.journal.deliveries(
                    key, [f for f in self.settings.formats if pages == 1 or f not in WHOLE]
                )
            ]
            if there and all(digest for _, digest in there):
                self.journal.take_over(key, [Written(delivery, digest or "") for delivery, digest in there])

    def _set_aside(self) -> None:
        """Make way for the results of files whose content was replaced."""
        moves = self.journal.to_set_aside()
        for move in moves:
            target = move.target or self.folders.free_aside(move.path)
            if move.target is None:
                self.journal.set_aside(move.path, target, moved=False)
            self.folders.move_aside(move.path, target)
            self.journal.set_aside(move.path, target, moved=True)
        if moves:
            self.log(f"a scan was replaced: its {len(moves):,} old results were set aside (.~1~)")

    def _gone(self, file: SeenFile, key: PageKey | None = None) -> None:
        """A file is not what it was: what stands there now is queued."""
        self.journal.file_gone(file)
        if key is not None:
            self.journal.release_page(key)
        now = seen_now(file.path)
        if now is None:
            self.log("a file went away while it waited")
        else:
            self.journal.add_files([now])
            self.log("a file changed while it waited: it is read as it is now")

    def patiently(self, write: Callable[[], None]) -> bool:
        """Write, waiting for space on a full disk; False where the batch was stopped meanwhile.

        Raises
        ------
        OutputError
            It fails for another reason, and the batch does not wait for those.
        """
        while True:
            try:
                write()
                return True
            except OutputError as error:
                if self.stopping or not (error.disk_full or self._wait_for_disk):
                    if error.disk_full:
                        return False
                    raise
                self._pause("the disk is full" if error.disk_full else "results cannot be written")

    def _pause(self, why: str) -> None:
        if not self.doing.startswith("paused"):
            self.doing = f"paused: {why}"
            self.log(f"paused: {why}; trying again every {TRY_AGAIN_S:g} s")
        until = time.monotonic() + TRY_AGAIN_S
        while time.monotonic() < until and not self.stopping:
            self.heartbeat()
            time.sleep(0.1)

    def _end(self) -> None:
        """Kill the workers; what they had not finished is queued again."""
        self.doing = "stopped"
        self.pool.close()
        try:
            for task in self._at_work.values():
                if isinstance(task, QueuedPage):
                    self.journal.release_page(task.key)
                else:
                    self.journal.release_file(task)
            self.heartbeat(now=True)
            self.folders.clear_spools()
        except (OutputError, OSError) as error:  # the next run recovers what this one could not write down
            self.log(f"not closed cleanly: {error}")


def _shown(key: PageKey) -> str:
    """A page without the name of its file: the start of the file's digest, and the page in it from 1."""
    return f"{key.sha256[:12]} page {key.page_index + 1}"
