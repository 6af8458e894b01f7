"""Deleting what Carrel wrote, and being honest about what deleting means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from carrel.batch.folders import SUFFIXES, Folders
from carrel.batch.intake import walk
from carrel.batch.journal import Journal
from carrel.batch.watch import DOCUMENT_FILE
from carrel.errors import InputError, OutputError

NO_PROMISE = (
    "Deleted files may survive on the disk: flash memory (SSD, SD card, USB stick) keeps old blocks, and file systems, "
    "snapshots and backups keep copies. Only a disk encrypted from the start, whose key is destroyed, makes sure."
)


@dataclass(slots=True)
class Purged:
    """How much was deleted; ``left`` are files in the output folder that Carrel did not write or could not delete."""

    results: int = 0
    state_files: int = 0
    size_bytes: int = 0
    left: list[Path] = field(default_factory=list[Path])
    failed: list[Path] = field(default_factory=list[Path])


def purge(folders: Folders) -> Purged:
    """Delete all results, the journal, the spool and the heartbeat. The scans are not touched.

    Raises
    ------
    InputError
        No batch has been there.
    UsageError
        One is at work there.
    """
    if not folders.journal.exists():
        raise InputError(f"{folders.output}: no batch has been there")
    purged = Purged()
    with folders.locked():
        journal = Journal(folders.journal)
        try:
            names = journal.names()
        finally:
            journal.close()
        purged.results = _delete_results(folders, names, purged)
        documents = {(folders.output / name).parent / DOCUMENT_FILE for name in names} - {
            folders.output / DOCUMENT_FILE
        }
        purged.results += sum(_delete(path, purged) for path in documents)
        _remove_empty({path.parent for path in documents}, folders.output)
        for path in walk(folders.state):
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):
                    path.rmdir()
            else:
                purged.state_files += _delete(path, purged)
    with suppress(OSError):
        folders.state.rmdir()
    _flush(folders.output)
    purged.left = [p for p in walk(folders.output) if p.is_symlink() or not p.is_dir()]
    return purged


def expire(folders: Folders, journal: Journal, days: float) -> Purged:
    """Delete results of pages that were finished more than ``days`` ago. They stay done: nothing is read again."""
    before = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    purged = Purged()
    names = journal.results(before)
    purged.results = _delete_results(folders, names, purged)
    journal.results_deleted(name for name in names if not any(folders.result(name, f).exists() for f in SUFFIXES))
    return purged


def _delete_results(folders: Folders, names: Iterable[str], purged: Purged) -> int:
    count = 0
    for name in names:
        for format_name in SUFFIXES:
            path = folders.result(name, format_name)
            count += _delete(path, purged) + _delete(path.with_name(f"{path.name}.part"), purged)
    return count


def _delete(path: Path, purged: Purged) -> int:
    try:
        size_bytes = path.lstat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError:
        purged.failed.append(path)
        return 0
    purged.size_bytes += size_bytes
    return 1


def _remove_empty(folders: Iterable[Path], root: Path) -> None:
    for folder in sorted(folders, key=lambda f: len(f.parts), reverse=True):
        while folder != root and folder.is_relative_to(root):
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone
                break
            folder = folder.parent  # noqa: PLW2901


def _flush(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{folder}: deletions may not have reached the disk ({error.strerror})") from error
