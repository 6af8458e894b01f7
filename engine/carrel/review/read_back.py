"""Files that people hand back: a worksheet, a spreadsheet, an edited page, or a folder of such pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from carrel.errors import InputError
from carrel.evaluate.document import from_text
from carrel.formats import FORMATS, SIDE_FORMATS, read_page
from carrel.formats.read.any_format import load, load_text
from carrel.formats.read.folders import PAGE_FORMATS, PageFiles, find_pages
from carrel.page import Page
from carrel.review import spreadsheet, worksheet
from carrel.review.corrections import ReadBack, Who, compare_pages, compare_text

Pages = Mapping[str, tuple[PageFiles, Page]]


def stored_pages(folder: Path) -> dict[str, tuple[PageFiles, Page]]:
    """Read the pages below a folder, each from the file that tells most of it.

    Raises
    ------
    InputError
        There is no page, or one is damaged.
    """
    found = {name: (files, read_page(files.page)) for name, files in find_pages(folder).items() if files.page}
    if not found:
        raise InputError(f"{folder}: no pages in JSON, ALTO, PAGE or hOCR")
    return found


def read_corrections(path: Path, stored: Pages, who: Who) -> ReadBack:
    """Find what a person handed back of ``stored`` pages.

    Parameters
    ----------
    path
        A worksheet (text or .xlsx), a page in ALTO, PAGE, hOCR, JSON or text, or a folder of pages under the same names.
        In the folder of the stored pages themselves, files that were edited where they lie are found.
    stored
        Pages by name, as `stored_pages` gives them.
    who
        Whose corrections they are, where files do not say.

    Raises
    ------
    InputError
        It is none of these, or a page of another name.
    """
    pages = {name: page for name, (_, page) in stored.items()}
    if not path.is_dir():
        data = load(path, worksheet.MOST_BYTES)
        if spreadsheet.is_spreadsheet(data):
            return worksheet.changes_of(spreadsheet.rows_of_spreadsheet(data), pages, who)
        if worksheet.is_worksheet(data.decode("utf-8-sig", "replace")):
            return worksheet.changes_of(worksheet.rows_of_text(load_text(path)), pages, who)
    edited = find_pages(path) if path.is_dir() else _alone(path, stored)
    common = [name for name in edited if name in stored]
    if not common:
        raise InputError(f"{path}: neither a worksheet nor a page of the folder; keep the names of the files")
    return _merged(_compared(name, edited[name], stored[name], who) for name in common)


def _alone(path: Path, stored: Pages) -> dict[str, PageFiles]:
    """A single file under the name of its page, wherever in the folder that page lies."""
    found = {files.name: files for files in find_pages(path.parent).values() if path in files.files.values()}
    alone = {
        name: PageFiles(name, path.parent, {k: p for k, p in f.files.items() if p == path}) for name, f in found.items()
    }
    for name, files in list(alone.items()):
        same = [known for known in stored if known.rpartition("/")[2] == name.rpartition("/")[2]]
        if name not in stored and len(same) == 1:
            alone[same[0]] = files
    return alone


def _compared(name: str, edited: PageFiles, stored: tuple[PageFiles, Page], who: Who) -> Iterator[ReadBack]:
    """What each file of an edited page says; the stored file itself says nothing."""
    files, page = stored
    forms = {**FORMATS, **(SIDE_FORMATS if page.gutter is not None else {})}
    for kind in (*PAGE_FORMATS, *(name for name in SIDE_FORMATS if name in forms), "text"):
        path = edited.files.get(kind)
        if path is None or (files.page and path.resolve() == files.page.resolve()):
            continue
        data = load(path)
        if data == forms[kind].write(page):
            continue
        if kind == "text":
            yield compare_text(name, page, from_text(name, load_text(path)), who)
        else:
            yield compare_pages(name, page, read_page(path), who)


def _merged(found: Iterable[Iterable[ReadBack]]) -> ReadBack:
    """Everything that was found; of several corrections of a line, the first."""
    every = [back for of_page in found for back in of_page]
    changes = {(change.document, change.line.id): change for back in reversed(every) for change in back.changes}
    unplaced = dict.fromkeys(text for back in every for text in back.unplaced)
    return ReadBack(tuple(changes.values()), tuple(unplaced))
