"""Pages as files: one table of formats, and readers for what others write.

>>> from carrel.formats import FORMATS, read_page
>>> data = FORMATS["alto"].write(page)               # doctest: +SKIP
>>> page = read_page("page-0001.alto.xml")           # doctest: +SKIP

Each format's module is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from carrel.formats.halves import SIDES, Side, sides_of
from carrel.options import ReadOptions
from carrel.page import Page


class WrittenDocument(NamedTuple):
    """The bytes of a document, and what its reader should be told of them."""

    data: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, the end of its files' names, and the module below ``carrel.formats`` that writes it."""

    name: str
    suffix: str
    module: str
    needs_scan: bool = False
    """Whether writing takes the bytes of the scan's file, too."""
    takes_options: bool = False
    """Whether writing depends on the options, too."""
    multi_page: bool = False
    """Whether the pages of one scan's file go into one file."""
    side: Side | None = None
    """Which page of a spread it holds; None for all."""

    def write(self, page: Page, scan: bytes = b"", options: ReadOptions | None = None) -> bytes:
        """Write one page; ``scan`` is the scan's file where the format needs it, ``options`` those it was read with.

        Raises
        ------
        OutputError
            The page cannot be written in this format.
        InputError
            The scan cannot be decoded, or is not the page's.
        """
        write = import_module(f"carrel.formats.{self.module}").write
        if self.side:
            return write(page, self.side)
        if self.needs_scan:
            return write(page, scan, options)
        return write(page, options) if self.takes_options else write(page)

    def write_document(
        self, pages: Sequence[tuple[Page, bytes]], options: ReadOptions | None = None
    ) -> WrittenDocument:
        """Write several pages, each with its scan's file, as one file of a format with ``multi_page``."""
        return import_module(f"carrel.formats.{self.module}").write_document(pages, options)


_ALL = (
    Format("text", ".txt", "write.text"),
    Format("json", ".json", "json_page"),
    Format("alto", ".alto.xml", "write.alto"),
    Format("page", ".page.xml", "write.page_xml"),
    Format("hocr", ".hocr.html", "write.hocr"),
    Format("tei", ".tei.xml", "write.tei"),
    Format("csv", ".csv", "write.csv_lines", takes_options=True),
    Format("pdf", ".pdf", "pdf.document", needs_scan=True, multi_page=True),
)
#: name of the format -> all there is to know of it
FORMATS: Mapping[str, Format] = MappingProxyType({format.name: format for format in _ALL})
#: names of the formats that need the page alone
OF_PAGE_ALONE = tuple(format.name for format in _ALL if not format.needs_scan)


def _side_suffix(suffix: str, side: Side) -> str:
    """``.alto.left.xml``: what no other result's name ends in."""
    kind, end = suffix.rsplit(".", 1)
    return f"{kind}.{side}.{end}"


#: names of the formats that hold one page a file: a spread that is parted becomes two files of them
ONE_PAGE_A_FILE = ("alto", "page", "hocr")
#: the formats of those files, as ``alto-left``
SIDE_FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        f"{form.name}-{side}": replace(
            form, name=f"{form.name}-{side}", suffix=_side_suffix(form.suffix, side), side=side
        )
        for form in map(FORMATS.__getitem__, ONE_PAGE_A_FILE)
        for side in SIDES
    }
)


def formats_of(page: Page, name: str) -> tuple[Format, ...]:
    """Return the formats that a page is written in where ``name`` is asked for: two of a spread that is parted, for its two files."""
    if page.gutter is not None and name in ONE_PAGE_A_FILE:
        return tuple(SIDE_FORMATS[f"{name}-{side}"] for side in sides_of(page))
    return (FORMATS[name],)


def side_names(name: str) -> tuple[str, ...]:
    """Return the names of `SIDE_FORMATS` that may take the place of a format; empty where none do."""
    return tuple(f"{name}-{side}" for side in SIDES) if name in ONE_PAGE_A_FILE else ()


def read_page(source: str | Path | bytes) -> Page:
    """Read the first page of a file of a supported format, told by its content.

    Parameters
    ----------
    source
        A path, or the bytes of the file.

    Raises
    ------
    InputError
        The file is missing, too large, damaged, of another format, or carries a document type definition.

    Examples
    --------
    >>> carrel.read_page(page.save("letter.json")) == page
    True
    """
    return import_module("carrel.formats.read.any_format").read(source)
