"""Files as they were seen, and opening exactly what was seen: no link is followed, nothing blocks."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
def open_unchanged(file: SeenFile) -> Generator[int]:
    """Open the file, if it is still the regular file that was seen; yields a descriptor.

    Raises
    ------
    GoneError
        It is not.
    InputError
        It may not be read, or is empty.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
        if status.st_size == 0:
            raise InputError("the file is empty; scan or copy it again")
        yield descriptor
    finally:
        os.close(descriptor)
