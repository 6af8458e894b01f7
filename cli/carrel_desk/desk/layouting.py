"""Corrections of the page itself, from a browser: kept, told to the other windows, and new lines read."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from carrel.errors import CarrelError
from carrel.formats.json_page import parse, write
from carrel.forms.template import Form
from carrel.page import Line, Page
from carrel.review.corrections import who_now
from carrel.review.structure import LINE_TYPES, REGION_KINDS, Operation, OperationError
from carrel.workers.messages import PageRead, ReadPage
from carrel_desk.desk.desk import Desk
from carrel_desk.http.bodies import json_body
from carrel_desk.http.problems import ProblemError
from carrel_desk.reading.room import URGENT, WHEN_IDLE
from carrel_desk.store.edits import LineEdit
from carrel_desk.store.entries import PageEntry, field_view, line_view
from carrel_desk.store.fields import FieldLine, lines_of_fields, other_marks
from carrel_desk.store.layouts import READ_ANEW, only

MOST_OPERATION_BYTES = 2**16
log = logging.getLogger("carrel.desk")


class LayoutWish(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a page's structure by a browser.

    Parameters
    ----------
    base
        The version of the structure that the person saw.
    versions
        Versions of the texts of the lines that it is about, by id.
    change
        The operation; None takes back the step ``back``.
    """

    base: int
    who: Annotated[str, Meta(max_length=64)] = ""
    versions: Annotated[dict[str, int], Meta(max_length=100)] = {}
    change: Operation | None = None
    back: int = 0


def page_view(desk: Desk, entry: PageEntry) -> dict[str, Any]:
    """Return a page as a browser sees it: lines as they were read and as people left them.

    Raises
    ------
    ProblemError
        It is not read.
    """
    if entry.state != "read":
        raise ProblemError(409, f"the page is {entry.state}")
    page, edits = desk.store.page(entry.id), desk.store.edits.of_page(entry.id)
    fields, form = lines_of_fields(page, desk.store.form), desk.store.form
    layout = desk.store.layout(entry.id)
    levels = desk.store.pack(entry.id).index.levels
    return {
        "id": entry.id, "name": entry.name, "width": page.width_px, "height": page.height_px,
        "levels": [[level.columns, level.rows] for level in levels],
        "layout": layout.version, "step": layout.top,
        "regions": [
            {"id": region.id, "kind": region.kind, "polygon": region.polygon, "lines": [line.id for line in region.lines]}
            for region in page.regions
        ],
        "kinds": REGION_KINDS, "types": LINE_TYPES,
        "lines": [_line_view(line, edits.get(line.id), fields.get(line.id), form) for line in page.lines],
    }  # fmt: skip


def _line_view(line: Line, edit: LineEdit | None, field: FieldLine | None, form: Form | None) -> dict[str, Any]:
    if field is None:
        return line_view(line, edit)
    view = line_view(line, edit, other_marks(field.field, line.text))
    return view | field_view(field, form, view["now"])


async def change_layout(desk: Desk, request: Request) -> Response:
    """Keep a change of a page's structure: the answer, the page as it is then, comes once it is on the disk."""
    entry = desk.page(request)
    wish = await json_body(
        request, LayoutWish, "no change of a page", most_bytes=MOST_OPERATION_BYTES, too_large="too large a change"
    )
    async with desk.laying_out:
        before = set[str]() if entry.state != "read" else {line.id for line in desk.store.page(entry.id).lines}
        await _keep(desk, entry, wish)
        page = desk.store.page(entry.id)
    desk.changed.add(entry.id)
    desk.events.tell("layout", page=entry.id, layout=desk.store.layout(entry.id).version, who=wish.who)
    if isinstance(wish.change, READ_ANEW):
        new = only(page, {line.id for line in page.lines} - before)
        desk.intake.start(_read(desk, entry, new))
    return Response(msgspec.json.encode(page_view(desk, entry)), media_type="application/json")


async def _keep(desk: Desk, entry: PageEntry, wish: LayoutWish) -> None:
    if entry.state != "read":
        raise ProblemError(409, f"the page is {entry.state}")
    now = who_now(desk.store.by).at
    try:
        if wish.change is None:
            await desk.store.lay_back(entry, wish.back, wish.who, now)
            return
        if wish.base != desk.store.layout(entry.id).version:
            raise ProblemError(409, "the page was changed in another window; look at it again")
        for line, version in wish.versions.items():
            edit = desk.store.edits.lines.get((entry.id, line))
            if edit is not None and edit.version != version:
                raise ProblemError(409, "somebody has just typed in that line; look at it again")
        await desk.store.lay_out(entry, wish.change, wish.who, now)
    except OperationError as error:
        status = 409 if wish.change is None else 422
        raise ProblemError(status, str(error)) from None


async def read_untouched(desk: Desk) -> None:
    """Read all lines anew that nobody has touched, page by page, where they stand."""
    for entry in desk.store.read_pages():
        page = desk.store.page(entry.id)
        await _read(desk, entry, only(page, desk.store.untouched(entry)), WHEN_IDLE)


async def _read(desk: Desk, entry: PageEntry, wanted: Page, place: int = URGENT) -> None:
    """Read lines where they stand; what cannot be read stays as it is."""
    if not wanted.lines:
        return
    try:
        file = desk.store.scan_file(desk.store.scans[entry.scan])
        stored = write(wanted)
        outcome = await desk.service.readers.ask(
            lambda name: ReadPage(name, file, entry.index, ("json",), earlier=stored), place
        )
        if not isinstance(outcome, PageRead) or entry.id not in desk.store.pages:
            return
        still = {line.id for line in wanted.lines} & (desk.store.untouched(entry) if place == WHEN_IDLE else entry.ever)
        read = only(parse(outcome.files["json"]), still)
        if read.lines:
            await desk.store.keep_reading(entry, read)
            desk.changed.add(entry.id)
            desk.events.tell("layout", page=entry.id, layout=desk.store.layout(entry.id).version, who="")
    except (CarrelError, OSError) as error:
        log.warning("lines of a page could not be read anew: %s", error)
