"""Corrected pages written anew: the stored page first, then every format of it that lies beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from carrel.errors import CarrelError
from carrel.formats import FORMATS, SIDE_FORMATS, Format
from carrel.formats.halves import single_pages
from carrel.formats.read.folders import PageFiles
from carrel.image.pdf.text import RECOGNIZER as OWN_TEXT
from carrel.output import write_file
from carrel.page import Page
from carrel.review.corrections import Change, with_changes
from carrel.review.documents import documents_of, rewrite_text, text_path, without_corrections

if TYPE_CHECKING:
    import pikepdf

STORED = "json"
_OWN_FONT = "CarrelBoxes"


class Applied(NamedTuple):
    """Files written, copies of what people had changed in them, and files that were left with the reason."""

    written: tuple[Path, ...] = ()
    aside: tuple[Path, ...] = ()
    left: tuple[str, ...] = ()

    def __add__(self, other: Applied) -> Applied:  # type: ignore[override]
        return Applied(self.written + other.written, self.aside + other.aside, self.left + other.left)


def has_corrections(page: Page) -> bool:
    """Tell whether a person has seen a line of ``page``."""
    return any(line.correction for line in page.lines)


def apply_page(files: PageFiles, before: Page, page: Page) -> Applied:
    """Write ``page`` as the stored page, and as every other format that lies beside it.

    A file that is not what Carrel wrote of the page is copied aside first, as ``NAME.kept-1``; a PDF that Carrel did not
    write is left alone.

    Parameters
    ----------
    files
        The files of the page.
    before
        The page as it is stored now.
    page
        The same with its corrections.

    Raises
    ------
    OutputError
        A file cannot be written; those before it are.
    """
    done = Applied()
    known = {**FORMATS, **(SIDE_FORMATS if page.gutter is not None else {})}
    for form in (FORMATS[STORED], *(form for form in known.values() if form.name != STORED)):
        path = files.path(form.suffix)
        if form.name == STORED or path.is_file():
            done += _write_pdf([page], path) if form.needs_scan else _write(form, path, before, page)
    return done


def _write(form: Format, path: Path, before: Page, page: Page) -> Applied:
    made = form.write(page)
    found = path.read_bytes() if path.is_file() else None
    if found == made:
        return Applied()
    aside: tuple[Path, ...] = ()
    if found is not None and form.name != STORED and found not in _own(form, before):
        aside = (_free_name(path),)
        write_file(aside[0], found)
    write_file(path, made)
    return Applied((path,), aside)


def _own(form: Format, page: Page) -> set[bytes]:
    """What Carrel writes of a page, with its corrections and without."""
    return {form.write(page), form.write(without_corrections(page))}


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.kept-{number}")).exists():
        number += 1
    return kept


def apply_documents(
    before: Mapping[str, tuple[PageFiles, Page]], now: Mapping[str, tuple[PageFiles, Page]], changed: Sequence[str]
) -> Applied:
    """Write the PDF and the whole text of each document of several pages anew where one of its pages has changed.

    Its pages are called ``NAME-0001``, ``NAME-0002``; the files are ``NAME.pdf`` and ``NAME.txt``.
    """
    done = Applied()
    for document, names in documents_of(now).items():
        if not set(names) & set(changed):
            continue
        folder, pages = now[names[0]][0].folder, [now[name][1] for name in names]
        pdf, text = folder / f"{document}{FORMATS['pdf'].suffix}", text_path(folder, document)
        if pdf.is_file():
            done += _write_pdf(pages, pdf)
        if text.is_file():
            written = rewrite_text(text, pages, [before[name][1] for name in names])
            done += Applied((text,) if written else ())
            done += Applied(left=(f"{text}: not as Carrel wrote it; left as it is",) if written is False else ())
    return done


def _write_pdf(pages: Sequence[Page], path: Path) -> Applied:
    """Lay the text of ``pages`` on the sheets of the PDF that is there; it holds the scans."""
    contents = path.read_bytes()
    layers = _layers(contents)
    if not any(layers):
        return Applied(left=(f"{path}: not written by Carrel; left as it is",))
    sheets, parted = len(layers), any(page.gutter is not None for page in pages)
    told = _own_text_told(path, pages)
    pages = [single for page in pages for single in single_pages(page)]
    if sheets < len(pages) or (parted and sheets > len(pages)):
        return Applied(left=(f"{path}: {sheets} pages, not {len(pages)}; left as it is",))
    single = sheets == 1 or sheets == len(pages)
    placed = [
        (replace(page, source=replace(page.source, page_index=index if single else page.source.page_index)), contents)
        for index, page in enumerate(pages)
    ]
    try:
        made = FORMATS["pdf"].write_document(placed).data
    except CarrelError as error:
        return Applied(left=(f"{path}: {error}; left as it is",))
    if _layers(made) == layers:
        return told
    write_file(path, made)
    return Applied((path,)) + told


def _own_text_told(path: Path, pages: Sequence[Page]) -> Applied:
    """Corrections that a PDF cannot hold: its own text is shown as it is."""
    own = [
        line
        for page in pages
        for line in page.lines
        if line.recognizer == OWN_TEXT and line.correction and line.correction.text != line.text
    ]
    reason = f"{path}: {len(own)} corrected lines are the PDF's own text, which stays; the other formats hold them"
    return Applied(left=(reason,) if own else ())


def _layers(contents: bytes) -> list[bytes]:
    """Return the text that Carrel laid on each page of a PDF, with the codes of its letters; empty where it laid none."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(contents)) as pdf:
            return [_layer(sheet) for sheet in pdf.pages]
    except (pikepdf.PdfError, AttributeError, ValueError):
        return []


def _layer(sheet: pikepdf.Page) -> bytes:
    import pikepdf

    fonts = sheet.resources.get("/Font", pikepdf.Dictionary())
    own = [font for font in fonts.values() if _OWN_FONT in str(font.get("/BaseFont", ""))]
    streams = sheet.obj.get("/Contents", pikepdf.Array())
    first = streams[0] if isinstance(streams, pikepdf.Array) and len(streams) else streams
    return b"".join([*(font.ToUnicode.read_bytes() for font in own), first.read_bytes()]) if own else b""


def apply_changes(stored: Mapping[str, tuple[PageFiles, Page]], changes: Sequence[Change]) -> Applied:
    """Put changes into their stored pages, and write those pages anew in every format that lies there."""
    now = dict(stored)
    done = Applied()
    changed = list(dict.fromkeys(change.document for change in changes))
    for name in changed:
        files, before = stored[name]
        page = with_changes(before, (change for change in changes if change.document == name))
        done += apply_page(files, before, page)
        now[name] = (files, page)
    return done + apply_documents(stored, now, changed)


def apply_stored(stored: Mapping[str, tuple[PageFiles, Page]]) -> Applied:
    """Write every page that holds corrections anew, in every format that lies there."""
    changed = [name for name, (_, page) in stored.items() if has_corrections(page)]
    done = Applied()
    for name in changed:
        files, page = stored[name]
        done += apply_page(files, page, page)
    return done + apply_documents(stored, stored, changed)
