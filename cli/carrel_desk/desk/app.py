"""The desk's server: its page, its own requests, and the HTTP API beside them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from carrel.errors import CarrelError
from carrel_desk.api.app import HANDLERS
from carrel_desk.api.v1 import routes as api_routes
from carrel_desk.desk.desk import Desk
from carrel_desk.desk.handlers import ROUTES, web_names
from carrel_desk.desk.watching import EVERY_S
from carrel_desk.http.guard import Guard, Rules

LATE_S = 90.0
"""The server ends an idle session itself where the browser has not by then."""
log = logging.getLogger("carrel.desk")
PAGE_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        b"require-trusted-types-for 'script'",
    ),
    (b"cache-control", b"no-store"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def make_desk(desk: Desk, rules: Rules) -> ASGIApp:
    """Return the application; its workers start and end with it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        desk.service.readers.start()
        desk.intake.resume()
        chore = asyncio.create_task(_chores(desk))
        try:
            yield
        finally:
            chore.cancel()
            desk.events.close()
            if desk.learning is not None:
                await desk.learning.cancel()
            await desk.intake.stop()
            await desk.service.jobs.close()
            desk.service.readers.close()

    own = [Route(path, partial(handler, desk), methods=[method]) for method, path, handler in ROUTES]
    app = Starlette(routes=[*own, *api_routes(desk.service)], exception_handlers=HANDLERS, lifespan=lifespan)

    def asked() -> None:
        desk.asked_at = time.monotonic()

    open_paths = frozenset(("/enter", "/left", *(f"/web/{name}" for name in web_names())))
    return Guard(
        app,
        replace(rules, cookie=desk.cookie, open_paths=open_paths, headers=PAGE_HEADERS, entrance="/left", seen=asked),
    )


async def _chores(desk: Desk) -> None:
    """Do what is due every few seconds, whatever went wrong the last time."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await _do_chores(desk)
        except (CarrelError, OSError) as error:
            log.warning("%s", error)


async def _do_chores(desk: Desk) -> None:
    """Write corrected pages, take files of the watched folder, end a session that nobody sits at."""
    for identity in list(desk.changed):
        desk.changed.discard(identity)
        if identity in desk.store.pages:
            await desk.store.save_page(identity)
    if desk.watched is not None:
        await desk.watched.look(desk.intake)
    idle_s = time.monotonic() - desk.asked_at
    somebody = desk.sessions.tokens or desk.store.pages
    if desk.kiosk_idle_s is not None and idle_s > desk.kiosk_idle_s + LATE_S and somebody:
        await desk.leave()
        desk.on_entry(desk.sessions.new_entry())
