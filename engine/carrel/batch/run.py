"""The batch: files in, results out, the journal in between.

A page is `running` in the journal before a worker gets it, and `done` only after its results are on the disk. The batch
itself never decodes anything; workers write nothing.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from carrel.batch.folders import Folders
from carrel.batch.journal import Counts, Journal, QueuedPage
from carrel.batch.names import document_folder, page_names
from carrel.batch.settings import Settings
from carrel.batch.status import HEARTBEAT_S, Pace, write_heartbeat
from carrel.errors import OutputError
from carrel.workers.files import SeenFile
from carrel.workers.launch import Launch, Places
from carrel.workers.messages import Failed, Gone, Opened, OpenFile, PageRead, ReadPage, Refused
from carrel.workers.pool import Answer, Limits, LocalPool

TRY_AGAIN_S = 5.0
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

Log = Callable[[str], None]


class Batch:
    """Reads files below ``root`` into the output folder; a context manager.

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
        cache: Path,
        workers: int = 1,
        limits: Limits | None = None,
        log: Log = lambda line: None,
        wait_for_disk: bool = False,
        show_stderr: bool = False,
        launch: Launch | None = None,
        group: re.Pattern[str] | None = None,
    ) -> None:
        self.root, self.folders, self.settings = root, folders, settings
        self.pace = Pace()
        self.stopping = False
        self.doing = "starting"
        self.log, self._wait_for_disk = log, wait_for_disk
        self._workers, self._group = workers, group
        self._key: str | None = None
        self._beat = 0.0
        model = settings.options.model
        places = Places(folders.spool, cache, (model.resolve(),) if model else ())
        self.pool = LocalPool(workers, settings.work, places, limits, show_stderr=show_stderr, launch=launch)
        self._at_work: dict[str, SeenFile | QueuedPage] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folders.make()
        with ExitStack() as stack:
            stack.enter_context(self.folders.locked())
            self.journal = Journal(self.folders.journal)
            stack.callback(self.journal.close)
            self.folders.sweep(self.journal.recover())
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def step(self, timeout_s: float = 0.5) -> None:
        """Hand out tasks and settle what has been answered; waits at most about ``timeout_s``."""
        if not self.stopping:
            self.pool.start()
            self.patiently(self._hand_out)
        for answer in self.pool.wait(timeout_s):
            self._settle(answer)
        self._learn_settings()
        self.doing = ("stopping" if self.stopping else "reading") if self.pool.busy else "idle"
        self.heartbeat()

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing is left that could."""
        if self.pool.busy or self.stopping:
            return not self.pool.busy
        return self._key is not None and not self.journal.unfinished(self._key)

    @property
    def key(self) -> str | None:
        """What pages are read under; None until the first worker has loaded its models."""
        return self._key

    def document(self, path: Path) -> str:
        """The folder of a file's results."""
        return document_folder(path, self.root, self._group)

    def counts(self) -> Counts:
        return self.journal.counts(self._key)

    def heartbeat(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._beat > HEARTBEAT_S:
            self._beat = time.monotonic()
            write_heartbeat(self.folders, self.doing, self.counts(), self.pace)

    def _learn_settings(self) -> None:
        if self._key is not None or self.pool.identity is None:
            return
        key = self.settings.key(self.pool.identity)
        again: list[int] = []
        if self.patiently(lambda: again.append(self.journal.use_settings(key))):
            self._key = key
        if any(again):
            self.log(f"settings or models have changed: {again[0]:,} pages are read again")

    def _hand_out(self) -> None:
        while self._key is not None and self.pool.idle:
            task = self._next_task(self._key)
            if task is None:
                return
            self._submit(task)

    def _submit(self, task: SeenFile | QueuedPage) -> None:
        name = f"{time.monotonic_ns()}-{len(self._at_work)}"
        self._at_work[name] = task
        if isinstance(task, QueuedPage):
            self.pool.submit(ReadPage(name, task.file, task.key.page_index, self.settings.formats))
        else:
            self.pool.submit(OpenFile(name, task))

    def _next_task(self, key: str) -> SeenFile | QueuedPage | None:
        """A page, or a file to open where few pages wait: so files are opened no earlier than needed, and workers
        never wait for one."""
        if self.journal.queued_pages(key) < 2 * self._workers:
            return self.journal.take_file() or self.journal.take_page(key)
        return self.journal.take_page(key)

    def _settle(self, answer: Answer) -> None:
        task = self._at_work.pop(answer.task.id)
        if isinstance(task, QueuedPage):
            self._settle_page(task, answer)
        else:
            self._settle_file(task, answer)

    def _settle_page(self, page: QueuedPage, answer: Answer) -> None:
        key = page.key
        match answer.outcome:
            case PageRead(files, lines, unread, review):
                if self.patiently(lambda: self.folders.write_results(page.name, files)):
                    self.patiently(lambda: self.journal.page_done(key, lines, unread, review))
                    self.pace.page()
            case Refused(reason):
                self.patiently(lambda: self.journal.page_refused(key, reason))
                self.log(f"{_shown(page)}: refused: {reason}")
            case Gone():
                self.patiently(lambda: self.journal.forget(page.file))
                self.log(f"{_shown(page)}: the file went away or changed while it waited")
            case Failed(reason):
                self.patiently(lambda: self.journal.page_failed(key, reason))
                self.log(f"{_shown(page)}: failed: {reason}")
            case Opened():
                raise AssertionError("the pool matches answers to tasks")

    def _settle_file(self, file: SeenFile, answer: Answer) -> None:
        match answer.outcome:
            case Opened(sha256, pages) if self._key is not None and pages <= self.settings.most_pages:
                names, key = page_names(file.path, self.document(file.path), sha256, pages), self._key
                self.patiently(lambda: self.journal.opened(file, sha256, key, names))
            case Refused(reason, sha256):
                self.patiently(lambda: self.journal.file_refused(file, reason, sha256))
                self.log(f"a file was refused: {reason}")
            case Gone():
                self.patiently(lambda: self.journal.forget(file))
            case outcome:
                reason = outcome.reason if isinstance(outcome, Failed) else "sent an unreadable answer"
                self.patiently(lambda: self.journal.file_failed(file, reason))
                self.log(f"a file could not be opened: {reason}")

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
                number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
                full = number in _DISK_FULL
                if self.stopping or not (full or self._wait_for_disk):
                    if full:
                        return False
                    raise
                self._pause("the disk is full" if full else "results cannot be written")

    def _pause(self, why: str) -> None:
        if not self.doing.startswith("paused"):
            self.doing = f"paused: {why}"
            self.log(f"paused: {why}; trying again every {TRY_AGAIN_S:g} s")
        until = time.monotonic() + TRY_AGAIN_S
        while time.monotonic() < until and not self.stopping:
            self.heartbeat()
            time.sleep(0.1)

    def _release(self, task: SeenFile | QueuedPage) -> None:
        if isinstance(task, QueuedPage):
            self.journal.release_page(task.key)
        else:
            self.journal.release_file(task)

    def _end(self) -> None:
        """Kill the workers; what they had not finished is queued again."""
        self.doing = "stopped"
        self.pool.close()
        try:
            for task in self._at_work.values():
                self._release(task)
            self.heartbeat(now=True)
            self.folders.empty_spool()
        except (OutputError, OSError) as error:  # the next run recovers what this one could not write down
            self.log(f"not closed cleanly: {error}")


def _shown(page: QueuedPage) -> str:
    """A page without the name of its file: the start of the file's digest, and the page in it from 1."""
    return f"{page.key.sha256[:12]} page {page.key.page_index + 1}"
