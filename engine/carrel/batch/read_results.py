"""Results of single runs, ``carrel read -o DIR``: a list in their folder says what was written, of which file, with digests.

A later run replaces only what the list says, and only by a result of the same file; ``carrel purge`` deletes only that.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from carrel import system
from carrel.errors import OutputError
from carrel.output import parts_of, unwritten, write_file

LIST_NAME = ".carrel-read"
_MOST_BYTES = 2**26


@contextmanager
def locked_list(folder: Path) -> Generator[int]:
    """Open the list of ``folder`` for one process at a time, through no link; yields a descriptor.

    Raises
    ------
    OutputError
        It is no regular file, cannot be opened, or cannot be written to.
    """
    path = folder / LIST_NAME
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | system.O_NOFOLLOW | system.O_NONBLOCK | system.O_CLOEXEC
        listed = os.open(path, flags, 0o644)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder with -o") from error
    try:
        if not stat.S_ISREG(os.fstat(listed).st_mode):
            raise OutputError(f"{path}: is a pipe or device; delete it, or choose another folder with -o")
        with suppress(OSError):  # no locks on this disk
            system.lock(listed, wait=True)
        yield listed
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        os.close(listed)


def has_list(folder: Path) -> bool:
    """Tell whether a run has written to ``folder``."""
    return os.path.lexists(folder / LIST_NAME)


def digests_of(folder: Path) -> dict[str, str]:
    """Return the digest of what was last written, by name; empty where no run has written."""
    return {name: entry["sha256"] for name, entry in entries_of(folder).items()}


def entries_of(folder: Path) -> dict[str, dict[str, str]]:
    """Return what the list says last of each name: its digest, ``sha256``, and, but for results of stdin, the path of the file
    that it is ``of``."""
    if not has_list(folder):
        return {}
    with locked_list(folder) as listed:
        os.lseek(listed, 0, os.SEEK_SET)
        lines = os.read(listed, _MOST_BYTES).splitlines()
    entries: dict[str, dict[str, str]] = {}
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, OSError):  # a line that was cut off, or no name of a result
            entry = json.loads(line)
            if parts_of(name := str(entry["name"])):
                of = str(entry.get("of") or entries.get(name, {}).get("of", ""))
                entries[name] = {"name": name, "sha256": str(entry["sha256"])} | ({"of": of} if of else {})
    return entries


def rewrite_list(folder: Path, names: Collection[str]) -> None:
    """Make the list tell of these names alone, or delete it where there are none.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    if names:
        entries = (json.dumps(entry) + "\n" for name, entry in entries_of(folder).items() if name in names)
        write_file(folder / LIST_NAME, "".join(entries).encode())
    else:
        (folder / LIST_NAME).unlink(missing_ok=True)


def add_to_list(listed: int, name: str, contents: bytes, of: str = "") -> None:
    """Note in the opened list what was written, and the path of the file it is of, where that is new."""
    entry = {"name": name, "sha256": hashlib.sha256(contents).hexdigest()} | ({"of": of} if of else {})
    os.write(listed, json.dumps(entry).encode() + b"\n")
