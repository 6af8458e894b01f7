"""Pages as files: one table of formats, and readers for what others write.

>>> from carrel.formats import FORMATS, read_page
>>> data = FORMATS["alto"].write(page)               # doctest: +SKIP
>>> page = read_page("page-0001.alto.xml")           # doctest: +SKIP

Each format's module is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

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
