"""A limit on the memory of this process, kept by asking before memory is used.

Work that needs much memory at once takes it with `reserved`, which waits while others work, gives back what the C
library holds on to, and at last refuses; `Watch` looks on at what nobody asked for. Resident memory counts, as the kernel
and its out-of-memory killer do. Without a limit nothing is held up.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from carrel.errors import InputError

MIB = 2**20
MARGIN = 0.06
"""Share of the limit that is kept free for what is not foreseen."""
SMALLER_COPIES = 0.3
"""Bytes for each px of a page in reduced copies of it."""
WATCH_EVERY_S = 0.05
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


class OutOfMemoryLimitError(InputError):
    """A page that does not fit into the limit; the message names one that will do."""


@dataclass(slots=True)
class _State:
    limit_bytes: int | None = None
    fixed_bytes: int = 0
    named_bytes: int = 0
    reserved_bytes: int = 0
    holders: int = 0
    watch: threading.Thread | None = None


_state = _State()
_changed = threading.Condition(threading.RLock())


def set_limit(limit_bytes: int | None, fixed_bytes: int = 0, named_bytes: int = 0, *, watched: bool = False) -> None:
    """Stay within ``limit_bytes`` from now on; None lifts the limit.

    ``fixed_bytes`` is what everything that is loaded sooner or later needs, whatever the page; ``named_bytes`` is that under
    a higher limit, which may load more: refusals name a limit that will do for it, too. ``watched`` starts a thread
    that looks on.
    """
    with _changed:
        _state.limit_bytes, _state.fixed_bytes, _state.named_bytes = limit_bytes, fixed_bytes, named_bytes
        _changed.notify_all()
    if limit_bytes is None:
        return
    _tune_allocator()
    if watched and _state.watch is None:
        _state.watch = threading.Thread(target=_look_on, name="memory watch", daemon=True)
        _state.watch.start()


def limit() -> int | None:
    """The limit in bytes, None where there is none."""
    return _state.limit_bytes


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError), _STATM.open("rb", buffering=0) as counts:
        return int(counts.read(256).split()[1]) * _PAGE_BYTES
    return 0


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return 0


def room_bytes() -> int:
    """What may still be used: the limit less the margin, what is resident, and what others have reserved."""
    if _state.limit_bytes is None:
        return sys.maxsize
    with _changed:
        return int(_state.limit_bytes * (1 - MARGIN)) - resident_bytes() - _state.reserved_bytes


def trim() -> None:
    """Give memory that is free inside the process back to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):  # musl and macOS have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def reserved(needed_bytes: int, what: str) -> Generator[None]:
    """Hold ``needed_bytes`` for the work inside; waits while others hold theirs and there is no room beside them.

    Raises
    ------
    OutOfMemoryLimitError
        There is no room even with nobody else at work.
    """
    if _state.limit_bytes is None:
        yield
        return
    with _changed:
        while needed_bytes > room_bytes() and _state.holders:
            _changed.wait()
        if needed_bytes > room_bytes():
            trim()
        if needed_bytes > room_bytes():
            raise _refusal(what, enough(resident_bytes() + needed_bytes))
        _state.reserved_bytes += needed_bytes
        _state.holders += 1
    try:
        yield
    finally:
        with _changed:
            _state.reserved_bytes -= needed_bytes
            _state.holders -= 1
            _changed.notify_all()


def require_page(pixels: int, bytes_per_px: int, what: str) -> None:
    """Refuse a page of so many pixels before it is decoded, to an image of ``bytes_per_px``, if it does not fit.

    Raises
    ------
    OutOfMemoryLimitError
        It does not; the message names a limit that will do.
    """
    if _state.limit_bytes is None:
        return
    needed = page_bytes(pixels, bytes_per_px)
    if _state.fixed_bytes + needed > _state.limit_bytes * (1 - MARGIN) or needed > room_bytes():
        trim()
    loaded = max(_state.fixed_bytes, resident_bytes())
    least = least_limit(_state.limit_bytes, loaded, _state.named_bytes, needed)
    if least:
        raise _refusal(what, least)


def least_limit(limit_bytes: int, loaded_bytes: int, named_bytes: int, page_needs_bytes: int) -> int:
    """0 where a page fits beside what is loaded; else the limit to name, under which ``named_bytes`` are loaded."""
    if loaded_bytes + page_needs_bytes <= limit_bytes * (1 - MARGIN):
        return 0
    return enough(max(loaded_bytes, named_bytes) + page_needs_bytes)


def page_bytes(pixels: int, bytes_per_px: int = 1) -> int:
    """Memory for the pixels of a page at its worst moment.

    While it is decoded: the decoder's image and one in gray; while lines are looked for: the scan, the flattened and the
    turned page; and some more for smaller ones.
    """
    return int(pixels * (max(bytes_per_px + 1, 3) + SMALLER_COPIES))


def enough(needed_bytes: int) -> int:
    """A limit in bytes, whole MiB, under which ``needed_bytes`` fit."""
    return (int(needed_bytes / (1 - MARGIN)) // MIB + 1) * MIB


def _refusal(what: str, least_bytes: int) -> OutOfMemoryLimitError:
    limit_bytes = _state.limit_bytes or 0
    return OutOfMemoryLimitError(
        f"{what}: does not fit into {limit_bytes / MIB:,.0f} MiB of memory; --memory {least_bytes // MIB}M will do"
    )


def _look_on() -> None:
    """Trim when the limit comes near; a wait in `reserved` looks again."""
    last = 0.0
    while True:
        time.sleep(WATCH_EVERY_S)
        limit_bytes = _state.limit_bytes
        if limit_bytes is None:
            continue
        if resident_bytes() > limit_bytes * (1 - MARGIN / 2) and time.monotonic() - last > 1.0:
            last = time.monotonic()
            trim()
            with _changed:
                _changed.notify_all()


def _tune_allocator() -> None:
    """glibc: few arenas, and large blocks go back to the system as soon as they are free."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 4 * MIB)
        mallopt(_M_TRIM_THRESHOLD, 4 * MIB)
