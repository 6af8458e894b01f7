"""The order of a collection: its folders, the documents in them, and the pages of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

_NUMBERED = re.compile(r"(.+)-\d{4,}")


@dataclass(slots=True)
class Division:
    """A folder or a document; ``pages`` are numbers of pages, counted from 1, in reading order."""

    label: str
    kind: Literal["collection", "folder", "document"]
    divisions: list[Division] = field(default_factory=list["Division"])
    pages: list[int] = field(default_factory=list[int])

    def walk(self) -> Iterator[Division]:
        """Yield this division and all below it."""
        yield self
        for division in self.divisions:
            yield from division.walk()


def document_of(name: str) -> str:
    """Return the name of a page's document: ``deed`` for ``deed-0002``."""
    match = _NUMBERED.fullmatch(name)
    return match[1] if match else name


def divisions_of(label: str, pages: Sequence[tuple[str, str]]) -> Division:
    """Arrange pages by the folders and documents that they lie in.

    Parameters
    ----------
    label
        Title of the whole.
    pages
        Of each page the name of its results, with slashes, and that of its scan's file. Pages of one scan's file are a
        document. Without folders and such documents the whole is one document.
    """
    groups = [
        (key, [number for number, _ in group])
        for key, group in groupby(enumerate(pages, 1), key=lambda item: _key(*item[1]))
    ]
    if all("/" not in name and len(numbers) == 1 for (name, _), numbers in groups):
        return Division(label, "document", pages=list(range(1, len(pages) + 1)))
    top = Division(label, "collection")
    folders = {"": top}
    for (name, _), numbers in groups:
        path, _, own = (name if len(numbers) > 1 else pages[numbers[0] - 1][0]).rpartition("/")
        _folder(folders, path).divisions.append(Division(own, "document", pages=numbers))
    return top


def _key(name: str, scan: str) -> tuple[str, str]:
    return document_of(name), scan


def _folder(folders: dict[str, Division], path: str) -> Division:
    if path not in folders:
        above, _, own = path.rpartition("/")
        folders[path] = Division(own, "folder")
        _folder(folders, above).divisions.append(folders[path])
    return folders[path]
