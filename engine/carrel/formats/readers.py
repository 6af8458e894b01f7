"""Files of any supported format as a Page, told apart by content."""

from __future__ import annotations

import re
from pathlib import Path

from carrel.errors import InputError
from carrel.formats import json_page, read_alto, read_hocr, read_page_xml
from carrel.formats.xml_tree import MAX_BYTES, parse
from carrel.page import Page

_HTML = re.compile(rb"<html[\s>]|class=[\"']ocr_page", re.IGNORECASE)
_HEAD_BYTES = 4096


def read(source: str | Path | bytes) -> Page:
    """See ``carrel.formats.read``."""
    if isinstance(source, bytes):
        return _from_bytes(source)
    path = Path(source)
    try:
        return _from_bytes(_load(path))
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def _load(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputError("no such file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"larger than {MAX_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error


def _from_bytes(data: bytes) -> Page:
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return json_page.parse(data)
    if _HTML.search(head):
        return read_hocr.read(data)
    root, namespace = parse(data)
    if root.tag == "alto":
        return read_alto.read(root)
    if root.tag == "PcGts":
        return read_page_xml.read(root)
    raise InputError(f"neither ALTO, PAGE, hOCR nor Carrel's JSON: {root.tag[:60]!r} in {namespace[:120]!r}")
