"""Documents of several pages: which pages belong to one, and its whole text as one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from carrel.formats import FORMATS
from carrel.formats.write.collection.contents import document_of
from carrel.formats.write.text import write_document
from carrel.output import write_file
from carrel.page import Page


def documents_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Return documents with their pages in order: ``NAME`` for ``NAME-0001``, ``NAME-0002``.

    What is a page's own name is no document's.
    """
    pages = set(names)
    found: dict[str, list[str]] = {}
    for name in sorted(pages, key=lambda name: (len(name), name)):
        document = document_of(name)
        if document != name and document not in pages:
            found.setdefault(document, []).append(name)
    return found


def without_corrections(page: Page) -> Page:
    """Return a page as it was read."""
    regions = tuple(
        replace(region, lines=tuple(replace(line, correction=None) for line in region.lines)) for region in page.regions
    )
    return replace(page, regions=regions)


def text_path(folder: Path, document: str) -> Path:
    """Return where the whole text of a document lies."""
    return folder / f"{document}{FORMATS['text'].suffix}"


def rewrite_text(path: Path, pages: Sequence[Page], before: Sequence[Page] = ()) -> bool | None:
    """Write the text of a document's pages, a form feed between them, unless somebody else's stands there.

    Parameters
    ----------
    pages
        The pages as they are now.
    before
        As they were when the file may have been written.

    Returns
    -------
    bool or None
        Whether it was written; None where it says this already.
    """
    made = write_document(pages)
    if path.is_file():
        there = path.read_bytes()
        if there == made:
            return None
        if there not in (write_document(before), write_document([without_corrections(page) for page in pages])):
            return False
    write_file(path, made)
    return True


def write_texts(folder: Path, pages: Mapping[str, Page]) -> dict[Path, bool]:
    """Write the whole text of each document of several pages; says of each file whether it holds that now.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    return {
        (path := text_path(folder, document)): rewrite_text(path, [pages[name] for name in names]) is not False
        for document, names in documents_of(pages).items()
        if len(names) > 1
    }
