"""Trial of what a worker may not do: ``python -P -m carrel.workers.trial FOLDER`` confines itself as a worker and prints JSON.

``tried`` says for each deed whether it was refused; FOLDER is one that no worker has to do with.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from carrel.system import resource
from carrel.workers import sandbox, seccomp

REFUSED = "refused"


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library.

    Raises
    ------
    OSError
        It failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_long(a) for a in arguments)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _spawn() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def _deeds(outside: Path) -> Mapping[str, Callable[[], Any]]:
    parent, own = os.getppid(), Path(__file__)
    new_user, private = 0x10000000, 0
    return {
        "IPv4 socket": lambda: socket.socket(socket.AF_INET),
        "IPv6 socket": lambda: socket.socket(socket.AF_INET6),
        "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "Unix socket": lambda: socket.socket(socket.AF_UNIX),
        "signal to another process": lambda: os.kill(parent, 0),
        "limits of another process": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "another program": _spawn,
        "another process": os.fork,
        "namespace": lambda: _call("unshare", new_user),
        "shared memory": lambda: _call("shmget", private, 4096, 0o600),
        "memory file": lambda: os.memfd_create("x"),
        "/dev/shm": lambda: os.listdir("/dev/shm"),  # noqa: PTH208
        "terminal": lambda: os.open("/dev/tty", os.O_RDWR),
        "mode of a file": lambda: own.chmod(0o644),
        "times of a file": lambda: os.utime(own),
        "attribute of a file": lambda: os.setxattr(own, "user.carrel", b"x"),
        "link": lambda: Path("link").symlink_to(own),
        "reading another folder": lambda: os.listdir(outside),  # noqa: PTH208
        "writing elsewhere": lambda: (outside / "carrel-was-here").write_bytes(b""),
    }


def try_all(outside: Path) -> dict[str, Any]:
    """Confine this process for good and try every deed.

    Returns
    -------
    ``tried``, an outcome for each deed; ``landlock``, the version; ``calls``, whether calls are filtered.
    """
    sandbox.forbid_dumps()
    sandbox.limit_resources(None)
    seccomp.forbid_internet()
    folders = [Path(p) for p in (*sys.path, sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", "/proc") if p]
    landlock = sandbox.confine_files(folders, [])
    calls = seccomp.allow_only_reading()
    tried = {name: _tried(deed) for name, deed in _deeds(outside).items()}
    tried["core dump"] = REFUSED if resource.getrlimit(resource.RLIMIT_CORE)[0] == 0 else "ALLOWED"
    return {"tried": tried, "landlock": landlock, "calls": calls}


def _tried(deed: Callable[[], Any]) -> str:
    try:
        deed()
    except PermissionError:
        return REFUSED
    except OSError as error:
        return f"failed otherwise ({error.strerror})"
    return "ALLOWED"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(try_all(Path(sys.argv[1]))))
