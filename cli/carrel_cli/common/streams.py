"""Streams of the command line: nothing of a stranger's reaches a terminal raw, and a full disk is an exit code."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from carrel.errors import OutputError

_CHUNK_BYTES = 2**20
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EROFS)


def one_line(text: str) -> str:
    """Return text with control characters and marks of direction escaped; line breaks too."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``1,000 rows``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def complain(message: object) -> None:
    """Print an error to stderr as one line."""
    click.echo(f"carrel: {one_line(str(message))}", err=True)


def open_closed_streams() -> None:
    """Give closed standard streams a place, so that no file that is opened later takes it; stdout then refuses."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor == 1 else os.O_RDWR)
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)


def stdin_in_memory() -> Path:
    """Return the path of a file that holds all of stdin, in memory: nothing of it reaches a disk, except on systems without such
    files, where it has no name and goes with the process.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("stdin", 0)
    else:
        with tempfile.TemporaryFile() as unnamed:
            descriptor = os.dup(unnamed.fileno())
    with os.fdopen(os.dup(descriptor), "wb") as memory:
        shutil.copyfileobj(sys.stdin.buffer, memory, _CHUNK_BYTES)
    return Path(f"/proc/self/fd/{descriptor}")


def flush_results() -> None:
    """Write out what stdout still holds.

    Raises
    ------
    OSError
        It cannot be written.
    """
    sys.stdout.flush()


def unwritten_results(error: OSError) -> OutputError | None:
    """Return the error for a stdout that takes no more, None where ``error`` is another; nothing is tried again at exit."""
    if error.errno not in _UNWRITABLE or error.filename is not None:
        return None
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    reason = "is closed" if error.errno == errno.EBADF else f"takes no more ({error.strerror})"
    return OutputError(f"stdout {reason}; free space, or name a folder with -o")
