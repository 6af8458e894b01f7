"""Corrected pages written anew: the stored page first, then every format of it that lies beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from carrel.errors import CarrelError
from carrel.formats import FORMATS
from carrel.formats.read.folders import PageFiles
from carrel.output import write_file
from carrel.page import Page
from carrel.review.corrections import Change, with_changes

STORED = "json"
_NUMBERED = re.compile(r"(.+)-(\d{4,})")
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
    for name in (STORED, *(name for name in FORMATS if name != STORED)):
        path = files.path(FORMATS[name].suffix)
        if name == STORED or path.is_file():
            done += _write_pdf([page], path) if FORMATS[name].needs_scan else _write(name, path, before, page)
    return done


def _write(name: str, path: Path, before: Page, page: Page) -> Applied:
    made = FORMATS[name].write(page)
    found = path.read_bytes() if path.is_file() else None
    if found == made:
        return Applied()
    aside: tuple[Path, ...] = ()
    if found is not None and name != STORED and found not in _own(name, before):
        aside = (_free_name(path),)
        write_file(aside[0], found)
    write_file(path, made)
    return Applied((path,), aside)


def _own(name: str, page: Page) -> set[bytes]:
    """What Carrel writes of a page, with its corrections and without."""
    bare = tuple(
        replace(region, lines=tuple(replace(line, correction=None) for line in region.lines)) for region in page.regions
    )
    return {FORMATS[name].write(page), FORMATS[name].write(replace(page, regions=bare))}


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.kept-{number}")).exists():
        number += 1
    return kept


def apply_documents(pages: Mapping[str, tuple[PageFiles, Page]], changed: Sequence[str]) -> Applied:
    """Write the PDF of each scan of several pages anew where one of its pages has changed.

    Its pages are called ``NAME-0001``, ``NAME-0002``; the PDF is ``NAME.pdf``.
    """
    done = Applied()
    numbered = {name: match for name in pages if (match := _NUMBERED.fullmatch(name))}
    for document in dict.fromkeys(numbered[name][1] for name in changed if name in numbered):
        own = sorted((int(match[2]), name) for name, match in numbered.items() if match[1] == document)
        path = pages[own[0][1]][0].folder / f"{document}{FORMATS['pdf'].suffix}"
        if path.is_file() and document not in pages:
            done += _write_pdf([pages[name][1] for _, name in own], path)
    return done


def _write_pdf(pages: Sequence[Page], path: Path) -> Applied:
    """Lay the text of ``pages`` on the sheets of the PDF that is there; it holds the scans."""
    contents = path.read_bytes()
    sheets = _own_sheets(contents)
    if sheets is None:
        return Applied(left=(f"{path}: not written by Carrel; left as it is",))
    if sheets < len(pages):
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
    if made == contents:
        return Applied()
    write_file(path, made)
    return Applied((path,))


def _own_sheets(contents: bytes) -> int | None:
    """How many pages a PDF has that Carrel laid text on; None of another's."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(contents)) as pdf:
            fonts = [
                str(font.get("/BaseFont", ""))
                for sheet in pdf.pages
                for font in sheet.resources.get("/Font", pikepdf.Dictionary()).values()
            ]
            return len(pdf.pages) if any(_OWN_FONT in name for name in fonts) else None
    except (pikepdf.PdfError, AttributeError, ValueError):
        return None


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
    return done + apply_documents(now, changed)


def apply_stored(stored: Mapping[str, tuple[PageFiles, Page]]) -> Applied:
    """Write every page that holds corrections anew, in every format that lies there."""
    changed = [name for name, (_, page) in stored.items() if has_corrections(page)]
    done = Applied()
    for name in changed:
        files, page = stored[name]
        done += apply_page(files, page, page)
    return done + apply_documents(stored, changed)
