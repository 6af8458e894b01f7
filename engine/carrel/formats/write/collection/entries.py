"""One page of a collection, with the names of its files as METS and IIIF refer to them."""

from __future__ import annotations

import mimetypes
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from carrel.formats.halves import Side
from carrel.formats.write.collection.contents import Division, divisions_of
from carrel.formats.write.interchange import base_name
from carrel.page import Box, Page

ALTO_PROFILE = "http://www.loc.gov/standards/alto/v4/alto.xsd"
ALTO_TYPE = "application/alto+xml"
PAGE_TYPE = "application/vnd.prima.page+xml"
TEI_TYPE = "application/tei+xml"
PDF_TYPE = "application/pdf"
_TYPES = {
    ".jp2": "image/jp2",
    ".webp": "image/webp",
    ".jfif": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
"""Of endings that not every Python knows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of a collection with the names of its files; empty where there is none. ``name`` is that of its results,
    with slashes: it says which folder and document the page belongs to."""

    page: Page
    image: str
    """A picture of this page alone: what viewers show."""
    alto: str = ""
    pdf: str = ""
    """The PDF of the page, or of its document."""
    name: str = ""
    pdf_page: int = 0
    """Which page of the PDF it is, from 1; 0 where it is the only one."""
    xml: str = ""
    """PAGE, where there is no ALTO."""
    tei: str = ""
    side: Side | None = None
    """Which page of a spread it is; ``page`` then is cut out of it."""
    part: Box | None = None
    """Where it is in the picture, where that shows more than the page."""


def contents_of(entries: Sequence[Entry], label: str) -> Division:
    """Arrange the pages of a collection by folders and documents; both pages of a spread belong to the same one."""
    numbered = groupby(enumerate(entries, 1), key=lambda item: item[1].name or item[0])
    scans = [[(number, entry) for number, entry in group] for _, group in numbered]
    contents = divisions_of(label, [(scan[0][1].name, scan[0][1].page.source.file_name) for scan in scans])
    for division in contents.walk():
        division.pages = [number for scan in division.pages for number, _ in scans[scan - 1]]
    return contents


def labels_of(entries: Sequence[Entry]) -> list[str]:
    """Return what viewers call each page: the name of its scan's file, with the page where it has several."""
    files = [(entry.name.rpartition("/")[0], entry.page.source.file_name) for entry in entries]
    counts = Counter((file, entry.side) for file, entry in zip(files, entries, strict=True) if entry.side != "right")
    several = {file for (file, _), count in counts.items() if count > 1}
    return [
        base_name(file[1])
        + (f", page {entry.page.source.page_index + 1}" if file in several else "")
        + (f", {entry.side}" if entry.side else "")
        for file, entry in zip(files, entries, strict=True)
    ]


def reference(name: str, page: int = 0) -> str:
    """Return the name of a file as a relative URL, with the number of a page where it has several; an address stays one."""
    scheme, mark, rest = name.rpartition("://")
    return scheme + mark + quote(rest) + (f"#page={page}" if name and page else "")


def media_type(name: str) -> str:
    """Return the media type that the end of a file's name tells."""
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def place(box: Box) -> str:
    """Return a box as the fragment of a canvas."""
    return f"xywh={box.left},{box.top},{box.right - box.left},{box.bottom - box.top}"
