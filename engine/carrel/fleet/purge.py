"""Deletion of what a fleet wrote: results and journals of all shards, lists, leases, and what this machine keeps of them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from carrel.batch.folders import STATE_FOLDER, Folders
from carrel.batch.intake import walk
from carrel.batch.purge import Purged, delete_state_file, has_batch, purge
from carrel.errors import UsageError
from carrel.fleet.handover import read_records, read_told
from carrel.fleet.here import Here, LocalPlaces
from carrel.fleet.merge import merged_digests
from carrel.fleet.shards import Fleet
from carrel.fleet.status import status_of
from carrel.fleet.store.objects import ObjectFolder

_FILES = re.compile(
    r"fleet\.json|sizes\.json|merged\.json|stop-[0-9a-f]{16}|\.carrel-[0-9a-f]{16}\.part|[0-9]{5,9}\.txt"
    r"|[0-9]{5,9}\.[0-9]{1,6}\.json"
)
_WORK = re.compile(r"[0-9]{5,9}-[0-9a-f]{12}")


def purge_fleet(fleet: Fleet, state: Path, *, changed: bool = False) -> Purged:
    """Delete all that Carrel wrote to a fleet's output folder, its results in a store, and what lies in ``state`` on this machine.

    Parameters
    ----------
    changed
        Also delete results that were changed since Carrel wrote them.

    Raises
    ------
    UsageError
        A machine is at work there.
    CarrelError
        A record is damaged, or a store cannot be reached.
    """
    busy = sorted({at.host for at in status_of(fleet).at_work if not at.silent})
    if busy:
        raise UsageError(f"{fleet.output}: {busy[0]} is at work there; stop carrel work on all machines first")
    purged = Purged()
    shards = [fleet.output / shard for shard in sorted(fleet.done(), key=int)]
    for folder in shards:
        if not _was_purged(folder):
            _purge_store(folder, purged, changed=changed)
        if has_batch(Folders.of(folder)):
            _add(purged, purge(Folders.of(folder), changed=changed))
    folders = Folders.of(fleet.output)
    for name, digest in merged_digests(fleet).items():
        with suppress(OSError):  # the folder is not there any more
            if (size_bytes := folders.remove(name, None if changed else digest)) is None:
                purged.changed.append(name)
            else:
                purged.derived += [name] * (size_bytes > 0)
                purged.size_bytes += size_bytes
    for folder in shards:
        with suppress(OSError):
            folder.rmdir()
    _clear_control(fleet, purged)
    places = LocalPlaces(fleet, Here(state))
    places.clear(places.begun())
    purged.left = [path for path in walk(fleet.output) if path.is_symlink() or not path.is_dir()]
    return purged


def shards_with(fleet: Fleet, document: str) -> Iterator[Path]:
    """Yield the folders of shards that hold a document, by the name of its results.

    Raises
    ------
    UsageError
        They were put into a store.
    """
    for folder in (fleet.output / shard for shard in sorted(fleet.done(), key=int)):
        if not _was_purged(folder) and any(file.name == document for file in read_records(folder)):
            if url := read_told(folder).results_url:
                raise UsageError(
                    f"{url}: holds the results of {document}; delete them there, and carrel purge the whole later"
                )
            yield folder


def drop_merged(fleet: Fleet, document: str) -> list[str]:
    """Delete files that merging wrote and that tell of a document, unless a person changed them; returns those that stay."""
    folders, kept = Folders.of(fleet.output), list[str]()
    for name, digest in merged_digests(fleet).items():
        marks = (f"/{document}#", f"/{document}.", f"/{document}-")
        if any(mark in _text(fleet.output / name) for mark in marks) and folders.remove(name, digest) is None:
            kept.append(name)
    return kept


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _was_purged(folder: Path) -> bool:
    """Tell whether a shard was purged by itself, and only results that somebody changed stayed."""
    return not (folder / STATE_FOLDER).exists()


def _purge_store(folder: Path, purged: Purged, *, changed: bool) -> None:
    """Delete the results of a shard from a store, and its record there."""
    url = read_told(folder).results_url
    if not url:
        return
    store = ObjectFolder(url)
    for page in (page for file in read_records(folder) for page in file.pages):
        for path, digest in page.results.values():
            found = digest if changed else store.digest(path)
            if found == digest:
                store.remove(path)
                purged.results += 1
            elif found is not None:
                purged.changed.append(path)
    parent, _, _ = url.rpartition("/")
    ObjectFolder(parent).remove(f"{folder.name}.jsonl")


def _clear_control(fleet: Fleet, purged: Purged) -> None:
    for folder in (fleet.control / "work").glob("*"):
        if _WORK.fullmatch(folder.name) and not folder.is_symlink():
            purged.state_files += sum(len(files) for _, _, files in os.walk(folder))
            shutil.rmtree(folder, ignore_errors=True)
    for folder in (*(fleet.control / name for name in ("lists", "leases", "work")), fleet.control):
        for path in folder.glob("*"):
            if _FILES.fullmatch(path.name):
                purged.state_files += delete_state_file(path, purged)
        with suppress(OSError):
            folder.rmdir()


def _add(purged: Purged, more: Purged) -> None:
    for name in (field.name for field in fields(Purged) if field.name not in ("left", "jump")):
        setattr(purged, name, getattr(purged, name) + getattr(more, name))
