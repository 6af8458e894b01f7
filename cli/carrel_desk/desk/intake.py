"""A file's way onto the desk: counted, read page by page in the workers, kept in the store, told to the windows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from carrel.errors import CarrelError
from carrel.workers.files import SeenFile
from carrel.workers.messages import Failed, Opened, OpenFile, Outcome, PageRead, ReadPage, Refused
from carrel_desk.desk.events import Events
from carrel_desk.reading.room import SOON, WHEN_IDLE, Readers
from carrel_desk.reading.tiles import TILES, PackError, parse_pack
from carrel_desk.store.entries import PageEntry, ScanEntry
from carrel_desk.store.pages import Store

log = logging.getLogger("carrel.desk")


class Intake:
    """A reader of what comes; one task a file."""

    def __init__(self, store: Store, readers: Readers, events: Events) -> None:
        self._store, self._readers, self._events = store, readers, events
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_page: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """Go on with what an earlier server left unread."""
        for scan in self._store.scans.values():
            if not scan.counted and not scan.reason:
                self.start(self._open(scan))
        for entry in self._store.pages.values():
            if entry.state in ("waiting", "reading"):
                self._start_page(entry)

    async def add(self, body: SeenFile, name: str) -> ScanEntry:
        """Take a file over and begin to read it."""
        scan = await self._store.add_scan(body, name)
        self._events.tell("pages")
        self.start(self._open(scan))
        return scan

    def call_off(self, entry: PageEntry) -> None:
        """Stop waiting for a page."""
        task = self._by_page.pop(entry.id, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Call everything off."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that `stop` calls off."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _start_page(self, entry: PageEntry) -> None:
        task = self._by_page[entry.id] = self.start(self._read(entry))
        task.add_done_callback(lambda _: self._by_page.pop(entry.id, None))

    async def _open(self, scan: ScanEntry) -> None:
        try:
            file = self._store.scan_file(scan)
            outcome = await self._readers.ask(lambda name: OpenFile(name, file), SOON)
        except (CarrelError, OSError) as error:
            outcome = Failed(str(error))
        if isinstance(outcome, Opened):
            for entry in await self._store.add_pages(scan, outcome.pages):
                self._start_page(entry)
        else:
            await self._store.refuse_scan(scan, _reason(outcome))
        self._events.tell("pages")

    async def _read(self, entry: PageEntry) -> None:
        def began() -> None:
            entry.state = "reading"
            self._events.tell("pages")

        try:
            file = self._store.scan_file(self._store.scans[entry.scan])
            place = WHEN_IDLE if entry.index else SOON
            outcome = await self._readers.ask(
                lambda name: ReadPage(name, file, entry.index, ("json", TILES)), place, began
            )
            if isinstance(outcome, PageRead):
                tiles = outcome.files[TILES]
                parse_pack(tiles, len(tiles))
                await self._store.page_read(entry, outcome.files["json"], tiles)
            else:
                await self._store.page_refused(entry, _reason(outcome))
        except (CarrelError, OSError, PackError) as error:
            log.warning("a page could not be read: %s", error)
            await self._store.page_refused(entry, str(error))
        self._events.tell("pages")


def _reason(outcome: Outcome) -> str:
    match outcome:
        case Refused(reason) | Failed(reason):
            return reason
        case _:
            return "the file changed while it was read"
