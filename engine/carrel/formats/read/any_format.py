"""Files of any supported format as a Page, told apart by content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from carrel.errors import InputError
from carrel.formats import json_page
from carrel.formats.read import alto, hocr, page_xml
from carrel.formats.read.plain_text import decode_text
from carrel.formats.xml_tree import MAX_BYTES, parse
from carrel.page import Page

_HTML = re.compile(rb"<html[\s>]|class=[\"']ocr_page", re.IGNORECASE)
_HEAD_BYTES = 4096
Kind = Literal["json", "hocr", "alto", "page"]


def read(source: str | Path | bytes) -> Page:
    """See ``carrel.formats.read``."""
    if isinstance(source, bytes):
        return _from_bytes(source)
    path = Path(source)
    try:
        return _from_bytes(load(path))
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def load(path: Path, most_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file of at most ``most_bytes``; raises InputError otherwise."""
    try:
        if not path.is_file():
            raise InputError("no such file")
        if path.stat().st_size > most_bytes:
            raise InputError(f"larger than {most_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error


def load_text(path: Path) -> str:
    """Return the text of a file; raises InputError that names it where it is in no encoding that is certain."""
    try:
        return decode_text(load(path))
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def _from_bytes(data: bytes) -> Page:
    kind = kind_of(data)
    if kind == "json":
        return json_page.parse(data)
    if kind == "hocr":
        return hocr.read(data)
    root = parse(data).root
    return alto.read(root) if kind == "alto" else page_xml.read(root)


def kind_of(data: bytes) -> Kind:
    """Return the format of a file's bytes.

    Raises
    ------
    InputError
        Too large, or none of the formats that can be read.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return "json"
    if _HTML.search(head):
        return "hocr"
    root, namespace, _ = parse(data)
    kinds: dict[str, Kind] = {"alto": "alto", "PcGts": "page"}
    if root.tag not in kinds:
        raise InputError(f"neither ALTO, PAGE, hOCR nor Carrel's JSON: {root.tag[:60]!r} in {namespace[:120]!r}")
    return kinds[root.tag]
