"""Names of results: short, printable, and never twice, whatever the scanner called its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LONGEST_BYTES = 200
"""Of a name without suffix: most disks take 255 bytes, and ``-0001.alto.xml.part`` must fit behind it."""


def page_names(path: Path, root: Path, sha256: str, pages: int) -> Sequence[Sequence[str]]:
    """Candidates for the names of a file's pages, relative to the output folder and without suffix.

    First the file's stem in the folder where it lies below ``root``, then its whole name, then that with the file's
    digest, which no other file has. Each candidate is a list with one name a page.
    """
    folder = "/".join(_printable(part) for part in path.relative_to(root).parent.parts)
    stems = _printable(path.stem), _printable(path.name), f"{_printable(path.stem)}-{sha256[:16]}", sha256
    documents = [f"{folder}/{stem}" if folder else stem for stem in stems]
    return [_numbered(document, pages) for document in documents]


def _numbered(document: str, pages: int) -> list[str]:
    digits = max(4, len(str(pages)))
    return [document] if pages == 1 else [f"{document}-{index + 1:0{digits}d}" for index in range(pages)]


def _printable(part: str) -> str:
    """One part of a path with everything replaced that some disk, shell or reader trips over."""
    name = "".join(c if c.isprintable() and c not in _TROUBLE else "_" for c in part).rstrip(". ")
    if name.startswith((".", "-", "~")):
        name = "_" + name[1:]
    cut = name.encode()[:LONGEST_BYTES].decode(errors="ignore").rstrip(". ")
    return cut or "_"


_TROUBLE = frozenset('/\\:*?"<>|')
