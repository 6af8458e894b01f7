"""Parts of Python that not every system has: flags of ``open``, locks of files, users, files handed to other processes.

Linux has all of it. macOS has no Landlock and no system calls to filter, so workers are limited but not confined. Windows
has no locks of this kind, opens no files relative to a folder, and hands no open file to another process: files are
decoded in the process that asks, and what needs workers is refused by `require_workers`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from carrel.errors import UsageError

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None
try:
    import resource as _resource
except ImportError:  # Windows
    _resource = None

fcntl: Any = _fcntl
"""The module, or None."""
resource: Any = _resource
"""The module, or None."""


USUAL_BYTES = 4 << 30


def _flag(name: str) -> int:
    return getattr(os, name, 0)


O_BINARY, O_CLOEXEC, O_DIRECTORY = _flag("O_BINARY"), _flag("O_CLOEXEC"), _flag("O_DIRECTORY")
O_NOFOLLOW, O_NONBLOCK, O_PATH = _flag("O_NOFOLLOW"), _flag("O_NONBLOCK"), _flag("O_PATH")
OPENS_IN_FOLDERS = os.open in os.supports_dir_fd
FILTERS = sys.platform.startswith("linux")
"""Whether files and system calls can be taken away from a process."""


@cache
def hands_over_files() -> bool:
    """Tell whether open files can be handed to other processes."""
    import socket  # 2 ms, of which a start has no need

    return hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")


def user_id() -> int:
    """Return the number of the effective user; 0, the owner of every file, where files have no such owners."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def user_folder(variable: str, default: str) -> Path:
    """Return the folder that an XDG variable names, by default one below home; a relative name does not count.

    Raises
    ------
    RuntimeError
        There is no home.
    """
    base = Path(os.environ.get(variable, ""))
    return base if base.is_absolute() else Path.home() / default


def physical_bytes() -> int:
    """Return the memory that the machine has; `USUAL_BYTES` where it does not tell."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(AttributeError, OSError):
        status = (ctypes.c_uint64 * 8)()  # MEMORYSTATUSEX: two numbers of 32 bits, then seven of 64
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
        if ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
            return int(status[1])
    return USUAL_BYTES


def lock(descriptor: int, *, wait: bool = False) -> None:
    """Lock an open file for this process alone.

    Raises
    ------
    OSError
        Another process holds it, or this disk or system has no locks.
    """
    if fcntl is None:
        raise OSError(errno.ENOTSUP, "no locks on this system")
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def lacking() -> str:
    """Return what this system lacks, in words; "" where it has everything."""
    return ", ".join([*([] if FILTERS else ["confinement of processes (Landlock, seccomp)"]), *_lacking_for_workers()])


def _lacking_for_workers() -> list[str]:
    return [
        *([] if fcntl is not None else ["locks of files"]),
        *([] if OPENS_IN_FOLDERS else ["files opened relative to a folder"]),
        *([] if hands_over_files() else ["open files handed to other processes"]),
    ]


def require_workers(command: str) -> None:
    """Refuse a command that needs workers where there can be none.

    Raises
    ------
    UsageError
        The message says what the system lacks, and what does.
    """
    if missing := _lacking_for_workers():
        raise UsageError(
            f"{command} needs workers, for which this system ({sys.platform}) lacks {', '.join(missing)}; use carrel read, or"
            " run it on Linux or macOS"
        )
