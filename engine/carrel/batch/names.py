"""Names of results: short, printable, and never twice, whatever the scanner called its files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

LONGEST_BYTES = 200
"""Of a name without suffix: most disks take 255 bytes, and ``-0001.alto.xml.part`` must fit behind it."""


def document_folder(path: Path, root: Path, group: re.Pattern[str] | None = None) -> str:
    """The folder for a file's results, relative to the output folder, "" for that itself.

    It is the folder where the file lies below ``root``; inside it, files in whose name ``group`` is found go to a folder
    named after its first group: ``(.+)_[0-9]+`` puts ``deed12_001.tif`` and ``deed12_002.tif`` into ``deed12``.
    """
    parts = list(path.relative_to(root).parent.parts)
    found = group.match(path.stem) if group else None
    if found:
        parts.append(found.group(1))
    return "/".join(_printable(part) for part in parts)


def page_names(path: Path, folder: str, sha256: str, pages: int) -> Sequence[Sequence[str]]:
    """Candidates for the names of a file's pages, relative to the output folder and without suffix.

    First the file's stem in ``folder``, then its whole name, then its stem with the start of the file's digest, and at last
    the digest, which no other file has. Each candidate is a list with one name a page.
    """
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
