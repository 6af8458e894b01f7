"""The desk's server: its page, its own requests, and the HTTP API beside them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

import carrel
from carrel.errors import CarrelError
from carrel.formats import FORMATS
from carrel_desk.api.app import HANDLERS
from carrel_desk.api.service import Service
from carrel_desk.api.v1 import routes as api_routes
from carrel_desk.desk.events import Events
from carrel_desk.desk.export import export
from carrel_desk.desk.intake import Intake
from carrel_desk.desk.scanners import Scanners, Wanted
from carrel_desk.desk.session import Sessions
from carrel_desk.desk.watching import EVERY_S, Watched
from carrel_desk.http.guard import Guard, Rules
from carrel_desk.http.intake import file_name, receive_file, require_scan_type
from carrel_desk.http.problems import ProblemError
from carrel_desk.reading.tiles import read_tile
from carrel_desk.store.edits import MOST_CHARACTERS, Change
from carrel_desk.store.pages import PageEntry, Store, line_view

MOST_CHANGES_BYTES = 2**20
MOST_QUEUE = 500
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
_CLEAR = {"clear-site-data": '"cache", "cookies", "storage", "executionContexts"'}
_WEB_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
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

    def __post_init__(self) -> None:
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
        if self.purge_on_leave:
            await self.intake.stop()
            self.store.purge()
            self.intake = Intake(self.store, self.service.readers, self.events)
        self.changed.clear()
        self.events.tell("left")


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
            await desk.intake.stop()
            await desk.service.jobs.close()
            desk.service.readers.close()

    own = [Route(path, partial(handler, desk), methods=[method]) for method, path, handler in _ROUTES]
    app = Starlette(routes=[*own, *api_routes(desk.service)], exception_handlers=HANDLERS, lifespan=lifespan)

    def asked() -> None:
        desk.asked_at = time.monotonic()

    open_paths = frozenset(("/enter", "/left", *(f"/web/{name}" for name in _web())))
    return Guard(app, replace(rules, cookie=desk.cookie, open_paths=open_paths, headers=PAGE_HEADERS, seen=asked))


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


def _web() -> Sequence[str]:
    return [entry.name for entry in files("carrel_desk").joinpath("web").iterdir() if "." in entry.name]


async def show_page(desk: Desk, request: Request) -> Response:
    """Send the desk's page."""
    return await web_file(desk, request, "index.html")


async def web_file(desk: Desk, request: Request, name: str = "") -> Response:
    """Send a file of the page."""
    name = name or request.path_params["name"]
    if name not in _web():
        raise ProblemError(404, "no such file")
    data = files("carrel_desk").joinpath("web", name).read_bytes()
    return Response(data, media_type=_WEB_TYPES["." + name.rpartition(".")[2]])


async def enter(desk: Desk, request: Request) -> Response:
    """Exchange an entry link for a cookie."""
    cookie = desk.sessions.enter(request.query_params.get("token", ""))
    if cookie is None:
        raise ProblemError(401, "this link was used before; take the newest one that carrel desk printed")
    response = RedirectResponse("/", 303)
    response.set_cookie(desk.cookie, cookie, httponly=True, samesite="strict", path="/")
    desk.asked_at = time.monotonic()
    if desk.kiosk_idle_s is None:
        desk.on_entry(desk.sessions.new_entry())
    return response


async def leave(desk: Desk, request: Request) -> Response:
    """End the session; at a kiosk the next one begins at the address in the answer."""
    await desk.leave()
    entry = desk.sessions.new_entry()
    if desk.kiosk_idle_s is None:
        desk.on_entry(entry)
    told = {"next": f"/enter?token={entry}" if desk.kiosk_idle_s is not None else "/left"}
    return Response(msgspec.json.encode(told), headers=_CLEAR, media_type="application/json")


async def left(desk: Desk, request: Request) -> Response:
    """Say that the session is over."""
    return await web_file(desk, request, "left.html")


async def get_state(desk: Desk, request: Request) -> Response:
    """Tell which pages lie on the desk and how they are doing."""
    edits = desk.store.edits.lines
    done = {key for key, edit in edits.items() if edit.done}
    pages = [
        {
            "id": page.id,
            "name": page.name,
            "state": page.state,
            "reason": page.reason,
            "lines": len(page.lines),
            "doubtful": sum(line.doubtful and (page.id, line.id) not in done for line in page.lines),
            "done": sum((page.id, line.id) in done for line in page.lines),
        }
        for page in desk.store.pages.values()
    ]
    scans = [
        {"id": scan.id, "name": scan.name, "reason": scan.reason}
        for scan in desk.store.scans.values()
        if not scan.counted
    ]
    trouble = str(desk.service.readers.trouble or "")
    return _json({
        "pages": pages, "scans": scans, "trouble": trouble, "ready": bool(desk.service.readers.identity),
        "formats": list(FORMATS), "kiosk_idle_s": desk.kiosk_idle_s, "purges": desk.purge_on_leave,
        "version": carrel.__version__, "seconds_a_line": desk.store.seconds_a_line(),
    })  # fmt: skip


async def add_scan(desk: Desk, request: Request) -> Response:
    """Take a file onto the desk."""
    require_scan_type(request)
    if desk.service.readers.asked > 2000:
        raise ProblemError(429, "too many pages wait", headers={"retry-after": "30"})
    body = await receive_file(request, desk.service.spool)
    scan = await desk.intake.add(body, file_name(request.query_params.get("name")))
    return _json({"scan": scan.id}, 202)


