"""Memory of this process as the kernel counts it, and what the C library holds on to; amounts of memory as people write them."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
from contextlib import suppress
from pathlib import Path

from carrel.errors import UsageError

log = logging.getLogger(__name__)

MIB = 2**20
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_UNITS = {"": MIB, "K": 1024, "M": MIB, "G": 1024 * MIB, "T": 1024 * 1024 * MIB}


def parse_memory(text: str) -> int:
    """Return the bytes of ``400M``, ``1.5G``, ``600MiB``; a bare number is MiB.

    Raises
    ------
    UsageError
        Not an amount of memory.
    """
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    try:
        amount = float(number.removesuffix(unit)) * _UNITS[unit]
    except ValueError:
        amount = 0.0
    if not 0 < amount < 1 << 60:
        raise UsageError(f"{text}: not an amount of memory; write it like 400M or 1.5G")
    return int(amount)


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError), _STATM.open("rb", buffering=0) as counts:
        return int(counts.read(256).split()[1]) * _PAGE_BYTES
    return 0


def peak_bytes() -> int:
    """Return the most resident memory that this process has had."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return 0


def trim() -> None:
    """Give memory that is free inside the process back to the system."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # musl, macOS and Windows have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
    log.debug("trimmed: %.0f MiB are resident", resident_bytes() / MIB)


def tune_allocator() -> None:
    """Make glibc keep few arenas, and return large blocks as soon as they are free; it knows no way back from either."""
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 4 * MIB)
        mallopt(_M_TRIM_THRESHOLD, 4 * MIB)
