"""The desk's own requests; those of the HTTP API are in `carrel_desk.api`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal
from urllib.parse import parse_qs, quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

import carrel
from carrel.formats import FORMATS
from carrel_desk.api.answers import MEDIA_TYPES, Body
from carrel_desk.desk.desk import Desk, Handler
from carrel_desk.desk.export import export
from carrel_desk.desk.forms import TABLE, FormEdit, read_fields_again
from carrel_desk.desk.layouting import change_layout, page_view, read_untouched
from carrel_desk.desk.scanners import Wanted
from carrel_desk.http.bodies import json_body
from carrel_desk.http.intake import file_name, receive_file, require_scan_type
from carrel_desk.http.problems import ProblemError
from carrel_desk.reading.tiles import read_tile
from carrel_desk.store.edits import MOST_CHARACTERS, Change
from carrel_desk.store.fields import breaks_pattern
from carrel_desk.store.same import returning

MOST_CHANGES_BYTES = 2**20
MOST_QUEUE = 500
MOST_FORM_BYTES = 4096


class LearningWish(msgspec.Struct, forbid_unknown_fields=True):
    """A wish for learning."""

    do: Literal["start", "cancel", "use"]


_CLEAR = {"clear-site-data": '"cache", "cookies", "storage", "executionContexts"'}
_WEB_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def web_names() -> Sequence[str]:
    """Return the names of the page's files."""
    return [entry.name for entry in files("carrel_desk").joinpath("web").iterdir() if "." in entry.name]


async def show_page(desk: Desk, request: Request) -> Response:
    """Send the desk's page."""
    return await web_file(desk, request, "index.html")


async def web_file(desk: Desk, request: Request, name: str = "") -> Response:
    """Send a file of the page."""
    name = name or request.path_params["name"]
    if name not in web_names():
        raise ProblemError(404, "no such file")
    data = files("carrel_desk").joinpath("web", name).read_bytes()
    return Response(data, media_type=_WEB_TYPES["." + name.rpartition(".")[2]])


async def enter(desk: Desk, request: Request) -> Response:
    """Exchange an entry link for a cookie; ask for the password where there is one and no link."""
    entry = request.query_params.get("token", "")
    cookie = desk.sessions.enter(entry)
    if cookie is None:
        return await _entrance(desk, request, 200 if desk.password is not None and not entry else 401)
    if desk.kiosk_idle_s is None:
        desk.on_entry(desk.sessions.new_entry())
    return _let_in(desk, cookie)


async def enter_by_password(desk: Desk, request: Request) -> Response:
    """Exchange the password for a cookie."""
    body = await request.body()
    if desk.password is None or len(body) > MOST_FORM_BYTES:
        return await _entrance(desk, request, 401)
    tried = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
    if not await desk.password.fits(tried):
        return await _entrance(desk, request, 401, wrong=True)
    return _let_in(desk, desk.sessions.new_cookie())


async def _entrance(desk: Desk, request: Request, status: int, *, wrong: bool = False) -> Response:
    """Send the page for those who are not let in: it asks for the password where there is one."""
    response = await web_file(desk, request, "left.html" if desk.password is None else "enter.html")
    if wrong:
        response = HTMLResponse(bytes(response.body).replace(b" hidden", b""))
    response.headers["referrer-policy"] = "same-origin"  # without a referrer a form's Origin is null
    response.status_code = status
    return response


def _let_in(desk: Desk, cookie: str) -> Response:
    response = RedirectResponse("/", 303)
    response.set_cookie(desk.cookie, cookie, httponly=True, samesite="strict", path="/")
    desk.asked_at = time.monotonic()
    return response


async def leave(desk: Desk, request: Request) -> Response:
    """End the session; at a kiosk the next one begins at the address in the answer."""
    await desk.leave()
    entry = desk.sessions.new_entry()
    if desk.kiosk_idle_s is None:
        desk.on_entry(entry)
    told = {"next": f"/enter?token={entry}" if desk.kiosk_idle_s is not None else "/left"}
    response = Response(msgspec.json.encode(told), media_type="application/json")
    if desk.password is None:
        response.headers.update(_CLEAR)
    else:  # from another machine: Chromium heeds _CLEAR on secure pages alone, and then no cookie's end beside it
        response.delete_cookie(desk.cookie, path="/", httponly=True, samesite="strict")
    return response


