"""How many workers, and how much memory each may have."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from carrel.errors import UsageError

WORKER_BYTES = 1200 * 2**20
"""What a worker needs for a page of 25 megapixels with the models that ship."""
SHARE_OF_FREE = 0.8
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Plan:
    """``worker_bytes`` of private memory for each of ``workers``, and ``threads`` in each."""

    workers: int
    worker_bytes: int
    threads: int


def plan_workers(memory_bytes: int | None = None, workers: int | None = None, cores: int | None = None) -> Plan:
    """As many workers as there are cores and as fit into memory, unless their number is given.

    Parameters
    ----------
    memory_bytes
        For all workers together; by default four fifths of what is free.

    Raises
    ------
    UsageError
        Not even one worker fits; the message names the least that will do.
    """
    cores = cores or len(os.sched_getaffinity(0))
    memory_bytes = memory_bytes if memory_bytes is not None else int(SHARE_OF_FREE * free_bytes())
    fit = memory_bytes // WORKER_BYTES
    if fit < (workers or 1):
        needed = WORKER_BYTES * (workers or 1) / 2**20
        raise UsageError(
            f"{memory_bytes / 2**20:,.0f} MiB are too little for {workers or 1} workers; {needed:,.0f} MiB will do"
        )
    workers = workers or min(cores, fit)
    return Plan(workers, memory_bytes // workers, max(1, cores // workers))


def free_bytes() -> int:
    """Memory that programs can have without swapping, within the limit of the container if there is one."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # ValueError: "max"
            free = min(free, int(Path(path).read_text("ascii")))
    return free


def cache_folder() -> Path:
    """Where workers keep compiled kernels: apart from those of other commands, which never load what a worker that a
    hostile page took over could have written."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "carrel" / "workers"
