"""The state of a fleet, told by the small files that machines leave on the share; nothing is written, no journal is opened."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from carrel.errors import InputError
from carrel.fleet.handover import read_told
from carrel.fleet.leases import MOST_FAILURES, LeaseFile, Progress, inherited, latest, path_of, read_lease
from carrel.fleet.shards import Fleet

READERS = 16
"""Files read at a time: on a share each costs a round trip."""
CLOCK_S = 600.0
"""By which the clocks of machines and share may differ before a machine counts as silent by this machine's clock."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """A machine at work on a shard; ``silent_s`` is how long it has told nothing, by the clock of the share."""

    host: str
    shard: str
    pages: int
    pages_per_minute: float
    told: str
    silent_s: float
    silent: bool


@dataclass(slots=True)
class FleetStatus:
    """Counts of all shards: shards by state, files listed, pages read, to review, failed by reason, and what is left.

    ``waiting`` shards have no machine; ``aside`` ones failed too often, each with its reason. ``minutes_left`` is None where
    no machine tells a rate.
    """

    shards: int = 0
    done: int = 0
    waiting: int = 0
    files: int = 0
    pages: int = 0
    pages_left: int = 0
    review: int = 0
    failed: int = 0
    lines: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    at_work: list[AtWork] = field(default_factory=list[AtWork])
    aside: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def pages_per_minute(self) -> float:
        return sum(machine.pages_per_minute for machine in self.at_work if not machine.silent)

    @property
    def minutes_left(self) -> float | None:
        rate = self.pages_per_minute
        return self.pages_left / rate if rate else (0.0 if self.done == self.shards else None)

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        left = self.minutes_left
        return {
            **msgspec.to_builtins(self),
            "pages_per_minute": round(self.pages_per_minute, 2),
            "minutes_left": None if left is None else round(left, 1),
        }


def status_of(fleet: Fleet) -> FleetStatus:
    """Return how the shards are doing.

    Raises
    ------
    InputError
        The folder cannot be read.
    """
    sizes, done, last = fleet.sizes(), fleet.done(), latest(fleet.leases)
    status = FleetStatus(shards=len(sizes), files=sum(sizes.values()))
    with ThreadPoolExecutor(READERS) as readers:
        leases = dict(zip(last, readers.map(partial(_lease, fleet), last, last.values()), strict=True))
    newest = max((changed for _, changed in leases.values()), default=0.0)
    known_files, open_files = 0, 0
    for shard, size in sizes.items():
        lease, changed = leases.get(shard, (None, 0.0))
        if shard in done:
            status.done += 1
            progress = lease.progress if lease is not None and lease.state == "done" else _told(fleet, shard)
            known_files += size
        else:
            progress = _open_shard(status, fleet, shard, lease, newest - changed, time.time() - changed)
            open_files += size - progress.files
            status.pages_left += round(progress.pages_left)
        _add(status, progress)
    per_file = (status.pages + status.failed) / known_files if known_files else 1.0
    status.pages_left += round(max(0, open_files) * max(per_file, 1.0))
    return status


def _lease(fleet: Fleet, shard: str, generation: int) -> tuple[LeaseFile | None, float]:
    path = path_of(fleet.leases, shard, generation)
    try:
        changed = path.stat().st_mtime
    except OSError:
        return None, 0.0
    return read_lease(path)[1], changed


def _told(fleet: Fleet, shard: str) -> Progress:
    with suppress(InputError):
        return read_told(fleet.output / shard).progress
    return Progress()


def _open_shard(
    status: FleetStatus, fleet: Fleet, shard: str, lease: LeaseFile | None, behind_s: float, by_clock_s: float
) -> Progress:
    """Count a shard that is not done; returns how far it has come."""
    if lease is None or lease.state == "done":
        status.waiting += 1
        return Progress()
    if lease.state != "working":
        if inherited(lease)[0] >= MOST_FAILURES:
            status.aside[shard] = lease.reason
        else:
            status.waiting += 1
        return Progress()  # the next one may be another machine, which begins anew
    silent = behind_s > fleet.plan.dead_after_s or by_clock_s > fleet.plan.dead_after_s + CLOCK_S
    at = AtWork(
        lease.host, shard, lease.progress.pages, lease.progress.pages_per_minute, lease.told, round(behind_s, 1), silent
    )
    status.at_work.append(at)
    return lease.progress


def _add(status: FleetStatus, progress: Progress) -> None:
    status.pages += progress.pages
    status.review += progress.review
    status.failed += progress.failed
    status.lines += progress.lines
    status.reasons.update(progress.reasons)


def told(status: FleetStatus, machines: int = 20) -> Iterator[str]:
    """Yield the status as lines for people, with at most so many machines."""
    silent = sum(machine.silent for machine in status.at_work)
    yield (
        f"{status.shards:,} shards: {status.done:,} done, {len(status.at_work):,} at work, {status.waiting:,} waiting,"
        f" {len(status.aside):,} set aside"
    )
    yield (
        f"{status.pages:,} pages read of about {status.pages + status.failed + status.pages_left:,} in {status.files:,} files;"
        f" {status.review:,} to review, {status.failed:,} gave no results"
    )
    left = status.minutes_left
    hosts = len({machine.host for machine in status.at_work})
    yield (
        f"{hosts:,} machines, {status.pages_per_minute:,.1f} pages a minute"
        + (f", about {_time(left)} left" if left else "")
        + (f"; {silent:,} silent: their shards are taken over" if silent else "")
    )
    for machine in sorted(status.at_work, key=lambda at: (not at.silent, at.host, at.shard))[:machines]:
        mark = (
            f"silent for {machine.silent_s:,.0f} s" if machine.silent else f"{machine.pages_per_minute:,.1f} a minute"
        )
        yield f"  {machine.host}: shard {machine.shard}, {machine.pages:,} pages, {mark}"
    for reason, number in status.reasons.most_common(20):
        yield f"{number:>9,}  {reason}"
    for shard, reason in status.aside.items():
        yield f"set aside: {shard}: {reason or 'failed too often'}; carrel work --retry tries it again"


def _time(minutes: float) -> str:
    return (
        f"{minutes:,.0f} min"
        if minutes < 120
        else f"{minutes / 60:,.1f} h"
        if minutes < 2880
        else f"{minutes / 1440:,.1f} days"
    )
