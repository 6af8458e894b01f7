"""Worker processes: started when needed, given one task at a time, killed when they take too long, replaced when dead."""

from __future__ import annotations

import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, Self

import msgspec

import carrel.errors
from carrel.errors import CarrelError, InputError
from carrel.formats import OF_PAGE_ALONE, side_names
from carrel.workers.channel import Channel
from carrel.workers.files import GoneError, open_unchanged
from carrel.workers.launch import Launch, Places, Process, launch_worker
from carrel.workers.messages import (
    Began,
    Begin,
    Decoded,
    Failed,
    Fatal,
    FromWorker,
    Gone,
    MessageError,
    Opened,
    OpenFile,
    Outcome,
    PageRead,
    ReadPage,
    Ready,
    Refused,
    Task,
    Work,
    WritePage,
    WrittenOut,
    decode_from_worker,
    shown_text,
)

START_TIMEOUT_S = 300.0
MOST_FAILED_STARTS = 3
MOST_LOST_TASKS = 20  # in a row, given to workers that died before they had begun them
MOST_WORDS_BYTES = 2**16
"""Of an answer without results."""
MOST_TEXT_BYTES = 2**26
MOST_SCAN_BYTES = 2**29
"""Of a page's results together, without and with a format that holds the scan."""
_END_S = 0.5  # a process that has closed its socket is given this long to end by itself


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a task; ``seconds`` since a worker got it, 0 where none did."""

    task: Task
    outcome: Outcome
    seconds: float = 0.0


class Pool(Protocol):
    """Tasks in, answers out. Not thread-safe: one thread submits and waits."""

    @property
    def identity(self) -> str | None:
        """The models in use, named by content; None until the first worker has loaded them."""
        ...

    @property
    def idle(self) -> int:
        """The number of tasks that would be taken up at once."""
        ...

    @property
    def busy(self) -> Sequence[Task]:
        """Tasks that have no answer yet."""
        ...

    def submit(self, task: Task) -> None:
        """Queue a task; its answer comes from `wait`."""
        ...

    def wait(self, timeout_s: float) -> list[Answer]:
        """Return what has been answered, waiting at most ``timeout_s`` for the first; it may be nothing.

        Raises
        ------
        CarrelError
            No task can ever be answered: a model is missing or damaged, or workers die before they have done anything.
        """
        ...

    def close(self) -> list[Task]:
        """Stop at once; returns the tasks that have no answer."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """For one worker: seconds that reading a page may take, seconds that opening and decoding a file may take, private
    bytes it may write to (None: no limit), and what is added for its first page: kernels may have to be compiled."""

    page_timeout_s: float = 300.0
    decode_timeout_s: float = 60.0
    memory_bytes: int | None = None
    first_page_s: float = 600.0


@dataclass(eq=False, slots=True)
class _Worker:
    process: Process
    channel: Channel
    limit_s: float
    since: float = field(default_factory=time.monotonic)
    ready: bool = False
    warm: bool = False
    began: bool = False
    decoded: bool = False
    task: Task | None = None

    @property
    def overdue(self) -> bool:
        at_work = not self.ready or self.task is not None
        return at_work and time.monotonic() - self.since > self.limit_s


class LocalPool:
    """Up to ``count`` confined processes on this machine; a `Pool`, and a context manager that closes it.

    Parameters
    ----------
    count
        How many work at the same time.
    work
        What all tasks have in common.
    places
        Folders that the workers use.
    show_stderr
        Show what libraries write, which may quote pages.
    launch
        Starts a worker; by default a new Python.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        places: Places,
        limits: Limits | None = None,
        *,
        show_stderr: bool = False,
        launch: Launch | None = None,
    ) -> None:
        self.identity: str | None = None
        self.confinement: Ready | None = None
        self._count, self._work, self._places, self._limits = count, work, places, limits or Limits()
        self._show_stderr, self._launch = show_stderr, launch or launch_worker
        self._workers: list[_Worker] = []
        self._queue: deque[Task] = deque()
        self._answers: list[Answer] = []
        self._error: CarrelError | None = None
        self._failed_starts = self._lost_tasks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the workers that are missing; they get ready in the background. `wait` does so too where tasks wait.

        Raises
        ------
        CarrelError
            Not one can be started.
        """
        try:
            while len(self._workers) < self._count:
                self._workers.append(self._start_one())
        except OSError as error:
            if not self._workers:  # fewer will do, none will not
                raise CarrelError(
                    f"no worker can be started ({error.strerror}); raise the limits (ulimit -a)"
                ) from error

    @property
    def busy(self) -> Sequence[Task]:
        """Tasks that have no answer yet."""
        return [*(w.task for w in self._workers if w.task is not None), *self._queue]

    @property
    def idle(self) -> int:
        """The number of tasks that would be taken up at once."""
        return max(0, sum(w.ready and w.task is None for w in self._workers) - len(self._queue))

    def submit(self, task: Task) -> None:
        """Queue a task, or hand it to an idle worker."""
        self._queue.append(task)
        self._give()

    def wait(self, timeout_s: float) -> list[Answer]:
        """Return what has been answered, waiting at most ``timeout_s`` for the first; see `Pool.wait`."""
        if self._queue:
            self.start()
        self._give()
        if not self._answers and self._error is None:
            for worker in self._heard(timeout_s):
                self._hear(worker)
            for worker in [w for w in self._workers if w.overdue]:
                self._lose(worker, f"took longer than {worker.limit_s:g} s")
            self._give()
        if not self._answers and self._error is not None:
            raise self._error
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> list[Task]:
        """Kill all workers; returns the tasks that they had not finished."""
        tasks = [*self.busy, *(answer.task for answer in self._answers)]
        for worker in list(self._workers):
            self._remove(worker)
        self._queue.clear()
        self._answers.clear()
        return tasks

    def _start_one(self) -> _Worker:
        process, end = self._launch(self._places, self._show_stderr)
        worker = _Worker(process, Channel(end), START_TIMEOUT_S)
        worker.channel.most_bytes = MOST_WORDS_BYTES
        places = self._places
        begin = Begin(self._work, self._limits.memory_bytes, places.readable, (places.spool, places.cache))
        with suppress(OSError):  # it has died already: the next wait finds out
            worker.channel.send(begin)
        return worker

    def _give(self) -> None:
        """Hand queued tasks to idle workers."""
        while self._queue:
            worker = next((w for w in self._workers if w.ready and w.task is None), None)
            if worker is None:
                return
            task = self._queue.popleft()
            try:
                with _opened(task) as descriptor:
                    worker.task, worker.since, worker.began, worker.decoded = task, time.monotonic(), False, False
                    worker.limit_s = self._limits.decode_timeout_s
                    worker.channel.most_bytes = _most_bytes(task)
                    worker.channel.send(task, descriptor)
            except GoneError:
                self._answers.append(Answer(task, Gone()))
            except InputError as error:
                self._answers.append(Answer(task, Refused(str(error))))
            except OSError:
                self._lose(worker, "took no task")

    def _heard(self, timeout_s: float) -> list[_Worker]:
        """Workers that have said something, or have ended."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.channel.pending else 0)
                selector.register(worker.channel, events, worker)
            ready = selector.select(timeout_s)
        for key, events in ready:
            if events & selectors.EVENT_WRITE:
                with suppress(OSError):  # it is gone, which reading tells
                    key.data.channel.flush()
        return [key.data for key, events in ready if events & selectors.EVENT_READ]

    def _hear(self, worker: _Worker) -> None:
        try:
            for body in worker.channel.frames():
                self._understand(worker, decode_from_worker(body))
                if worker not in self._workers:
                    return
        except MessageError:
            self._lose(worker, "sent an unreadable answer")
        except (EOFError, OSError):
            self._lose(worker, _how_it_ended(worker.process))

    def _understand(self, worker: _Worker, message: FromWorker) -> None:
        """Do what a message means, if it is one that may come now.

        Raises
        ------
        MessageError
            It may not.
        """
        task = worker.task
        match message:
            case Fatal() if not worker.ready:
                self._error = self._error or _error(message)
                self._remove(worker)
            case Ready() if not worker.ready:
                self._greet(worker, message)
            case Began() if task is not None and not worker.began:
                worker.began = True
            case Decoded() if isinstance(task, ReadPage) and worker.began and not worker.decoded:
                extra = 0.0 if worker.warm else self._limits.first_page_s
                worker.decoded, worker.limit_s = True, self._limits.page_timeout_s + extra
                worker.since = time.monotonic()
            case Opened() | PageRead() | WrittenOut() | Refused() | Failed() if task is not None and worker.began:
                self._settle(worker, task, message)
            case _:
                raise MessageError("a message that may not come now")

    def _greet(self, worker: _Worker, message: Ready) -> None:
        if self.identity not in (None, message.identity):
            self._error = CarrelError("the models were changed while the batch was running; start it again")
            return
        self.identity, self.confinement, worker.ready = message.identity, message, True

    def _settle(self, worker: _Worker, task: Task, outcome: Outcome) -> None:
        if not isinstance(outcome, (Refused, Failed)) and not _fits(task, outcome, decoded=worker.decoded):
            raise MessageError("an answer to another task")
        if isinstance(outcome, (Refused, Failed)):
            outcome = msgspec.structs.replace(outcome, reason=shown_text(outcome.reason))
        self._failed_starts = self._lost_tasks = 0
        worker.task, worker.channel.most_bytes = None, MOST_WORDS_BYTES
        worker.warm |= isinstance(outcome, PageRead)
        self._answers.append(Answer(task, outcome, time.monotonic() - worker.since))
        if isinstance(outcome, Failed) and outcome.ends:
            self._remove(worker)

    def _lose(self, worker: _Worker, reason: str) -> None:
        """Remove a worker; its task failed if it had begun, else it is another worker's turn."""
        task = worker.task
        self._remove(worker)
        if task is not None and worker.began:
            self._answers.append(Answer(task, Failed(reason), time.monotonic() - worker.since))
            return
        if task is not None:
            self._queue.appendleft(task)
        self._failed_starts += not worker.ready
        self._lost_tasks += task is not None
        if self._failed_starts >= MOST_FAILED_STARTS or self._lost_tasks >= MOST_LOST_TASKS:
            self._error = CarrelError(
                f"workers end before they can read anything ({reason}); give them more memory with --memory,"
                " or see why with --log-text"
            )

    def _remove(self, worker: _Worker) -> None:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()
        worker.channel.close()
        self._workers.remove(worker)


