"""A process that takes itself for another system: what Windows or macOS lacks is taken away from Python's own modules.

``python other_system.py windows|macos import`` imports every module of Carrel; any other arguments are those of ``carrel``.
Foreign packages are imported first: they were built for the real system.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import os
import pkgutil
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

FOREIGN = (
    *("click", "cv2", "lxml.etree", "msgspec", "numba", "numpy", "onnxruntime", "openpyxl", "pikepdf", "pikepdf.pdfa"),
    *("PIL.Image", "pypdfium2", "starlette.applications", "tesserocr", "uvicorn.server", "PIL.ImageFont", "multiprocessing"),
    *("asyncio", "ctypes", "getpass", "http.server", "logging.handlers", "sqlite3", "ssl", "subprocess", "tempfile", "webbrowser"),
)  # fmt: skip
PACKAGES = ("carrel", "carrel_cli", "carrel_desk", "carrel_models")
MODULES = {"windows": ("fcntl", "resource", "pwd", "grp", "termios", "syslog"), "macos": ()}
ATTRIBUTES: dict[str, dict[Any, tuple[str, ...]]] = {
    "macos": {os: ("memfd_create", "sched_getaffinity", "O_PATH", "setxattr", "posix_fadvise")},
    "windows": {
        os: (
            *(
                "getuid",
                "geteuid",
                "getgid",
                "getegid",
                "fork",
                "memfd_create",
                "sched_getaffinity",
                "fchmod",
                "sysconf",
            ),
            *("statvfs", "killpg", "setsid", "uname", "pread", "pwrite", "setxattr", "posix_spawn", "posix_fadvise"),
            *("O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_PATH"),
        ),
        signal: ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGURG", "SIGCHLD", "SIGALRM", "pthread_sigmask"),
        socket: ("AF_UNIX", "send_fds", "recv_fds", "AF_PACKET"),
    },
}


class _Gone(importlib.abc.MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Find nothing of that name."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def become(system: str) -> None:
    """Take away what the system has not."""
    for name in FOREIGN:
        with contextlib.suppress(ImportError):  # an extra
            importlib.import_module(name)
    for name in MODULES[system]:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Gone(MODULES[system]))
    for module, names in ATTRIBUTES[system].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    if system == "windows":
        os.supports_dir_fd.clear()  # type: ignore[attr-defined]
    sys.platform = {"windows": "win32", "macos": "darwin"}[system]


def import_all() -> None:
    """Import every module; prints those that cannot be."""
    for package in PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except (ImportError, AttributeError, OSError, TypeError) as error:
                    print(f"{module.name}: {error!r}")


if __name__ == "__main__":
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as Carrel does, before onnxruntime is imported
    become(sys.argv[1])
    if sys.argv[2:] == ["import"]:
        import_all()
    else:
        sys.argv[:] = ["carrel", *sys.argv[2:]]
        runpy.run_module("carrel", run_name="__main__")
