"""Corrected pages on their way out: one file, or a zip of several."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Mapping, Sequence
from itertools import groupby

from carrel.errors import CarrelError
from carrel.formats import FORMATS
from carrel.formats.json_page import write
from carrel.identity import unused
from carrel.page import Page
from carrel.workers.messages import Failed, Refused, WritePage, WrittenOut
from carrel_desk.api.answers import MEDIA_TYPES, ZIP, Body
from carrel_desk.http.problems import ProblemError
from carrel_desk.reading.room import URGENT, Readers
from carrel_desk.store.entries import PageEntry
from carrel_desk.store.pages import Store

File = tuple[str, bytes]


async def export(
    store: Store,
    readers: Readers,
    entries: Sequence[PageEntry],
    formats: Sequence[str],
    beside: Mapping[str, bytes] | None = None,
) -> tuple[str, Body]:
    """Return the name and contents of pages in formats: a file where there is one, else a zip, with files ``beside``.

    Raises
    ------
    ProblemError
        There is no page, or a worker cannot write one.
    """
    if not entries:
        raise ProblemError(409, "no page has been read yet")
    files: list[File] = list((beside or {}).items())
    taken = set[str]()
    pages = [(entry, store.corrected(entry.id)) for entry in entries]
    for name in formats:
        for stem, data in await _written(store, readers, pages, name):
            files.append((unused(stem, taken) + FORMATS[name].suffix, data))
        taken.clear()
    if len(files) == 1:
        return files[0][0], Body(files[0][1], MEDIA_TYPES[formats[0]])
    return "carrel.zip", Body(await asyncio.to_thread(_zip, files), ZIP)


async def _written(
    store: Store, readers: Readers, pages: Sequence[tuple[PageEntry, Page]], format_name: str
) -> list[File]:
    form = FORMATS[format_name]
    if not form.needs_scan:
        return [(entry.name, await asyncio.to_thread(form.write, page)) for entry, page in pages]
    files: list[File] = []
    for scan, group in groupby(pages, key=lambda pair: pair[0].scan):
        own = list(group)
        stored = b"".join(write(page) for _, page in own)
        file, index = store.scan_file(store.scans[scan]), own[0][0].index
        outcome = await readers.ask(
            lambda name, f=file, i=index, s=stored: WritePage(name, f, i, s, (format_name,)), URGENT
        )
        match outcome:
            case WrittenOut(made):
                stem = own[0][0].name if len(own) == 1 else store.scans[scan].name.rpartition(".")[0]
                files.append((stem or own[0][0].name, made[format_name]))
            case Refused(reason) | Failed(reason):
                raise ProblemError(500, f"{own[0][0].name}: {reason}", CarrelError(reason))
            case _:
                raise ProblemError(500, f"{own[0][0].name}: its scan is not what it was; scan it again")
    return files


def _zip(files: Sequence[File]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return packed.getvalue()
