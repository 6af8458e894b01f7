"""Results on disk: complete or absent, whatever happens in between; no link is followed, nothing foreign is opened.

Names on the way are random and made anew (``O_EXCL | O_NOFOLLOW``): whatever else lies in the folder, a link, a pipe or
another program's file, is neither written to nor waited for.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from carrel import system
from carrel.errors import OutputError

_ASIDE = re.compile(r"\.carrel-[0-9a-f]{16}\.part")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.O_NOFOLLOW | system.O_CLOEXEC | system.O_BINARY
_OLD = os.O_RDONLY | system.O_NOFOLLOW | system.O_NONBLOCK | system.O_CLOEXEC | system.O_BINARY
_FOLDER = os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC
_CHUNK_BYTES = 2**20


def write_file(path: Path, contents: bytes, *, flush: bool = True) -> None:
    """Write ``contents`` beside ``path``, flush them to the disk unless they may be lost, and move them into place.

    Raises
    ------
    OutputError
        The file cannot be written; whatever stood at ``path`` is as it was. Its cause is the ``OSError``.
    """
    try:
        if not system.OPENS_IN_FOLDERS:
            _write_beside(path, contents, flush=flush)
            return
        folder = os.open(path.parent, _FOLDER)
        try:
            write_in(folder, path.name, contents, flush=flush)
        finally:
            os.close(folder)
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> OutputError:
    """Return the one line for a result that could not be written."""
    return OutputError(f"{path}: cannot be written ({error.strerror}); free space or choose another folder")


def write_in(folder: int, name: str, contents: bytes, *, flush: bool = True) -> None:
    """Write a file as `write_file` does into the open folder; what stands at ``name`` is replaced, never followed.

    Raises
    ------
    OSError
        It cannot be written.
    """
    aside = f".carrel-{os.urandom(8).hex()}.part"
    descriptor = os.open(aside, _NEW, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # no locks on this disk
                system.lock(file.fileno())  # `sweep` leaves it alone
            file.write(contents)
            file.flush()
            if flush:
                os.fsync(file.fileno())
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        if flush:
            os.fsync(folder)
    except OSError:
        with suppress(OSError):  # a disk that turned read-only refuses this too, and it may have been renamed
            os.unlink(aside, dir_fd=folder)
        raise


def _write_beside(path: Path, contents: bytes, *, flush: bool) -> None:
    """Write a file as `write_in` does, where folders cannot be opened."""
    aside = path.with_name(f".carrel-{os.urandom(8).hex()}.part")
    try:
        with os.fdopen(os.open(aside, _NEW, 0o666), "wb") as file:
            file.write(contents)
            file.flush()
            if flush:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Create ``folder`` and make sure that files can be written there.

    Raises
    ------
    OutputError
        It cannot be made, is no folder, or is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".carrel-{os.urandom(8).hex()}.part"
        os.close(os.open(probe, _NEW, 0o600))
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: not a folder to write to ({error.strerror}); choose another") from None


@contextmanager
def folder_below(root: Path, relative: str, *, make: bool = False) -> Generator[int]:
    """Open a folder below ``root`` part by part, through no link; yields a descriptor. ``make`` creates what is missing.

    Raises
    ------
    OSError
        A part is missing, is a link, or is no folder; EINVAL where ``relative`` leads out of ``root``.
    """
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts_of(relative):
            if make:
                _make(descriptor, part)
            below = os.open(part, _FOLDER | system.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def parts_of(relative: str) -> list[str]:
    """Return the parts of a relative path, none for "".

    Raises
    ------
    OSError
        EINVAL where one is empty, ``.`` or ``..``, so that the path could lead elsewhere, or no name of a file.
    """
    parts = relative.split("/") if relative else []
    try:
        os.fsencode(relative)
    except UnicodeEncodeError:
        raise OSError(22, f"{relative!r} is no name of a file") from None
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise OSError(22, f"{relative!r} leads elsewhere")
    return parts


def _make(folder: int, name: str) -> None:
    """Create a folder that is known to its parent on the disk too."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)


def digest_in(folder: int, name: str) -> str | None:
    """Return the SHA-256 of a regular file in the open folder; None where there is none."""
    try:
        descriptor = os.open(name, _OLD, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: int) -> int:
    """Remove files in the open folder that a killed process left half-written; returns how many."""
    count = 0
    for name in os.listdir(folder):
        if _ASIDE.fullmatch(name) is None:
            continue
        with suppress(OSError):
            descriptor = os.open(name, _OLD, dir_fd=folder)
            try:
                system.lock(descriptor)  # refused while somebody writes it
                os.unlink(name, dir_fd=folder)
                count += 1
            finally:
                os.close(descriptor)
    return count
