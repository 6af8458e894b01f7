"""Finding the scans in a folder: regular files only, never through links, in the order a person would expect."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from carrel.errors import InputError
from carrel.image.files import SCAN_SUFFIXES, shown
from carrel.workers.files import SeenFile, seen


@dataclass(slots=True)
class Found:
    """Files that a walk or a list found: scans, how many other files there were, folders that could not be read, and files
    that were listed and are not there."""

    files: list[SeenFile] = field(default_factory=list[SeenFile])
    others: int = 0
    unreadable: list[Path] = field(default_factory=list[Path])
    missing: list[Path] = field(default_factory=list[Path])


def find_files(root: Path, leave_out: Path | None = None, *, every: bool = False) -> Found:
    """Find all scans below ``root``, or ``root`` itself where it is a file.

    Parameters
    ----------
    leave_out
        A folder that is not entered, such as the output's.
    every
        Also take files whose name does not end like a scan's.
    """
    found = Found()
    if not root.is_dir():
        return _one_file(root, found)
    found.files.extend(walk_files(root, leave_out, found, every=every))
    return found


def walk_files(root: Path, leave_out: Path | None, found: Found, *, every: bool = False) -> Iterator[SeenFile]:
    """Yield all scans below a folder as `find_files` finds them, and count the rest in ``found``; one folder at a time, so that
    millions need no memory."""
    barred = _identity(leave_out) if leave_out else None
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            if barred is not None and _identity(folder) == barred:
                continue
            entries = sorted(os.scandir(folder), key=lambda entry: natural(entry.name))
        except OSError:
            found.unreadable.append(folder)
            continue
        for entry in entries:
            file = _scan(entry, found, every=every)
            if file is not None:
                yield file
        folders.extend(Path(e) for e in reversed(entries) if _visible(e) and e.is_dir(follow_symlinks=False))


def read_list(list_path: Path, root: Path) -> list[Path]:
    """Return the paths of a list, each once: one a line, or each ended by a NUL; relative ones are below ``root``.

    Parameters
    ----------
    list_path
        The list; ``-`` is stdin.

    Raises
    ------
    InputError
        It cannot be read, or names nothing.
    """
    try:
        data = sys.stdin.buffer.read() if str(list_path) == "-" else list_path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(list_path)}: the list cannot be read ({error.strerror})") from error
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    paths = [Path(os.path.normpath(root / os.fsdecode(name))) for name in names if name.strip()]
    if not paths:
        raise InputError(f"{shown(list_path)}: names no files; write one path a line")
    return list(dict.fromkeys(paths))


def find_listed(paths: Iterable[Path]) -> Found:
    """Find the files that a list names, whatever the ends of their names; what is no regular file counts as missing."""
    found = Found()
    for path in paths:
        file = seen_now(path)
        if file is None:
            found.missing.append(path)
        else:
            found.files.append(file)
    return found


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts ``page2`` before ``page10``."""
    return [(False, int(digits), "") if digits else (True, 0, text) for digits, text in _PARTS.findall(name)]


_PARTS = re.compile(r"([0-9]{1,18})|([^0-9]+)")


def _scan(entry: os.DirEntry[str], found: Found, *, every: bool) -> SeenFile | None:
    """The entry where it is a scan; other files are counted."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # it went away, or the disk is failing
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    taken = every or os.path.splitext(entry.name)[1].lower() in SCAN_SUFFIXES  # noqa: PTH122  an entry is no Path yet
    if stat.S_ISREG(status.st_mode) and _visible(entry) and taken:
        return seen(Path(entry), status)
    found.others += 1
    return None


def seen_now(path: Path) -> SeenFile | None:
    """Return the regular file that stands at ``path`` now; None where none does."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return seen(path, status) if stat.S_ISREG(status.st_mode) else None


def _visible(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".")


def _one_file(path: Path, found: Found) -> Found:
    file = seen_now(path)
    if file is None:
        found.unreadable.append(path)
    else:
        found.files.append(file)
    return found


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def walk(root: Path) -> Iterator[Path]:
    """Find every file and folder below ``root``, folders after what they hold; links are named, never followed."""
    try:
        entries = list(os.scandir(root))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry))
        yield Path(entry)
