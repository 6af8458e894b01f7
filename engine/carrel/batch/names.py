"""Names of results: short, printable, and never twice, whatever the scanner called its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from carrel.batch.results import page_stem

LONGEST_BYTES = 200
"""Of a name without suffix: most disks take 255 bytes, and ``-0001.alto.xml.~1~`` must fit behind it."""


def document_folder(path: Path, root: Path, group: re.Pattern[str] | None = None) -> str:
    """Return the folder for a file's results, relative to the output folder, "" for that itself.

    It is the folder where the file lies below ``root``; inside it, files in whose name ``group`` is found go to a folder
    named after its first group: ``(.+)_[0-9]+`` puts ``deed12_001.tif`` and ``deed12_002.tif`` into ``deed12``. A file
    where that group took no part is a document of its own.
    """
    parts = list(path.relative_to(root).parent.parts)
    found = group.match(path.stem) if group else None
    if found and found.group(1):
        parts.append(found.group(1))
    return "/".join(printable(part) for part in parts)


def candidates(path: Path, folder: str, pages: int) -> Iterator[Sequence[str]]:
    """Find names for the results of a file, relative to the output folder and without suffix, the best first, for ever.

    First the file's stem in ``folder``, then its whole name, then its stem with a number. Each candidate is a list: the
    name of the document, and the names of its pages where it has several.
    """
    stem = printable(path.stem)
    for number in count():
        name = (stem, printable(path.name))[number] if number < 2 else f"{stem}-{number}"
        document = f"{folder}/{name}" if folder else name
        yield [document, *(page_stem(document, index, pages) for index in range(pages) if pages > 1)]


def shown_name(path: str) -> str:
    """Return the path of a file as text that is Unicode: bytes that are none as ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def printable(part: str) -> str:
    """Return one part of a path with everything replaced that some disk, shell or reader trips over."""
    name = "".join(c if c.isprintable() and c not in _TROUBLE else "_" for c in part).rstrip(". ")
    if name.startswith((".", "-", "~")):
        name = "_" + name[1:]
    cut = name.encode(errors="replace")[:LONGEST_BYTES].decode(errors="ignore").rstrip(". ")
    return cut or "_"


_TROUBLE = frozenset('/\\:*?"<>|')