async def get_scanners(desk: Desk, request: Request) -> Response:
    """List the scanners of this machine."""
    return _json({"scanners": await desk.scanners.find()})


async def start_scan(desk: Desk, request: Request) -> Response:
    """Scan, and take the sheets onto the desk."""
    try:
        wanted = msgspec.json.decode(await request.body(), type=Wanted)
    except msgspec.MsgspecError as error:
        raise ProblemError(422, f"no wish for a scan: {error}") from None
    sheets = await desk.scanners.scan(wanted, desk.service.spool)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    for number, sheet in enumerate(sheets, 1):
        await desk.intake.add(sheet, f"scan-{stamp}-{number:03d}.tiff")
    return _json({"pages": len(sheets)})


async def get_page(desk: Desk, request: Request) -> Response:
    """Send a page's lines as they were read and as people left them."""
    entry = desk.page(request)
    if entry.state != "read":
        raise ProblemError(409, f"the page is {entry.state}")
    page, edits = desk.store.page(entry.id), desk.store.edits.of_page(entry.id)
    levels = desk.store.pack(entry.id).index.levels
    return _json({
        "id": entry.id, "name": entry.name, "width": page.width_px, "height": page.height_px,
        "levels": [[level.columns, level.rows] for level in levels],
        "lines": [line_view(line, edits.get(line.id)) for line in page.lines],
    })  # fmt: skip


async def get_tile(desk: Desk, request: Request) -> Response:
    """Send a tile of a page's picture."""
    entry = desk.page(request)
    level, x, y = (int(request.path_params[name]) for name in ("level", "x", "y"))
    tile = None
    if entry.state == "read":
        tile = read_tile(desk.store.tiles_file(entry.id), desk.store.pack(entry.id), level, x, y)
    if tile is None:
        raise ProblemError(404, "no such tile")
    return Response(tile, media_type="image/webp")


async def remove_page(desk: Desk, request: Request) -> Response:
    """Take a page off the desk, read or not."""
    entry = desk.page(request)
    desk.intake.call_off(entry)
    await desk.store.remove(entry)
    desk.events.tell("pages")
    return Response(status_code=204)


async def keep_changes(desk: Desk, request: Request) -> Response:
    """Keep keystrokes: the answer comes once they are on the disk."""
    body = await request.body()
    if len(body) > MOST_CHANGES_BYTES:
        raise ProblemError(413, "too many changes at once")
    try:
        changes = msgspec.json.decode(body, type=list[Change])
    except msgspec.MsgspecError as error:
        raise ProblemError(422, f"no changes: {error}") from None
    for change in changes:
        known = desk.store.pages.get(change.page)
        if known is None or change.line not in {line.id for line in known.lines}:
            raise ProblemError(404, "no such line; its page was taken off the desk")
        if len(change.text) > MOST_CHARACTERS or len(change.who) > 64:
            raise ProblemError(422, f"a line of more than {MOST_CHARACTERS} characters")
    await desk.store.change(changes, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    told: list[dict[str, object]] = []
    for change in changes:
        edit = desk.store.edits.lines[change.page, change.line]
        now = {"page": change.page, "line": change.line, "version": edit.version, "now": edit.text, "done": edit.done}
        told.append({**now, "s": change.s, "others": edit.others, "who": edit.who})
        desk.changed.add(change.page)
        desk.events.tell("line", **told[-1])
    return _json(told)


async def get_events(desk: Desk, request: Request) -> Response:
    """Stream what happens at the desk."""
    return StreamingResponse(desk.events.listen(), media_type="text/event-stream")


async def get_queue(desk: Desk, request: Request) -> Response:
    """List the doubtful lines that nobody is done with, most expected errors first, or by place."""
    lines = desk.store.open_lines()
    total = len(lines)
    if request.query_params.get("by") == "errors":
        lines.sort(key=lambda pair: -pair[1].expected_errors)
    listed = [{"page": page.id, "line": line.id} for page, line in lines[:MOST_QUEUE]]
    return _json({"lines": listed, "total": total, "seconds": round(total * desk.store.seconds_a_line())})


async def get_export(desk: Desk, request: Request) -> Response:
    """Send pages in a format, corrections included: one page, or all."""
    wanted, page = request.query_params.get("format", "text"), request.query_params.get("page")
    formats = list(FORMATS) if wanted == "all" else [wanted]
    if not set(formats) <= set(FORMATS):
        raise ProblemError(406, f"there are {', '.join(FORMATS)}, all")
    if page is not None and page not in desk.store.pages:
        raise ProblemError(404, "no such page")
    entries = [desk.store.pages[page]] if page is not None else list(desk.store.pages.values())
    name, body = await export(desk.store, desk.service.readers, [e for e in entries if e.state == "read"], formats)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(body.data, headers=headers, media_type=body.media_type)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", show_page),
    ("GET", "/web/{name}", web_file),
    ("GET", "/enter", enter),
    ("GET", "/left", left),
    ("POST", "/api/leave", leave),
    ("GET", "/api/state", get_state),
    ("POST", "/api/scans", add_scan),
    ("GET", "/api/scanners", get_scanners),
    ("POST", "/api/scan", start_scan),
    ("GET", "/api/pages/{page}", get_page),
    ("DELETE", "/api/pages/{page}", remove_page),
    ("GET", "/api/pages/{page}/tiles/{level:int}/{x:int}/{y:int}", get_tile),
    ("POST", "/api/keys", keep_changes),
    ("GET", "/api/events", get_events),
    ("GET", "/api/queue", get_queue),
    ("GET", "/api/export", get_export),
)
