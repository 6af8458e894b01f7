"""Pages that were read, as the files that Tesseract's command writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.errors import UsageError
from carrel.formats import FORMATS
from carrel.page import Page
from carrel_cli.tesseract.parameters import is_true
from carrel_cli.tesseract.tables import boxes, tsv

SUFFIXES = {
    "txt": ".txt", "hocr": ".hocr", "alto": ".xml", "page": ".page.xml", "tsv": ".tsv", "pdf": ".pdf", "box": ".box",
}  # fmt: skip
"""Name of an output -> end of its file's name."""
_HTML, _ALTO = "{http://www.w3.org/1999/xhtml}", "{http://www.loc.gov/standards/alto/ns-v4#}"


def result(name: str, pages: Sequence[Page], settings: Mapping[str, str], searchable: Callable[[], bytes]) -> bytes:
    """Return the pages of an image in one of `SUFFIXES`.

    ``searchable`` writes the PDF that shows the scans.

    Raises
    ------
    UsageError
        The format holds one page only.
    """
    if name == "pdf":
        return _text_only(pages) if is_true(settings["textonly_pdf"]) else searchable()
    if name == "page" and len(pages) > 1:
        raise UsageError(f"page holds one page a file, not {len(pages)}; give each page by itself, or ask for alto")
    written: Mapping[str, Callable[[], bytes]] = {
        "txt": lambda: settings["page_separator"].encode().join(FORMATS["text"].write(page) for page in pages),
        "hocr": lambda: _joined(pages, "hocr", {f"{_HTML}body": f"{_HTML}div"}),
        "alto": lambda: _joined(pages, "alto", {f"{_ALTO}Tags": f"{_ALTO}OtherTag", f"{_ALTO}Layout": f"{_ALTO}Page"}),
        "page": lambda: FORMATS["page"].write(pages[0]),
        "tsv": lambda: tsv(pages),
        "box": lambda: boxes(pages),
    }
    return written[name]()


def _text_only(pages: Sequence[Page]) -> bytes:
    from carrel.formats.pdf.document import write_text_only

    return write_text_only(pages)


def _joined(pages: Sequence[Page], format_name: str, moved: Mapping[str, str]) -> bytes:
    """One document of the pages: of the further ones, the children ``moved`` by their parents; ids are made unique."""
    first = FORMATS[format_name].write(pages[0])
    if len(pages) == 1:
        return first
    root: Any = etree.fromstring(first)
    for number, page in enumerate(pages[1:], 2):
        other: Any = etree.fromstring(FORMATS[format_name].write(page))
        _rename_ids(other, f"p{number}_")
        for parent, child in moved.items():
            into = next(root.iter(parent))
            into.extend(list(next(other.iter(parent)).iterchildren(child)))
    for element in root.iter(f"{_HTML}*"):  # browsers take <span /> for an open tag
        element.text = element.text or ""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _rename_ids(root: Any, prefix: str) -> None:
    for element in root.iter(etree.Element):
        for name in ("id", "ID", "TAGREFS"):
            if name in element.attrib:
                element.set(name, " ".join(prefix + identity for identity in element.get(name).split()))
