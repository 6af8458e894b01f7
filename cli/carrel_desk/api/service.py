"""The service behind the HTTP API: workers, jobs, limits, and the way of a file through them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from carrel.errors import CarrelError, InputError
from carrel.formats import FORMATS
from carrel.options import ReadOptions
from carrel.workers.files import SeenFile
from carrel.workers.messages import (
    Failed,
    Opened,
    OpenFile,
    Outcome,
    PageRead,
    ReadPage,
    Refused,
    WritePage,
    WrittenOut,
)
from carrel_desk.api.answers import Result
from carrel_desk.api.jobs import Job, Jobs
from carrel_desk.http.problems import ProblemError
from carrel_desk.reading.room import Readers

MOST_WAITING = 64
"""Tasks that may wait; above this a request is told to come again."""
SYNCHRONOUS_PAGES = 4
"""Files with more pages are answered as jobs."""


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that handlers need. ``options`` are those of the workers; ``spool`` holds bodies while they are read."""

    readers: Readers
    jobs: Jobs
    options: ReadOptions
    spool: Path
    workers: int = 1

    def require_room(self) -> None:
        """Refuse a request while too many wait, or no worker can work.

        Raises
        ------
        ProblemError
            429 or 503, both with the seconds to wait.
        """
        if self.readers.trouble is not None:
            raise ProblemError(503, str(self.readers.trouble), self.readers.trouble, {"retry-after": "10"})
        if self.readers.asked >= MOST_WAITING:
            seconds = str(max(1, self.readers.asked // self.workers))
            raise ProblemError(429, f"{self.readers.asked} pages wait already", headers={"retry-after": seconds})


@dataclass(frozen=True, slots=True)
class Wish:
    """A sender's wish for a file: its ``name``, the format, and how it is read (None: as the server does)."""

    name: str
    format: str
    options: ReadOptions | None
    review_below: float


async def read_file(service: Service, job: Job, file: SeenFile, wish: Wish) -> None:
    """Read every page of ``file`` for ``job``.

    Raises
    ------
    ProblemError, CarrelError
        The file is refused, or cannot be read now.
    """
    opened = await service.readers.ask(lambda name: OpenFile(name, file))
    if not isinstance(opened, Opened):
        raise _problem(opened)
    job.pages, job.state = opened.pages, "reading"
    job.counted.set()
    job.result = await _read_pages(service, job, file, wish, opened.pages)


async def _read_pages(service: Service, job: Job, file: SeenFile, wish: Wish, count: int) -> Result:
    needs_scan = FORMATS[wish.format].needs_scan
    formats = ("json", wish.format) if needs_scan and count == 1 else ("json",)
    at_once = asyncio.Semaphore(2 * service.workers)

    async def read(index: int) -> PageRead:
        async with at_once:
            outcome = await service.readers.ask(
                lambda name: ReadPage(name, file, index, formats, wish.options, file_name=wish.name)
            )
        if not isinstance(outcome, PageRead):
            raise _problem(outcome, f"page {index + 1}: " if count > 1 else "")
        job.pages_done += 1
        return outcome

    pages = await _all(read(index) for index in range(count))
    read_all = Result([page.files["json"] for page in pages], wish.name, wish.format, wish.review_below)
    if not needs_scan:
        return read_all
    data = pages[0].files.get(wish.format) or await _document(service, file, wish, read_all)
    return replace(read_all, document=data)


async def _document(service: Service, file: SeenFile, wish: Wish, read: Result) -> bytes:
    """Return all pages of a file as one document that shows them."""
    pages = b"".join(read.stored)
    outcome = await service.readers.ask(lambda name: WritePage(name, file, 0, pages, (wish.format,)))
    if not isinstance(outcome, WrittenOut):
        raise _problem(outcome)
    return outcome.files[wish.format]


async def _all(reads: Iterable[Coroutine[None, None, PageRead]]) -> list[PageRead]:
    tasks = [asyncio.ensure_future(read) for read in reads]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _problem(outcome: Outcome, where: str = "") -> ProblemError:
    match outcome:
        case Refused(reason, lacks_memory=True):
            told = f"{where}{reason}, where the server is started so"
            return ProblemError(503, told, InputError(reason))
        case Refused(reason):
            return ProblemError(422, f"{where}{reason}", InputError(reason))
        case Failed(reason, ends=True):
            return ProblemError(503, f"{where}{reason}", CarrelError(reason), {"retry-after": "10"})
        case Failed(reason):
            return ProblemError(500, f"{where}{reason}", CarrelError(reason))
        case _:
            return ProblemError(500, f"{where}the file changed while it was read", CarrelError(""))
