"""Opening a file that a stranger named, and the one line that refuses it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from carrel import system
from carrel.errors import InputError

PICTURE_SUFFIXES = (
    *(
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jif",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
        ".jp2",
        ".j2k",
        ".jpx",
        ".jpf",
        ".j2c",
    ),
    *(".bmp", ".dib", ".gif", ".pnm", ".pbm", ".pgm", ".ppm"),
)
UNREADABLE_SUFFIXES = (
    *(".heic", ".heif", ".hif", ".avif", ".jxl", ".djvu", ".djv", ".psd", ".xcf", ".eps", ".ps", ".svg"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".jb2", ".jbig2", ".jxr", ".wdp"),
)
"""Names of scans that Carrel cannot read: in a folder they are refused by name, not skipped."""
SCAN_SUFFIXES = (*PICTURE_SUFFIXES, ".pdf", *UNREADABLE_SUFFIXES)
"""Names of scans in a folder, in lower case. What a file really is, its content tells."""

_FOREIGN = (
    (4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1", b"ftypheim"), "HEIC"),
    (4, (b"ftypavif", b"ftypavis"), "AVIF"),
    (4, (b"ftypcrx ",), "a camera's raw picture"),
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL "), "JPEG XL"),
    (0, (b"AT&TFORM",), "DjVu"),
    (0, (b"8BPS",), "a Photoshop picture"),
    (0, (b"gimp xcf",), "a GIMP picture"),
    (0, (b"%!PS", b"\xc5\xd0\xd3\xc6"), "PostScript"),
    (0, (b"<svg", b"<?xml"), "SVG or other XML"),
    (0, (b"\x97JB2\r\n\x1a\n",), "JBIG2"),
    (0, (b"II\xbc",), "JPEG XR"),
    (0, (b"PK\x03\x04",), "a ZIP archive or an office document"),
)
"""Where a file of another kind has its mark, in bytes from its start; the marks; and its name."""


def foreign_kind(head: bytes) -> str:
    """Tell what a file is that is no scan Carrel reads, by its first 64 bytes; "" where that is not known."""
    return next((name for at, marks, name in _FOREIGN if head[at:].startswith(marks)), "")


def shown(path: Path | str) -> str:
    """Return a path or an address as one printable line: control and direction marks, line breaks and bad bytes are escaped."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))
    return "".join(escaped)


def refusal(path: Path, page_index: int | None, what: str, remedy: str) -> InputError:
    """Return one clear line: where, what, and what to do. ``page_index`` counts from 0, the message from 1."""
    where = shown(path) if page_index is None else f"{shown(path)}, page {page_index + 1}"
    return InputError(f"{where}: {what}; {remedy}")


_ONE_READ_BYTES = 2**20  # of one read, that fit anywhere


def open_regular(path: Path) -> BinaryIO:
    """Open a regular, non-empty file for reading; never blocks on a FIFO, never touches a device.

    A path in ``/proc/self/fd`` is the file that is open there, even where this process may open no file by its name.

    Raises
    ------
    InputError
        Nothing there, a folder, a FIFO, socket or device, a loop of symbolic links, no permission, or no bytes.
    """
    try:
        descriptor = _handed_over(path)
        if descriptor is None:
            _require_regular(path, path.stat().st_mode)
            descriptor = os.open(path, os.O_RDONLY | system.O_NONBLOCK | system.O_CLOEXEC | system.O_BINARY)
    except (OSError, ValueError) as error:
        raise _missing(path, error) from error
    status = os.fstat(descriptor)
    stream = _Bounded(descriptor, status.st_size)
    try:
        _require_regular(path, status.st_mode)
        if status.st_size == 0:
            raise refusal(path, None, "the file is empty", "scan or copy it again")
    except InputError:
        stream.close()
        raise
    return stream


class _Bounded(io.BufferedReader):
    """A file of which no read takes more memory than is left of it, whatever length a damaged header names."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        super().__init__(io.FileIO(descriptor, "rb"))
        self._size_bytes = size_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _ONE_READ_BYTES:
            size = min(size, max(0, self._size_bytes - self.tell()))
        return super().read(size)


def _handed_over(path: Path) -> int | None:
    """A descriptor, at its start, of a file that is open in this process; None for other paths."""
    if path.parent != Path("/proc/self/fd") or not path.name.isdecimal():
        return None
    descriptor = os.dup(int(path.name))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _require_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise refusal(path, None, "is a folder", "name the files in it")
    if not stat.S_ISREG(mode):
        raise refusal(path, None, "is a pipe, socket or device", "name a file")


def _missing(path: Path, error: Exception) -> InputError:
    reasons = {
        FileNotFoundError: ("no such file", "check the name"),
        NotADirectoryError: ("no such file", "check the name"),
        PermissionError: ("may not be read", "change its permissions"),
    }
    for kind, (what, remedy) in reasons.items():
        if isinstance(error, kind):
            return refusal(path, None, what, remedy)
    reason = getattr(error, "strerror", None) or "not a usable name"
    return refusal(path, None, f"cannot be opened ({str(reason).lower()})", "check the name")