async def left(desk: Desk, request: Request) -> Response:
    """Say that the session is over."""
    return await _entrance(desk, request, 200)


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
            "concerns": page.concerns,
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
    return answer({
        "pages": pages, "scans": scans, "trouble": trouble, "ready": bool(desk.service.readers.identity),
        "formats": [*FORMATS, *([TABLE] if desk.store.form else [])],
        "form": desk.store.form.template.name if desk.store.form else None, "kiosk_idle_s": desk.kiosk_idle_s, "purges": desk.purge_on_leave,
        "places": desk.places.allowed, "version": carrel.__version__, "seconds_a_line": desk.store.seconds_a_line(),
    })  # fmt: skip


async def add_scan(desk: Desk, request: Request) -> Response:
    """Take a file onto the desk."""
    require_scan_type(request)
    if desk.service.readers.asked > 2000:
        raise ProblemError(429, "too many pages wait", headers={"retry-after": "30"})
    body = (await receive_file(request, desk.service.spool)).file
    scan = await desk.intake.add(body, file_name(request.query_params.get("name")))
    return answer({"scan": scan.id}, 202)


async def get_scanners(desk: Desk, request: Request) -> Response:
    """List the scanners of this machine."""
    return answer({"scanners": await desk.scanners.find()})


async def start_scan(desk: Desk, request: Request) -> Response:
    """Scan, and take the sheets onto the desk."""
    wanted = await json_body(request, Wanted, "no wish for a scan")
    sheets, trouble = await desk.scanners.scan(wanted, desk.service.spool)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    for number, sheet in enumerate(sheets, 1):
        await desk.intake.add(sheet, f"scan-{stamp}-{number:03d}.tiff")
    return answer({"pages": len(sheets), "trouble": trouble})


