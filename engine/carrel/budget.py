"""The memory of a process: one budget, made once, handed down, and asked before memory is used.

Work that needs much memory at once takes it with `Budget.reserve`, which waits while others work, gives back what the C
library holds on to, and at last refuses. Resident memory counts, as the kernel and its out-of-memory killer do.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from carrel.errors import InputError, UsageError
from carrel.process_memory import MIB, resident_bytes, trim, tune_allocator

MARGIN_SHARE = 0.06
"""Share of a limit that is kept free for what is not foreseen; checked by ``tests/sweep_memory.py``."""
REDUCED_COPIES_BYTES_PER_PX = 0.3
"""What reduced copies of a page take, for each px of the page."""
RUNS_DIFFER_BYTES = 8 * MIB
"""By how much more another process may hold when it comes to the same page: 1 MiB was seen between two runs."""
WATCH_INTERVAL_S = 0.05
TRIM_INTERVAL_S = 1.0


class OutOfMemoryLimitError(InputError):
    """A page that does not fit into the limit; the message names one that will do."""


def add_option(message: str, option: str) -> str:
    """Return the message of an `OutOfMemoryLimitError` with a further option beside the limit that it names."""
    end = " will do"
    return f"{message.removesuffix(end)} {option}{end}"


@dataclass(frozen=True, slots=True)
class PageSize:
    """Pixels of a page, and bytes that the decoder takes for each."""

    pixels: int
    bytes_per_px: int = 1

    @property
    def needed_bytes(self) -> int:
        return page_bytes(self.pixels, self.bytes_per_px)


@dataclass(frozen=True, slots=True)
class Load:
    """Memory that the models of one reader take.

    Parameters
    ----------
    own_bytes
        The models themselves, at rest.
    fixed_bytes
        The process with these models at the worst moment of a page, without the page's pixels.
    change_bytes
        By how much ``fixed_bytes`` is more under the limit that a refusal names, under which others may be loaded.
    """

    own_bytes: int = 0
    fixed_bytes: int = 0
    change_bytes: int = 0


@dataclass(eq=False)
class Budget:
    """A limit on the resident memory of this process, for everything that reads in it.

    Parameters
    ----------
    limit_bytes
        None: nothing is held up.
    margin_share
        Share of the limit that is kept free for what is not foreseen.
    watched
        Whether a thread trims when the limit comes near, once the budget is in use.
    """

    limit_bytes: int | None = None
    margin_share: float = MARGIN_SHARE
    watched: bool = False
    reservations: list[int] = field(default_factory=list[int])
    loads: list[Load] = field(default_factory=list[Load])
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def usable_bytes(self) -> int:
        """The limit less the margin."""
        return sys.maxsize if self.limit_bytes is None else int(self.limit_bytes * (1 - self.margin_share))

    @property
    def own_bytes(self) -> int:
        """Bytes that all loaded models take at rest."""
        return sum(load.own_bytes for load in self.loads)

    @property
    def fixed_bytes(self) -> int:
        """Bytes that the process takes with everything loaded, at the worst moment of a page, without its pixels."""
        return self.own_bytes + max((load.fixed_bytes - load.own_bytes for load in self.loads), default=0)

    @property
    def change_bytes(self) -> int:
        """By how much `fixed_bytes` is more under the limit that a refusal names; several readers may not all take less."""
        changes = [load.change_bytes for load in self.loads]
        return changes[0] if len(changes) == 1 else max([0, *changes])

    def add_load(self, owner: object, load: Load) -> None:
        """Count what ``owner`` loads, until it is gone."""
        self.loads.append(load)
        weakref.finalize(owner, self.loads.remove, load).atexit = False

    def room_bytes(self) -> int:
        """Return what may still be used: the limit less the margin, what is resident, and what is reserved."""
        if self.limit_bytes is None:
            return sys.maxsize
        with self.changed:
            return self.usable_bytes - resident_bytes() - sum(self.reservations)

    @contextmanager
    def reserve(self, needed_bytes: int, what: str) -> Generator[None]:
        """Hold ``needed_bytes`` for the work inside; wait while others hold theirs and there is no room beside them.

        Raises
        ------
        OutOfMemoryLimitError
            There is no room even with nobody else at work.
        """
        if self.limit_bytes is None:
            yield
            return
        with self.changed:
            while needed_bytes > self.room_bytes() and self.reservations:
                self.changed.wait()
            if needed_bytes > self.room_bytes():
                trim()
            if needed_bytes > self.room_bytes():
                raise self._refusal(what, enough(resident_bytes() + needed_bytes, self.margin_share))
            self.reservations.append(needed_bytes)
        try:
            yield
        finally:
            with self.changed:
                self.reservations.remove(needed_bytes)
                self.changed.notify_all()

    def require_page(self, pixels: int, bytes_per_px: int, what: str) -> None:
        """Refuse a page of so many pixels before it is decoded, to an image of ``bytes_per_px``, if it does not fit.

        Raises
        ------
        OutOfMemoryLimitError
            The message names a limit that will do.
        """
        if self.limit_bytes is None:
            return
        needed = page_bytes(pixels, bytes_per_px)
        if self.fixed_bytes + needed > self.usable_bytes or needed > self.room_bytes():
            trim()
        loaded = max(self.fixed_bytes, resident_bytes())
        least = least_limit(self.limit_bytes, loaded, self.change_bytes, needed, self.margin_share)
        if least:
            raise self._refusal(what, least)

    def start(self) -> None:
        """Begin to watch where that is wanted, and tune the C library's allocator for the limit."""
        if self.limit_bytes is None:
            return
        tune_allocator()
        if self.watched:
            arguments = (weakref.ref(self), self._closed)
            threading.Thread(target=_watch, args=arguments, name="carrel-memory-watch", daemon=True).start()

    def close(self) -> None:
        """End the watch; the process may then use another budget."""
        self._closed.set()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def trim_if_nearly_full(self) -> bool:
        """Trim where half of the margin is used up; work that waits for room looks again."""
        if self.limit_bytes is None or resident_bytes() <= self.limit_bytes * (1 - self.margin_share / 2):
            return False
        trim()
        with self.changed:
            self.changed.notify_all()
        return True

    def _refusal(self, what: str, least_bytes: int) -> OutOfMemoryLimitError:
        limit_mib = (self.limit_bytes or 0) / MIB
        will_do_mib = (least_bytes + RUNS_DIFFER_BYTES) // MIB
        return OutOfMemoryLimitError(
            f"{what}: does not fit into {limit_mib:,.0f} MiB of memory; --memory {will_do_mib}M will do"
        )


