"""Deleting what Carrel wrote, and being honest about what deleting means.

Only what the journal names is deleted, through no link, and only while it is what Carrel wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from carrel import system
from carrel.batch.derived import is_kept, page_names, strip_pack, strip_queue, tells_of
from carrel.batch.folders import QUEUE, Folders
from carrel.batch.intake import walk
from carrel.batch.journal import Journal
from carrel.batch.read_results import digests_of, rewrite_list
from carrel.errors import InputError, OutputError
from carrel.formats.write.collection.contents import document_of
from carrel.output import folder_below

NO_PROMISE = (
    "Deleted files may survive on the disk: flash memory (SSD, SD card, USB stick) keeps old blocks, and file systems, "
    "snapshots and backups keep copies. Only a disk encrypted from the start, whose key is destroyed, makes sure."
)
DAY_S = 86_400.0


@dataclass(slots=True)
class Purged:
    """Counts of what was deleted; ``derived`` files told of the deleted pages and of others; ``changed`` results are no longer what Carrel wrote and stay; ``left`` are files in the
    output folder that Carrel did not write or could not delete; ``jump`` are two times that cannot both be right."""

    results: int = 0
    derived: list[str] = field(default_factory=list[str])
    state_files: int = 0
    size_bytes: int = 0
    changed: list[str] = field(default_factory=list[str])
    left: list[Path] = field(default_factory=list[Path])
    failed: list[Path] = field(default_factory=list[Path])
    jump: tuple[float, float] | None = None


def purge(folders: Folders, *, changed: bool = False) -> Purged:
    """Delete all results, the journal, the spool and the heartbeat. The scans are not touched.

    Parameters
    ----------
    changed
        Also delete results that were changed since Carrel wrote them.

    Raises
    ------
    InputError
        No batch has been there.
    UsageError
        One is at work there.
    """
    require_batch(folders)
    purged = Purged()
    with folders.locked():
        journal = Journal(folders.journal)
        try:
            _require_own(folders, journal)
            results, places = journal.results(), journal.folders()
        finally:
            journal.close()
        _delete(folders, [(path, None if changed else digest) for path, digest in results], purged)
        folders.sweep({"", *places})
        _remove_empty(folders, places)
        purged.state_files += folders.clear_spools()
        for path in folders.state_files():
            purged.state_files += delete_state_file(path, purged)
    with suppress(OSError):
        folders.state.rmdir()
    _flush(folders.output)
    purged.left = _files_left(folders.output)
    return purged


def _files_left(folder: Path) -> list[Path]:
    return [path for path in walk(folder) if path.is_symlink() or not path.is_dir()]


def purge_document(folders: Folders, journal: Journal, name: str, *, changed: bool = False) -> Purged:
    """Delete the results of one document, by the name of its results, and what was read of it. It is not read again.

    Raises
    ------
    InputError
        There is no such document.
    """
    _require_own(folders, journal)
    results = journal.of_document(name)
    if not results:
        raise InputError(
            f"{folders.output}: no results of a document named {name}; name it like its results, 1902/deed"
        )
    paths = [path for path, _ in results]
    kept = [(path, digest) for path, digest in journal.of_no_page() if is_kept(path, paths)]
    purged = Purged()
    gone = _delete(folders, [(path, None if changed else digest) for path, digest in [*results, *kept]], purged)
    _delete_derived(folders, journal, page_names([name, *paths]), purged)
    journal.expire(gone)
    places = map(folders.output.joinpath, [*(path for path, _ in journal.of_no_page()), *journal.elsewhere()])
    purged.left = [path for path in places if tells_of(path, page_names([name, *paths]))]
    _flush(folders.output)
    return purged


def _delete_derived(folders: Folders, journal: Journal, names: Sequence[str], purged: Purged) -> None:
    """Delete worksheets, reports and the like that tell of these pages and are as Carrel wrote them; they can be made again.

    Line packs lose the lines of these pages alone.
    """
    for path, digest in journal.of_no_page():
        place = folders.output / path
        if folders.digest(path) != digest or not tells_of(place, names):
            continue
        if strip_pack(place, names):
            journal.note(path, folders.digest(path) or "")
        else:
            journal.expire(_delete(folders, [(path, digest)], purged))
        purged.derived.append(path)
    if strip_queue(folders.state / QUEUE, names):
        purged.derived.append(f"{folders.state.name}/{QUEUE}")


def purge_read_results(
    folder: Path, purged: Purged, *, changed: bool = False, document: str | None = None, days: float | None = None
) -> None:
    """Delete what ``carrel read -o`` wrote to ``folder``, all or of one document, or only what is older than ``days``."""
    folders, digests = Folders.of(folder), digests_of(folder)
    left = dict(digests)
    for path, digest in digests.items():
        (page,) = page_names([path])
        if document is not None and document not in (page, document_of(page)):
            continue
        if days is not None and time.time() - _changed_s(folder / path, 0.0) < days * DAY_S:
            continue
        for gone in _delete(folders, [(path, None if changed else digest)], purged):
            del left[gone]
    if digests and left != digests:
        rewrite_list(folder, left)
        _flush(folder)
    if document is None and days is None:
        purged.left = _files_left(folder)


def _require_own(folders: Folders, journal: Journal) -> None:
    if journal.meta("state") != folders.identity:
        raise InputError(f"{folders.state}: holds the journal of another folder; nothing was deleted")


def require_batch(folders: Folders) -> None:
    """Make sure that a batch has been there.

    Raises
    ------
    InputError
        None has.
    """
    if not has_batch(folders):
        raise InputError(f"{folders.output}: no batch has been there")


def has_batch(folders: Folders) -> bool:
    """Tell whether a batch has been there."""
    return folders.journal.exists() and folders.identity is not None


def expire(folders: Folders, journal: Journal, days: float, *, trust_clock: bool = False) -> Purged:
    """Delete results that were finished more than ``days`` ago. Their pages stay done: nothing is read again.

    How long that is, the journal's ticks tell, so that a clock that jumps deletes nothing; ``trust_clock`` believes it.
    """
    purged = Purged(jump=journal.tick())
    age_s, now = days * DAY_S, time.time()
    candidates = journal.finished_before(now - age_s) if trust_clock else journal.older_than(age_s)
    old = [(path, digest) for path, digest in candidates if now - _changed_s(folders.output / path, now) >= age_s]
    gone = _delete(folders, old, purged)
    journal.expire(gone)
    strip_queue(folders.state / QUEUE, page_names(gone))
    return purged


def _changed_s(path: Path, default: float) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return default if path.parent.is_dir() else 0.0


def _delete(folders: Folders, results: Iterable[tuple[str, str | None]], purged: Purged) -> list[str]:
    """Delete results; returns the paths of those that are not there any more."""
    gone: list[str] = []
    for path, digest in results:
        try:
            size_bytes = folders.remove(path, digest)
        except OSError:
            purged.failed.append(folders.output / path)
            continue
        if size_bytes is None:
            purged.changed.append(path)
            continue
        gone.append(path)
        purged.size_bytes += size_bytes
        purged.results += size_bytes > 0
    return gone


def delete_state_file(path: Path, purged: Purged) -> int:
    """Delete a file of Carrel's own that holds no results; returns how many that were."""
    try:
        purged.size_bytes += path.lstat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError:
        purged.failed.append(path)
        return 0
    return 1


def _remove_empty(folders: Folders, places: Iterable[str]) -> None:
    """Remove the folders of results that are empty now, from the innermost out."""
    below = {
        "/".join(place.split("/")[:depth]) for place in places if place for depth in range(1, place.count("/") + 2)
    }
    for place in sorted(below, key=lambda place: place.count("/"), reverse=True):
        above, _, name = place.rpartition("/")
        with suppress(OSError), folder_below(folders.output, above) as descriptor:
            os.rmdir(name, dir_fd=descriptor)


def _flush(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | system.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{folder}: deletions may not have reached the disk ({error.strerror})") from error
