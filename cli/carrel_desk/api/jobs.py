"""Files that are being read, and what became of them; results stay in memory until they are fetched or expire.

A job that was accepted and is unfinished when the server is killed is known as lost by the next one: ids, and nothing
else, are kept in a file of the state folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from carrel.errors import CarrelError
from carrel.output import write_file
from carrel_desk.api.answers import Result
from carrel_desk.http.problems import ProblemDocument, ProblemError, problem_of

JobState = Literal["waiting", "reading", "done", "failed", "cancelled", "lost"]
KEPT_S = 3600.0
"""A finished job that nobody fetches is forgotten after this time."""
MOST_KEPT = 256
MOST_KEPT_BYTES = 256 * 2**20
"""Results that take more together are forgotten, the oldest first; the newest stays."""
MOST_LOST = 1000
MOST_LINES = 20_000
"""Of the file of promised jobs; it is then written anew."""
OVER: tuple[JobState, ...] = ("done", "failed", "cancelled", "lost")


class JobStatus(msgspec.Struct, omit_defaults=True):
    """The state of a job; ``pages`` is null until they are counted."""

    id: str
    state: JobState
    pages: int | None = None
    pages_done: int = 0
    problem: ProblemDocument | None = None


@dataclass(eq=False)
class Job:
    """One file on its way. ``digest`` names what was sent under its ``key``."""

    id: str
    key: str = ""
    digest: str = ""
    state: JobState = "waiting"
    pages: int | None = None
    pages_done: int = 0
    problem: ProblemError | None = None
    result: Result | None = None
    task: asyncio.Task[None] | None = None
    over_at: float = 0.0
    kept: bool = False
    counted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> JobStatus:
        """The answer that tells of the job."""
        problem = self.problem.document if self.problem else None
        return JobStatus(self.id, self.state, self.pages, self.pages_done, problem)

    @property
    def may_succeed_again(self) -> bool:
        """An end that is not the file's fault: cancelled, lost, or a defect."""
        return self.state in ("cancelled", "lost") or (self.problem is not None and self.problem.status >= 500)

    def end(self, state: JobState, problem: ProblemError | None = None) -> None:
        """Settle the job for good."""
        self.state, self.problem, self.over_at = state, problem, time.monotonic()
        self.counted.set()


class Jobs:
    """All jobs of a server; ``path`` is the file of those that were promised an answer."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._jobs: dict[str, Job] = {}
        self._lines = 0
        for identity in _unfinished(path)[-MOST_LOST:]:
            job = Job(identity, kept=True)
            detail = "the server ended before the answer was fetched, and the file's copy is gone; send it again"
            job.end("lost", ProblemError(503, detail))
            self._jobs[identity] = job
        self._write_all()

    def start(
        self, read: Callable[[Job], Awaitable[None]], over: Callable[[], None], key: str = "", digest: str = ""
    ) -> Job:
        """Begin a job; ``read`` is a coroutine function that sets `Job.result`, ``over`` is called whatever comes of it."""
        self._expire()
        job = Job(secrets.token_urlsafe(12), key, digest)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, read))
        job.task.add_done_callback(lambda task: over())  # a task may be cancelled before it has begun
        return job

    def by_key(self, key: str) -> Job | None:
        """Return the job that was started with this key and is still known, unless reading the file again may help."""
        self._expire()
        return next((job for job in self._jobs.values() if key and job.key == key and not job.may_succeed_again), None)

    def get(self, identity: str) -> Job:
        """Return a job.

        Raises
        ------
        ProblemError
            404.
        """
        self._expire()
        if identity not in self._jobs:
            raise ProblemError(404, "no such job; it was deleted, ended long ago, had to make room, or never was")
        return self._jobs[identity]

    def keep(self, job: Job) -> None:
        """Promise an answer: the job outlives its request, and a kill of the server by name.

        Raises
        ------
        ProblemError
            503: the promise cannot be written down.
        """
        self._append(f"+{job.id}\n")
        job.kept = True

    def delete(self, job: Job) -> None:
        """Call a job off, or forget it and its result."""
        if job.task is not None and not job.task.done():
            job.task.cancel()
        self._jobs.pop(job.id, None)
        if job.kept:
            self._append(f"-{job.id}\n")

    async def close(self) -> None:
        """Call all jobs off; what was promised is lost."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None and not job.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, read: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await read(job)
            job.end("done")
            self._expire()
        except asyncio.CancelledError:
            job.end("cancelled")
            raise
        except ProblemError as problem:
            job.end("failed", problem)
        except CarrelError as error:
            job.end("failed", problem_of(error))
        except Exception as error:
            job.end("failed", ProblemError(500, f"{type(error).__name__} while the file was read"))

    def _expire(self) -> None:
        over = sorted((job for job in self._jobs.values() if job.state in OVER), key=lambda job: job.over_at)
        kept_bytes = sum(job.result.size_bytes for job in over if job.result)
        for place, job in enumerate(over, 1):
            too_many = len(over) - place >= MOST_KEPT or (kept_bytes > MOST_KEPT_BYTES and place < len(over))
            if too_many or self._clock() - job.over_at > KEPT_S:
                kept_bytes -= job.result.size_bytes if job.result else 0
                self.delete(job)

    def _append(self, line: str) -> None:
        try:
            if self._lines >= MOST_LINES:
                self._write_all()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as file:
                file.write(line)
                file.flush()
                os.fdatasync(file.fileno())
        except OSError as error:
            raise ProblemError(503, f"the job cannot be noted ({error.strerror}); free space") from error
        self._lines += 1

    def _write_all(self) -> None:
        promised = [job.id for job in self._jobs.values() if job.kept]
        write_file(self._path, "".join(f"+{identity}\n" for identity in promised).encode())
        self._lines = len(promised)


def _unfinished(path: Path) -> list[str]:
    """Ids that were promised an answer and not let go."""
    found: dict[str, None] = {}
    if path.is_file():
        for line in path.read_text("ascii", "replace").splitlines():
            if line.startswith("+"):
                found[line[1:40]] = None
            elif line.startswith("-"):
                found.pop(line[1:40], None)
    return list(found)
