"""Files that a run of ``carrel read`` writes: named before the first page is read, and nothing foreign is replaced.

A file in the way is replaced only if it is what Carrel wrote there of the same file: its digest and that file stand in a
list in the folder. An input is never replaced.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from carrel.batch.names import candidates
from carrel.batch.read_results import add_to_list, entries_of, locked_list
from carrel.batch.results import SUFFIXES
from carrel.errors import OutputError
from carrel.formats import FORMATS, side_names
from carrel.image.files import shown
from carrel.output import write_file


class Names(NamedTuple):
    """Names of a file's results without suffix: of its document, and of each page."""

    document: str
    pages: tuple[str, ...]

    def results(self, formats: Iterable[str], pages: Iterable[int] | None = None, *, parted: bool = False) -> list[str]:
        """Return the names of the results of some pages (from 0), or all, in these formats; ``parted``: those of parted spreads, too."""
        if parted:
            formats = [form for name in formats for form in (name, *side_names(name))]
        stems = self.pages if pages is None else [self.pages[index] for index in pages]
        return [
            f"{stem}{SUFFIXES[name]}"
            for name in formats
            for stem in ([self.document] if _is_whole(name) else stems)
            if stems
        ]


def _is_whole(format_name: str) -> bool:
    return format_name in FORMATS and FORMATS[format_name].multi_page


def name_results(files: Iterable[tuple[Path, int]], formats: Sequence[str], *, parted: bool = False) -> list[Names]:
    """Name the results of files with so many pages, each after its file, none twice on any disk; ``parted`` as in `Names.results`."""
    taken: set[str] = set()
    return [_name(path, pages, formats, taken, parted=parted) for path, pages in files]


def _name(path: Path, pages: int, formats: Sequence[str], taken: set[str], *, parted: bool) -> Names:
    for document, *numbered in candidates(path, "", pages):  # for ever
        names = Names(document, tuple(numbered or [document]))
        wanted = {_folded(name) for name in names.results(formats, parted=parted)}
        if not wanted & taken:
            taken |= wanted
            return names
    raise AssertionError("names never end")


def _folded(name: str) -> str:
    """``name`` as disks compare it that tell neither case nor composition apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Outputs:
    """The results of one run in a folder.

    Parameters
    ----------
    folder
        Where they go.
    names
        All that this run may write, with the file that each is of; None where that has no path.
    inputs
        Files that it reads.
    force
        Whether files that Carrel did not write or of another file, or that were changed since, are replaced.

    Raises
    ------
    OutputError
        A file in the way may not be replaced; nothing was written.
    """

    def __init__(self, folder: Path, names: Mapping[str, Path | None], inputs: Sequence[Path], *, force: bool) -> None:
        self._folder, self._inputs, self._force = folder, [_identity(path) for path in inputs], force
        self._of = {name: os.path.realpath(path) if path else "" for name, path in names.items()}
        self._own: set[str] = set()
        entries = entries_of(folder)
        for name, of in self._of.items():
            self._require_free(name, of, entries.get(name, {}))
            if _identity(folder / name):
                self._own.add(name)

    def write(self, name: str, contents: bytes) -> None:
        """Write a result.

        Raises
        ------
        OutputError
            It cannot be written, or another file has got in its way since the run began.
        """
        path = self._folder / name
        with locked_list(self._folder) as listed:
            if name not in self._own and _identity(path) and not self._force:
                raise OutputError(f"{shown(path)}: was written by another run meanwhile; choose another folder with -o")
            write_file(path, contents)
            self._own.add(name)
            add_to_list(listed, name, contents, self._of.get(name, ""))

    def _require_free(self, name: str, of: str, entry: dict[str, str]) -> None:
        path = self._folder / name
        found = _identity(path)
        if found is None:
            return
        if found in self._inputs:
            raise OutputError(f"{shown(path)}: is a file to be read; choose another folder with -o")
        if not self._force and (not entry or entry["sha256"] != _digest(path)):
            raise OutputError(
                f"{shown(path)}: is no result of Carrel, or was changed since; choose another folder with -o, or replace"
                " it with --force"
            )
        before = entry.get("of", "")
        if not self._force and "" not in (of, before) and of != before:
            raise OutputError(
                f"{shown(path)}: is the result of {shown(Path(before))}; choose another folder with -o, or replace it with"
                " --force"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of what stands at a path; None where nothing does."""
    try:
        status = path.stat() if path.exists() else path.lstat()  # a link that leads nowhere is in the way, too
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _digest(path: Path) -> str | None:
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
