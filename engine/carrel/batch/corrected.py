"""Files that are written to a batch's output outside of it: corrected results, worksheets, reports, packs.

The journal knows them then: corrected results are Carrel's own, formats that are asked for later hold the corrections,
and everything is found again by ``carrel privacy`` and ``carrel purge``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from carrel.batch.folders import STATE_FOLDER, Folders
from carrel.batch.journal import Journal
from carrel.formats import FORMATS
from carrel.page import Page


class Notes:
    """The journal of the batch whose output a folder is, or lies in; without one, nothing is noted."""

    def __init__(self, folders: Folders | None, journal: Journal | None) -> None:
        self._folders, self._journal = folders, journal

    def wrote(self, paths: Iterable[Path]) -> None:
        """Note files that were written: those in the output folder go with a purge, the others are named."""
        if self._folders is None or self._journal is None:
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
        yield Notes(None, None)
        return
    with folders.locked() if alone else nullcontext():
        journal = Journal(folders.journal)
        try:
            yield Notes(folders, journal)
        finally:
            journal.close()


def _folders_of(folder: Path, state: Path | None) -> Folders | None:
    if state is not None:
        return Folders.of(folder, state)
    above = (Folders.of(place) for place in (folder, *folder.parents) if (place / STATE_FOLDER).is_dir())
    return next((folders for folders in above if folders.journal.exists()), None)
