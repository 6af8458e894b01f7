"""Starting a worker's process: what it inherits, and what it does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Places:
    """``readable`` folders hold models; ``spool`` is private and emptied by its owner; ``cache`` is kept."""

    spool: Path
    cache: Path
    readable: tuple[Path, ...] = ()


class Process(Protocol):
    """The parts of a worker's process that a pool needs; ``subprocess.Popen`` is one."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


Launch = Callable[[Places, bool], tuple[Process, socket.socket]]
"""Starts a process that runs `carrel.workers.worker`; the flag lets its stderr through."""


def launch_worker(
    places: Places, show_stderr: bool, *, module: str = "carrel.workers.worker"
) -> tuple[Process, socket.socket]:
    """Start a worker in a session of its own, so that Ctrl-C does not reach it; ``module`` is what it runs."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if show_stderr else subprocess.DEVNULL,
            env=worker_environment(places),
            cwd=places.spool,
            start_new_session=True,
        )
    return process, ours


def worker_environment(places: Places) -> dict[str, str]:
    """Return the environment: temporary files go to the spool, nothing goes home, nothing is reported, one thread."""
    spool = str(places.spool)
    return {
        "CARREL_BACKEND": "onnxruntime",  # where nobody has decided: workers probe nothing
        **os.environ,
        "HOME": spool,
        "TMPDIR": spool,
        "XDG_CACHE_HOME": str(places.cache),
        "XDG_CONFIG_HOME": spool,
        "XDG_DATA_HOME": spool,
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_THREAD_LIMIT": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
