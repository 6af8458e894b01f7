"""Pages as files: one pure function per format, and readers for what others write.

>>> from carrel.formats import SUFFIXES, WRITERS, read_page
>>> data = WRITERS["alto"](page)                # doctest: +SKIP
>>> page = read_page("page-0001.alto.xml")           # doctest: +SKIP

Each format's module is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from carrel.page import Page


class Writer(Protocol):
    """A page as the bytes of one file."""

    def __call__(self, page: Page, /) -> bytes: ...


class ScanWriter(Protocol):
    """A page and the bytes of its scan, as the bytes of one file."""

    def __call__(self, page: Page, scan: bytes, /) -> bytes: ...


def _writer(module: str) -> Writer:
    def write(page: Page, /) -> bytes:
        return import_module(f"carrel.formats.{module}").write(page)

    return write


def _scan_writer(module: str) -> ScanWriter:
    def write(page: Page, scan: bytes, /) -> bytes:
        return import_module(f"carrel.formats.{module}").write(page, scan)

    return write


#: name of the format -> writer that needs the page alone
WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "text": _writer("write.text"),
        "json": _writer("json_page"),
        "alto": _writer("write.alto"),
        "page": _writer("write.page_xml"),
        "hocr": _writer("write.hocr"),
        "tei": _writer("write.tei"),
        "csv": _writer("write.csv_lines"),
    }
)

#: name of the format -> writer that needs the scan's bytes too
SCAN_WRITERS: Mapping[str, ScanWriter] = MappingProxyType({"pdf": _scan_writer("pdf.document")})

#: name of the format -> end of the file name
SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        "text": ".txt",
        "json": ".json",
        "alto": ".alto.xml",
        "page": ".page.xml",
        "hocr": ".hocr.html",
        "tei": ".tei.xml",
        "csv": ".csv",
        "pdf": ".pdf",
    }
)


def read_page(source: str | Path | bytes) -> Page:
    """The first page of a file of a supported format, told by its content.

    Parameters
    ----------
    source
        A path, or the bytes of the file.

    Raises
    ------
    InputError
        The file is missing, too large, damaged, of another format, or carries a document type definition.
    """
    return import_module("carrel.formats.read.any_format").read(source)