@contextmanager
def _opened(task: Task) -> Generator[int | None]:
    """The task's file, None where a stored page is written without it."""
    if isinstance(task, WritePage) and set(task.formats) <= set(OF_PAGE_ALONE):
        yield None
        return
    with open_unchanged(task.file) as descriptor:
        yield descriptor


def _most_bytes(task: Task) -> int:
    if isinstance(task, OpenFile):
        return MOST_WORDS_BYTES
    return MOST_TEXT_BYTES if set(task.formats) <= set(OF_PAGE_ALONE) else MOST_SCAN_BYTES


def _fits(task: Task, outcome: Outcome, *, decoded: bool) -> bool:
    """Whether an outcome is one of this task, with the results that were asked for."""
    match task, outcome:
        case OpenFile(), Opened():
            return True
        case ReadPage(), PageRead():
            kept = task.earlier is not None and outcome.lost > 0
            return decoded and _are_of(outcome.files, () if kept else task.formats)
        case WritePage(), WrittenOut():
            return _are_of(outcome.files, task.formats)
        case _:
            return False


def _how_it_ended(process: Process) -> str:
    try:
        code = process.wait(_END_S)
    except subprocess.TimeoutExpired:
        return "the worker hung up"
    if code >= 0:
        return f"the worker ended with code {code}"
    return f"the worker was ended by {signal.Signals(-code).name}"


def _error(message: Fatal) -> CarrelError:
    kind = getattr(carrel.errors, message.error, CarrelError)
    if not (isinstance(kind, type) and issubclass(kind, CarrelError)):
        kind = CarrelError
    return kind(shown_text(message.message))


def _are_of(files: Iterable[str], formats: Iterable[str]) -> bool:
    """Whether these are the files that were asked for: of a spread that is parted, two in place of one."""
    found = set(files)
    wanted = [both if (both := set(side_names(name))) and both <= found else {name} for name in formats]
    return found == set[str]().union(*wanted)
