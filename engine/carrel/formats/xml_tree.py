"""XML out and in: plain element trees, a parser that refuses what untrusted files should not carry.

``parse`` refuses document type definitions, and with them entities, before anything is expanded; it opens no file and
no connection. Namespaces are cut off names: the formats here are told apart by the root's namespace alone.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import NamedTuple
from xml.parsers import expat

from carrel.errors import InputError
from carrel.page import Points

Element = ET.Element
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
MAX_ELEMENTS = 2_000_000
_SEPARATOR = "}"


def child(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    """Return a new element at the end of ``parent``."""
    element = ET.SubElement(parent, name, attributes)
    element.text = text
    return element


def to_bytes(root: Element, short_empty: bool = True) -> bytes:
    """Return ``root`` as indented UTF-8 with an XML declaration; ``short_empty`` writes ``<a />`` for an empty element."""
    ET.indent(root)
    text = ET.tostring(root, encoding="utf-8", short_empty_elements=short_empty)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text + b"\n"


def joined(points: Points, within: str) -> str:
    """Return ``points`` as text: a space between points, ``within`` between x and y."""
    return " ".join(f"{x}{within}{y}" for x, y in points)


def decimal(value: float) -> str:
    """Return a confidence with four decimals."""
    return f"{value:.4f}"


class Document(NamedTuple):
    """A parsed file: names in the tree have lost their namespace, which is the root's."""

    root: Element
    namespace: str
    is_default: bool
    """Whether the root's namespace was declared without a prefix."""


class _Builder:
    """Collects expat's events into a tree and counts what untrusted input could make endless."""

    def __init__(self) -> None:
        self.tree = ET.TreeBuilder()
        self.namespace = ""
        self.default_namespace = ""
        self.depth = 0
        self.elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        if not self.elements:
            self.namespace = namespace
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise InputError(f"XML with more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        self.tree.start(local, {key.rpartition(_SEPARATOR)[2]: value for key, value in attributes.items()})

    def declare(self, prefix: str | None, uri: str | None) -> None:
        if prefix is None and not self.elements:
            self.default_namespace = uri or ""

    def end(self, name: str) -> None:
        self.depth -= 1
        self.tree.end(name.rpartition(_SEPARATOR)[2])

    def data(self, text: str) -> None:
        self.tree.data(text)


def _refuse_doctype(*_: object) -> None:
    raise InputError("XML with a document type definition; remove the DOCTYPE line")


def parse(data: bytes) -> Document:
    """Return the tree of an XML file.

    Raises
    ------
    InputError
        Not well-formed, a document type definition, more than 64 MiB, 100 levels or 2 million elements.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"XML of {len(data)} bytes; at most {MAX_BYTES} are read")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise InputError(f"XML that is not well-formed: {error}") from error
    is_default = builder.namespace == builder.default_namespace
    return Document(builder.tree.close(), builder.namespace, is_default)
