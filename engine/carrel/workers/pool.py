"""Worker processes: started when needed, given one task at a time, killed when they take too long, replaced when dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Protocol

import carrel.errors
from carrel.batch.journal import QueuedPage, SeenFile
from carrel.batch.settings import Settings
from carrel.errors import CarrelError
from carrel.workers import messages

Task = SeenFile | QueuedPage
START_TIMEOUT_S = 300.0
MOST_FAILED_STARTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """For one worker: seconds that reading a page may take, seconds that opening and decoding a file may take, private
    bytes it may write to (None: no limit), and what is added for its first page: kernels may have to be compiled."""

    page_timeout_s: float = 300.0
    decode_timeout_s: float = 60.0
    memory_bytes: int | None = None
    first_page_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Places:
    """``readable`` folders hold the input and the models; ``spool`` is private and emptied; ``cache`` is kept."""

    readable: tuple[Path, ...]
    spool: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker said about a task, or ``failed`` for one that died over it; ``seconds`` since it got the task."""

    task: Task
    kind: str
    message: Mapping[str, object] = field(default_factory=dict[str, object])
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        return str(self.message.get("reason", ""))

    def number(self, name: str) -> int:
        value = self.message.get(name, 0)
        return value if isinstance(value, int) else 0


class Process(Protocol):
    """What a pool needs of a worker's process; ``subprocess.Popen`` is one."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


Launch = Callable[[Places, bool], tuple[Process, Connection]]
"""Starts a process that runs `carrel.workers.worker`; the flag lets its stderr through."""


@dataclass(eq=False, slots=True)
class _Worker:
    process: Process
    connection: Connection
    since: float
    ready: bool = False
    warm: bool = False
    decoded: bool = False
    task: Task | None = None

    def limit_s(self, limits: Limits) -> float:
        """What the worker has at hand may take this long."""
        if not self.ready:
            return START_TIMEOUT_S
        if not self.decoded:
            return limits.decode_timeout_s
        return limits.page_timeout_s if self.warm else limits.page_timeout_s + limits.first_page_s


class Pool:
    """Up to ``count`` workers.

    Raises
    ------
    CarrelError
        From `wait`: a model is missing or damaged, or workers die before they have done anything.
    """

    def __init__(
        self,
        count: int,
        settings: Settings,
        places: Places,
        limits: Limits,
        *,
        show_stderr: bool = False,
        launch: Launch | None = None,
    ) -> None:
        self.identity: str | None = None
        self.confinement: Mapping[str, object] = {}
        self._count, self._settings, self._places, self._limits = count, settings, places, limits
        self._show_stderr, self._launch = show_stderr, launch or launch_worker
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def start(self) -> None:
        """Start the workers that are missing; they get ready in the background."""
        try:
            while len(self._workers) < self._count:
                self._workers.append(self._start_one())
        except OSError as error:
            if not self._workers:  # fewer will do, none will not
                raise CarrelError(
                    f"no worker can be started ({error.strerror}); raise the limits (ulimit -a)"
                ) from error

    @property
    def busy(self) -> list[Task]:
        return [w.task for w in self._workers if w.task is not None]

    def idle(self) -> int:
        """How many workers wait for a task."""
        return sum(w.ready and w.task is None for w in self._workers)

    def give(self, task: Task) -> bool:
        """Hand a task to an idle worker; False where there is none, or it died in the meantime."""
        worker = next((w for w in self._workers if w.ready and w.task is None), None)
        if worker is None:
            return False
        file = task.file if isinstance(task, QueuedPage) else task
        page_index = task.key.page_index if isinstance(task, QueuedPage) else None
        message = {"path": str(file.path), "size_bytes": file.size_bytes, "changed_ns": file.changed_ns}
        try:
            messages.send(worker.connection, {**message, "page_index": page_index})
        except OSError:
            self._remove(worker)
            return False
        worker.task, worker.since, worker.decoded = task, time.monotonic(), False
        return True

    def wait(self, timeout_s: float) -> Iterator[Answer]:
        """What workers have answered, waiting for the first at most ``timeout_s``; overdue ones are killed."""
        by_connection = {w.connection: w for w in self._workers}
        for connection in wait(list(by_connection), timeout_s):
            answer = self._hear(by_connection[connection])  # type: ignore[index]
            if answer is not None:
                yield answer
        now = time.monotonic()
        for worker in list(self._workers):
            limit_s = worker.limit_s(self._limits)
            if (worker.task or not worker.ready) and now - worker.since > limit_s:
                answer = self._lose(worker, f"took longer than {limit_s:g} s")
                if answer is not None:
                    yield answer

    def close(self) -> list[Task]:
        """Kill all workers; returns the tasks that they had not finished."""
        tasks = self.busy
        for worker in list(self._workers):
            self._remove(worker)
        return tasks

    def _start_one(self) -> _Worker:
        places = self._places
        process, connection = self._launch(places, self._show_stderr)
        order = {
            "settings": self._settings.to_json(),
            "memory_bytes": self._limits.memory_bytes,
            "readable": [str(p) for p in places.readable],
            "writable": [str(places.spool), str(places.cache)],
        }
        with suppress(OSError):  # it has died already: the next wait finds out
            messages.send(connection, order)
        return _Worker(process, connection, time.monotonic())

    def _hear(self, worker: _Worker) -> Answer | None:
        try:
            message, files = messages.receive(worker.connection)
        except (EOFError, OSError, ValueError):
            return self._lose(worker, _how_it_ended(worker.process))
        kind = str(message.get("kind"))
        if kind == "fatal":
            raise _error(message)
        if kind == "ready":
            self._greet(worker, message)
            return None
        if kind == "decoded":
            worker.since, worker.decoded = time.monotonic(), True
            return None
        task, worker.task = worker.task, None
        worker.warm |= kind == "read"
        if task is None:
            return None
        self._failed_starts = 0
        seconds = time.monotonic() - worker.since
        if message.get("ends"):
            self._remove(worker)
        return Answer(task, kind, message, files, seconds)

    def _greet(self, worker: _Worker, message: messages.Message) -> None:
        identity = str(message.get("identity"))
        if self.identity not in (None, identity):
            raise CarrelError("the models were changed while the batch was running; start it again")
        self.identity, worker.ready = identity, True
        self.confinement = {k: message.get(k) for k in ("sockets_refused", "landlock")}

    def _lose(self, worker: _Worker, reason: str) -> Answer | None:
        started, task = worker.ready, worker.task
        self._remove(worker)
        if not started:
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                raise CarrelError(
                    f"workers end before they can read anything ({reason}); give them more memory with --memory,"
                    " or see why with --log-text"
                )
        return Answer(task, "failed", {"reason": reason}, {}, time.monotonic() - worker.since) if task else None

    def _remove(self, worker: _Worker) -> None:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()
        worker.connection.close()
        self._workers.remove(worker)


def launch_worker(places: Places, show_stderr: bool) -> tuple[Process, Connection]:
    """Start a worker in a session of its own, so that Ctrl-C does not reach it."""
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "carrel.workers.worker", str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if show_stderr else subprocess.DEVNULL,
            env=worker_environment(places),
            cwd=places.spool,
            start_new_session=True,
        )
    return process, ours


def worker_environment(places: Places) -> dict[str, str]:
    """Temporary files go to the spool, nothing goes home, nothing is reported, one thread a worker."""
    spool = str(places.spool)
    return {
        "CARREL_BACKEND": "onnxruntime",  # where nobody has decided: workers probe nothing
        **os.environ,
        "HOME": spool,
        "TMPDIR": spool,
        "XDG_CACHE_HOME": str(places.cache),
        "XDG_CONFIG_HOME": spool,
        "XDG_DATA_HOME": spool,
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_THREAD_LIMIT": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


def _how_it_ended(process: Process) -> str:
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        return "sent an unreadable answer"
    if code >= 0:
        return f"the worker ended with code {code}"
    return f"the worker was ended by {signal.Signals(-code).name}"


def _error(message: messages.Message) -> CarrelError:
    kind = getattr(carrel.errors, str(message.get("error")), CarrelError)
    if not (isinstance(kind, type) and issubclass(kind, CarrelError)):
        kind = CarrelError
    return kind(str(message.get("message")))