_in_use: weakref.WeakSet[Budget] = weakref.WeakSet()
"""At most one: a process has one resident memory. Only `process_budget` looks here, so that two limits are noticed."""
_in_use_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_use.clear)  # a child has a memory of its own


def process_budget(limit_bytes: int | None, make: Callable[[], Budget], given: Budget | None = None) -> Budget:
    """Return the budget of everything that reads in this process; the first one is started.

    Parameters
    ----------
    limit_bytes
        A limit that was asked for; None agrees with any.
    make
        Makes the first one where none was ``given``.

    Raises
    ------
    UsageError
        Another budget is in use, or ``given`` has another limit.
    """
    if given is not None and limit_bytes not in (None, given.limit_bytes):
        raise UsageError("memory_bytes and the budget name two limits; leave memory_bytes out")
    with _in_use_lock:
        current = _budget_in_use()
        if current is not None and not _agrees(current, limit_bytes, given):
            gc.collect()  # its readers may be gone but not yet collected
            current = _budget_in_use()
        if current is None:
            current = given or make()
            current.start()
            _in_use.add(current)
        elif not _agrees(current, limit_bytes, given):
            limit = "no limit" if current.limit_bytes is None else f"{current.limit_bytes / MIB:,.0f} MiB"
            raise UsageError(
                f"this process already reads within {limit} of memory, and a process has one memory;"
                " hand one carrel.Budget to all readers, or close() the budget in use first"
            )
        return current


def _budget_in_use() -> Budget | None:
    return next((budget for budget in _in_use if not budget.closed), None)


def _agrees(current: Budget, limit_bytes: int | None, given: Budget | None) -> bool:
    return limit_bytes in (None, current.limit_bytes) and given in (None, current)


def least_limit(
    limit_bytes: int,
    loaded_bytes: int,
    change_bytes: int,
    page_needs_bytes: int,
    margin_share: float = MARGIN_SHARE,
) -> int:
    """Return 0 where a page fits beside what is loaded; else the limit to name, under which ``change_bytes`` more are."""
    if loaded_bytes + page_needs_bytes <= int(limit_bytes * (1 - margin_share)):
        return 0
    return enough(loaded_bytes + change_bytes + page_needs_bytes, margin_share)


def page_bytes(pixels: int, bytes_per_px: int = 1) -> int:
    """Return what the pixels of a page take at its worst moment.

    While it is decoded: the decoder's image and one in gray; while lines are segmented: the scan, the flattened and the
    deskewed page; and some more for smaller ones.
    """
    return int(pixels * (max(bytes_per_px + 1, 3) + REDUCED_COPIES_BYTES_PER_PX))


def enough(needed_bytes: int, margin_share: float = MARGIN_SHARE) -> int:
    """Return the least limit in bytes, whole MiB, under which ``needed_bytes`` fit."""
    whole = int(needed_bytes / (1 - margin_share)) // MIB * MIB
    return whole if needed_bytes <= int(whole * (1 - margin_share)) else whole + MIB


def _watch(watched: weakref.ref[Budget], closed: threading.Event) -> None:
    """Trim when the limit comes near, until the budget is closed or gone."""
    trimmed_at = -TRIM_INTERVAL_S
    while not closed.wait(WATCH_INTERVAL_S):
        budget = watched()
        if budget is None:
            return
        if time.monotonic() - trimmed_at > TRIM_INTERVAL_S and budget.trim_if_nearly_full():
            trimmed_at = time.monotonic()
        del budget
