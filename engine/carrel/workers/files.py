"""Files as they were seen, and opening exactly what was seen: no link is followed, nothing blocks."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from carrel import system
from carrel.errors import InputError


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it lay in a folder; ``changed_ns`` is the later of its two times of change."""

    path: Path
    size_bytes: int
    changed_ns: int


class GoneError(Exception):
    """The file is not there any more, or is not what it was."""


def seen(path: Path, status: os.stat_result) -> SeenFile:
    """Return the file as it is now."""
    return SeenFile(path, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))


@contextmanager
def open_unchanged(file: SeenFile, *, empty: bool = False) -> Generator[int]:
    """Open the file, if it is still the regular file that was seen; yields a descriptor. ``empty`` files may be opened.

    Raises
    ------
    GoneError
        It is not.
    InputError
        It may not be read, or is empty.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | system.O_NOFOLLOW | system.O_NONBLOCK | system.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InputError("may not be read; change its permissions") from error
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ESTALE):
            raise GoneError from error
        raise InputError(f"cannot be opened ({str(error.strerror).lower()}); copy it again") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or seen(file.path, status) != file:
            raise GoneError
        if status.st_size == 0 and not empty:
            raise InputError("the file is empty; scan or copy it again")
        yield descriptor
    finally:
        os.close(descriptor)


def has_writer(descriptor: int) -> bool:
    """Tell whether some process has the open file open for writing, as far as the system tells: by a lease, which local disks
    give for files of one's own, else by looking at the processes that may be looked at. Network drives tell nothing.
    """
    fcntl = system.fcntl
    if not hasattr(fcntl, "F_SETLEASE"):  # not Linux
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # not SIGIO, which would end this process
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN or is_written_by_a_process(os.fstat(descriptor))
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def is_written_by_a_process(status: os.stat_result) -> bool:
    """Return whether a process that may be looked at has the file open for writing."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for entry in (process / "fd").iterdir():
                with suppress(OSError):
                    other = entry.stat()
                    if (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino) and _writes(process, entry.name):
                        return True
    return False


def _writes(process: Path, descriptor: str) -> bool:
    flags = re.search(r"^flags:\s*(\d+)", (process / "fdinfo" / descriptor).read_text("ascii"), re.MULTILINE)
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY
