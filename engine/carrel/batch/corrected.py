"""Files that are written to a batch's output outside of it: corrected results, worksheets, reports, packs.

The journal knows them then: corrected results are Carrel's own, formats that are asked for later hold the corrections,
and everything is found again by ``carrel privacy`` and ``carrel purge``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from carrel.batch.folders import STATE_FOLDER, Folders
from carrel.batch.journal import Journal
from carrel.batch.read_results import add_to_list, digests_of, has_list, locked_list
from carrel.formats import FORMATS
from carrel.page import Page


class Notes:
    """The journal of the batch whose output a folder is, or lies in; without one, the list of what single runs wrote there."""

    def __init__(self, folder: Path, folders: Folders | None, journal: Journal | None) -> None:
        self._folder, self._folders, self._journal = folder, folders, journal

    def wrote(self, paths: Iterable[Path]) -> None:
        """Note files that were written: those in the output folder go with a purge, the others are named."""
        if self._folders is None or self._journal is None:
            self._list_new(paths)
            return
        for path in paths:
            place = path.resolve()
            if not place.is_relative_to(self._folders.output):
                self._journal.note_elsewhere(str(place))
                continue
            known = place.relative_to(self._folders.output).as_posix()
            digest = self._folders.digest(known)
            if digest is not None:
                self._journal.note(known, digest)

    def is_own(self, path: Path) -> bool:
        """Tell whether a file holds what Carrel last wrote there."""
        place = path.resolve()
        if self._folders is not None and self._journal is not None:
            if not place.is_relative_to(self._folders.output):
                return False
            known = place.relative_to(self._folders.output).as_posix()
            return self._journal.digest_of(known) == self._folders.digest(known)
        told = digests_of(self._folder).get(place.name) if place.parent == self._folder and place.is_file() else None
        return told is not None and told == hashlib.sha256(place.read_bytes()).hexdigest()

    def wrote_anew(self, paths: Iterable[Path]) -> None:
        """Note files in the folder itself that were written, whether they were there before or not."""
        paths = [path.resolve() for path in paths]
        if self._folders is not None:
            self.wrote(paths)
        elif has_list(self._folder):
            with locked_list(self._folder) as listed:
                for place in paths:
                    add_to_list(listed, place.relative_to(self._folder).as_posix(), place.read_bytes())

    def _list_new(self, paths: Iterable[Path]) -> None:
        """Add files to the list of single runs, if there is one; corrected results count as changed, so that none replaces
        them."""
        if not has_list(self._folder):
            return
        known = digests_of(self._folder)
        with locked_list(self._folder) as listed:
            for place in (path.resolve() for path in paths):
                if (
                    place.is_relative_to(self._folder)
                    and (name := place.relative_to(self._folder).as_posix()) not in known
                ):
                    add_to_list(listed, name, place.read_bytes())

    def wrote_elsewhere(self, paths: Iterable[Path]) -> None:
        """Note files and folders that hold what pages say and are a person's to delete, such as models learned from them."""
        if self._journal is not None:
            for path in paths:
                self._journal.note_elsewhere(str(path.resolve()))

    def put_aside(self, paths: Iterable[Path]) -> None:
        """Note copies of what people had changed: named by ``carrel privacy``, and deleted as changed results are."""
        if self._folders is None or self._journal is None:
            return
        for path in paths:
            self._journal.note(path.resolve().relative_to(self._folders.output).as_posix(), "")

    def equal_pages(self, path: Path) -> list[str]:
        """Return the names of other results of the same page, of equal scans, by the path of a page's JSON."""
        if self._folders is None or self._journal is None:
            return []
        return self._journal.equal_pages(path.resolve().relative_to(self._folders.output).as_posix())

    def corrected(self, pages: Mapping[Path, Page]) -> None:
        """Keep corrected pages, by the paths of their JSON; `wrote` comes first."""
        if self._folders is None or self._journal is None:
            return
        for path, page in pages.items():
            name = path.resolve().relative_to(self._folders.output).as_posix()
            self._journal.corrected(name, FORMATS["json"].write(page))


@contextmanager
def notes_of(folder: Path, state: Path | None = None, *, alone: bool = False) -> Generator[Notes]:
    """Open the journal of the batch that wrote to ``folder`` or to one that it lies in.

    Parameters
    ----------
    state
        Private folder of the batch, where it is not in the output folder.
    alone
        Keep batches from working on the folder meanwhile.

    Raises
    ------
    UsageError
        With ``alone``, a batch is at work there.
    OutputError
        The journal cannot be used.
    """
    folders = _folders_of(folder.resolve(), state)
    if folders is None:
        yield Notes(folder.resolve(), None, None)
        return
    with folders.locked() if alone else nullcontext():
        journal = Journal(folders.journal)
        try:
            yield Notes(folder.resolve(), folders, journal)
        finally:
            journal.close()


def _folders_of(folder: Path, state: Path | None) -> Folders | None:
    if state is not None:
        return Folders.of(folder, state)
    above = (Folders.of(place) for place in (folder, *folder.parents) if (place / STATE_FOLDER).is_dir())
    return next((folders for folders in above if folders.journal.exists()), None)
