"""Resources that this process may use: processors and memory.

A container's share counts, not what the machine has: the number of processors follows from the affinity mask and the
quotas of cgroups (v1 and v2, the process's own and all above it), memory from what is free and from their limits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from carrel import system

SHARE_OF_FREE = 0.8
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # cgroup v1 writes a huge number where there is no limit


def allowed_cores(mount: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> int:
    """Return processors that the process may keep busy, at least 1: the affinity mask, cut to the smallest quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _processor_quotas(mount, own))]))


def free_bytes(mount: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> int:
    """Return memory that programs can have without swapping, within the limits of the container if there are any.

    Where the system does not tell, that is half of what it has.
    """
    free = system.physical_bytes() // 2
    with suppress(OSError, ValueError, IndexError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return max(0, min([free, *_memory_left(mount, own), *_resource_limits()]))


def default_limit_bytes() -> int:
    """Return the memory to stay within where nobody says: four fifths of what is free."""
    return int(SHARE_OF_FREE * free_bytes())


def _processor_quotas(mount: Path, own: Path) -> Iterator[float]:
    for folder in _folders("", mount, own):
        with suppress(OSError, ValueError):  # ValueError: "max"
            quota, period = (folder / "cpu.max").read_text("ascii").split()
            yield int(quota) / int(period)
    for folder in _folders("cpu", mount, own):
        with suppress(OSError, ValueError):
            quota = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
            if quota > 0:
                yield quota / int((folder / "cpu.cfs_period_us").read_text("ascii"))


def _memory_left(mount: Path, own: Path) -> Iterator[int]:
    """What each limit leaves: files kept in memory are given up when programs need it."""
    for controller, limit, used, kept in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for folder in _folders(controller, mount, own):
            with suppress(OSError, ValueError):
                most = int((folder / limit).read_text("ascii"))
                if most < _UNLIMITED:
                    yield most - int((folder / used).read_text("ascii")) + _statistic(folder, kept)


def _resource_limits() -> Iterator[int]:
    """What ``ulimit`` and ``prlimit`` leave: of data, and of address space, which is always more than is resident."""
    with suppress(ImportError):
        import resource

        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
            soft = resource.getrlimit(kind)[0]
            if soft != resource.RLIM_INFINITY:
                yield soft


def _statistic(folder: Path, name: str) -> int:
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text("ascii").splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0


def _folders(controller: str, mount: Path, own: Path) -> Iterator[Path]:
    """The process's cgroup of a v1 ``controller`` ("" for v2) and all above it, up to the mounted root.

    Inside a container the path may be the host's, of which only the root can be seen.
    """
    with suppress(OSError, UnicodeDecodeError):
        for line in own.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller not in controllers.split(","):
                continue
            roots = [mount / controllers, mount / controller] if controller else [mount, mount / "unified"]
            for root in dict.fromkeys(roots):
                folder = root / path.lstrip("/")
                yield from (f for f in (folder, *folder.parents) if f == root or f.is_relative_to(root))
