"""The desk itself: everything that its handlers and its chores need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from carrel_desk.api.service import Service
from carrel_desk.desk.events import Events
from carrel_desk.desk.forms import Forms
from carrel_desk.desk.intake import Intake
from carrel_desk.desk.learning import Learning
from carrel_desk.desk.places import Places
from carrel_desk.desk.scanners import Scanners
from carrel_desk.desk.session import Sessions
from carrel_desk.desk.watching import Watched
from carrel_desk.http.password import Password
from carrel_desk.http.problems import ProblemError
from carrel_desk.store.entries import PageEntry
from carrel_desk.store.pages import Store

Handler = Callable[["Desk", Request], Awaitable[Response]]


@dataclass
class Desk:
    """Everything that the desk's handlers need. ``kiosk_idle_s`` is None at a desk that keeps its pages."""

    store: Store
    service: Service
    sessions: Sessions
    cookie: str
    kiosk_idle_s: float | None = None
    purge_on_leave: bool = False
    watched: Watched | None = None
    on_entry: Callable[[str], None] = lambda entry: None
    events: Events = field(default_factory=Events)
    scanners: Scanners = field(default_factory=Scanners)
    asked_at: float = field(default_factory=time.monotonic)
    changed: set[str] = field(default_factory=set[str])
    learning: Learning | None = None
    places: Places = field(default_factory=Places)
    password: Password | None = None
    laying_out: asyncio.Lock = field(default_factory=asyncio.Lock)

    forms: Forms = field(init=False)

    def __post_init__(self) -> None:
        self.forms = Forms(self.store, changed=lambda page: self.events.tell("layout", page=page, layout=0, who=""))
        self.intake = Intake(self.store, self.service.readers, self.events)

    def page(self, request: Request) -> PageEntry:
        """Return the page that a request names.

        Raises
        ------
        ProblemError
            404.
        """
        entry = self.store.pages.get(request.path_params["page"])
        if entry is None:
            raise ProblemError(404, "no such page")
        return entry

    async def leave(self) -> None:
        """End every session; pages go too where they are not to stay."""
        self.sessions.forget_all()
        if self.learning is not None:
            await self.learning.cancel()
        if self.purge_on_leave:
            await self.intake.stop()
            self.store.purge()
            self.intake = Intake(self.store, self.service.readers, self.events)
        self.changed.clear()
        self.events.tell("left")