async def get_page(desk: Desk, request: Request) -> Response:
    """Send a page's lines as they were read and as people left them."""
    return answer(page_view(desk, desk.page(request)))


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
    changes = await json_body(
        request, list[Change], "no changes", most_bytes=MOST_CHANGES_BYTES, too_large="too many changes at once"
    )
    for change in changes:
        known = desk.store.pages.get(change.page)
        if known is None or change.line not in known.ever:
            raise ProblemError(404, "no such line; its page was taken off the desk")
        if len(change.text) > MOST_CHARACTERS or len(change.who) > 64:
            raise ProblemError(422, f"a line of more than {MOST_CHARACTERS} characters")
    await desk.store.change(changes, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    told: list[dict[str, object]] = []
    for change in changes:
        edit = desk.store.edits.lines[change.page, change.line]
        now = {"page": change.page, "line": change.line, "version": edit.version, "now": edit.text, "done": edit.done}
        told.append({**now, "s": change.s, "others": edit.others, "who": edit.who})
        told[-1]["breaks"] = _breaks_pattern(desk, change)
        desk.changed.add(change.page)
        desk.events.tell("line", **told[-1])
    return answer(told)


def _breaks_pattern(desk: Desk, change: Change) -> bool:
    form = desk.store.form
    if form is None:
        return False
    of_line = {line.id: line.field for line in desk.store.pages[change.page].lines}
    fields = {field.name: field for field in form.template.fields}
    field = fields.get(of_line.get(change.line, ""))
    return field is not None and breaks_pattern(form, field, change.text)


async def get_same(desk: Desk, request: Request) -> Response:
    """List the errors of a line that a person put right and that were read in other lines, too."""
    return answer(returning(desk.store, desk.page(request).id, request.path_params["line"]))


async def get_events(desk: Desk, request: Request) -> Response:
    """Stream what happens at the desk."""
    return StreamingResponse(desk.events.listen(), media_type="text/event-stream")


async def get_queue(desk: Desk, request: Request) -> Response:
    """List the doubtful lines that nobody is done with: most expected errors first, by place, or field by field."""
    lines = desk.store.open_lines()
    order = request.query_params.get("by")
    if order == "fields":
        fields = [field.name for field in desk.store.form.template.fields] if desk.store.form else []
        lines = [pair for pair in lines if pair[1].field in fields]
        lines.sort(key=lambda pair: fields.index(pair[1].field))
    elif order == "errors":
        lines.sort(key=lambda pair: -pair[1].expected_errors)
    total = len(lines)
    listed = [{"page": page.id, "line": line.id, "field": line.field} for page, line in lines[:MOST_QUEUE]]
    return answer({"lines": listed, "total": total, "seconds": round(total * desk.store.seconds_a_line())})


async def get_export(desk: Desk, request: Request) -> Response:
    """Send pages in a format, corrections included: one page, or all."""
    name, body = await _exported(desk, request)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(body.data, headers=headers, media_type=body.media_type)


async def save_export(desk: Desk, request: Request) -> Response:
    """Put pages where the operator allows it: into a folder, or on a printer."""
    name, body = await _exported(desk, request)
    return answer({"name": await desk.places.save(request.query_params.get("place", ""), name, body.data)})


async def _exported(desk: Desk, request: Request) -> tuple[str, Body]:
    wanted, page = request.query_params.get("format", "text"), request.query_params.get("page")
    formats = list(FORMATS) if wanted == "all" else [wanted]
    if not set(formats) <= {*FORMATS, TABLE}:
        raise ProblemError(406, f"there are {', '.join(FORMATS)}, {TABLE}, all")
    if page is not None and page not in desk.store.pages:
        raise ProblemError(404, "no such page")
    entries = [desk.store.pages[page]] if page is not None else desk.store.read_pages()
    entries = [entry for entry in entries if entry.state == "read"]
    if wanted == TABLE:
        tables = await asyncio.to_thread(desk.forms.table, entries)
        name = next(name for name in tables if name.endswith(".csv"))
        return name, Body(tables[name], MEDIA_TYPES["csv"])
    tables = desk.forms.table(entries) if wanted == "all" and desk.store.form else {}
    return await export(desk.store, desk.service.readers, entries, formats, tables)


def answer(value: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def get_learning(desk: Desk, request: Request) -> Response:
    """Tell how far learning is, and what it is worth; null where the desk does not learn."""
    return answer(desk.learning.view() if desk.learning is not None and desk.learning.installed else None)


async def change_learning(desk: Desk, request: Request) -> Response:
    """Start or cancel learning, or read with the learned model from now on."""
    wish = await json_body(request, LearningWish, "no wish for learning")
    if desk.learning is None:
        raise ProblemError(409, "this desk does not learn")
    match wish.do:
        case "start":
            desk.learning.start()
        case "cancel":
            await desk.learning.cancel()
        case "use":
            await desk.learning.use_it()
            desk.intake.start(read_untouched(desk))
    return answer(desk.learning.view())


async def get_form(desk: Desk, request: Request) -> Response:
    """Tell the form whose fields are read, and how many of their values are doubtful; null without one."""
    return answer(desk.forms.view())


async def edit_form(desk: Desk, request: Request) -> Response:
    """Edit the form's template; pages that nobody has touched are read anew with it."""
    wish = await json_body(
        request, FormEdit, "no edit of a form", most_bytes=MOST_CHANGES_BYTES, too_large="too large an edit"
    )
    async with desk.laying_out:
        await desk.forms.edit(wish)
    desk.events.tell("form")
    desk.intake.start(read_fields_again(desk.forms, desk.service.readers))
    return answer(desk.forms.view())


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", show_page),
    ("GET", "/web/{name}", web_file),
    ("GET", "/enter", enter),
    ("POST", "/enter", enter_by_password),
    ("GET", "/left", left),
    ("POST", "/api/leave", leave),
    ("GET", "/api/state", get_state),
    ("POST", "/api/scans", add_scan),
    ("GET", "/api/scanners", get_scanners),
    ("POST", "/api/scan", start_scan),
    ("GET", "/api/pages/{page}", get_page),
    ("DELETE", "/api/pages/{page}", remove_page),
    ("GET", "/api/pages/{page}/tiles/{level:int}/{x:int}/{y:int}", get_tile),
    ("POST", "/api/pages/{page}/layout", change_layout),
    ("GET", "/api/pages/{page}/lines/{line}/same", get_same),
    ("POST", "/api/keys", keep_changes),
    ("GET", "/api/learning", get_learning),
    ("POST", "/api/learning", change_learning),
    ("GET", "/api/form", get_form),
    ("POST", "/api/form", edit_form),
    ("GET", "/api/events", get_events),
    ("GET", "/api/queue", get_queue),
    ("GET", "/api/export", get_export),
    ("POST", "/api/export", save_export),
)
