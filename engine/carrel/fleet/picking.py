"""The shard that a machine takes next, and those that no machine takes any more."""

from __future__ import annotations

import random
from collections.abc import Iterator

from carrel.fleet.here import LocalPlaces
from carrel.fleet.leases import MOST_FAILURES, Lease, Leases, inherited, latest, path_of, read_lease
from carrel.fleet.shards import Fleet

PROBES = 16
"""Shards of an old listing that turn out to be taken before the folders are listed again: by then few of it are free."""


class Picker:
    """The order of shards for one machine: one that it has begun, one that nobody has, one that was given back or whose holder
    died.

    The folders are listed when what was free has been taken, not for every shard and not whenever another machine was
    faster: what machines list all together would grow with the square of the shards. They begin in different places.
    """

    def __init__(self, fleet: Fleet, leases: Leases, places: LocalPlaces) -> None:
        self._fleet, self._leases, self._places = fleet, leases, places
        self._free = list[str]()  # shards that nobody had, the next one last
        self._left = dict[str, int]()  # those that were not done at the last listing, with their last lease

    def take(self, tried: set[str], *, retry: bool) -> Lease | None:
        """Take a shard; None where none can be had now.

        Parameters
        ----------
        tried
            Shards that this process has worked on: these are not the first to go on with.
        retry
            Also take those that were set aside and not tried here yet.
        """
        return self._take_free() or self._take_any(tried, retry=retry)

    @property
    def may_come_free(self) -> bool:
        """Answer to: had another machine, at the last listing, a shard that is neither done nor set aside?"""
        return any(not _is_aside(self._fleet, shard, generation) for shard, generation in self._left.items())

    def _take_free(self) -> Lease | None:
        """Take a shard that nobody had when the folders were listed; where another machine was faster, go on elsewhere."""
        for _ in range(PROBES):
            if not self._free:
                return None
            shard = self._free.pop()
            lease = None if self._leases.has_any(shard) else self._leases.claim(shard)
            if lease is not None:
                return lease
            first = random.randrange(len(self._free)) if self._free else 0
            self._free = [*self._free[first:], *self._free[:first]]
        return None

    def _take_any(self, tried: set[str], *, retry: bool) -> Lease | None:
        """List the folders, and take what can be had."""
        last, done = self._leases.latest(), self._fleet.done()
        self._places.clear(done)
        left = [shard for shard in self._fleet.shards() if shard not in done]
        self._left = {shard: last.get(shard, 0) for shard in left}
        begun = self._places.begun() - tried
        free = [shard for shard in left if shard not in last]
        first = random.randrange(len(free)) if free and last else 0
        self._free = [*free[first:], *free[:first]][::-1]
        for shard in self._in_order(left, last, begun):
            if shard in last and (self._fleet.output / shard).exists():
                continue  # done since the folders were listed
            lease = self._leases.claim(shard, last.get(shard, 0), retry=retry and shard not in tried)
            if lease is not None:
                return lease
        return None

    def _in_order(self, left: list[str], last: dict[str, int], begun: set[str]) -> Iterator[str]:
        yield from (shard for shard in left if shard in begun)
        while self._free:
            yield self._free.pop()
        yield from (shard for shard in left if shard in last and shard not in begun)


def set_aside(fleet: Fleet) -> list[str]:
    """Return the shards that failed too often."""
    done = fleet.done()
    last = sorted(latest(fleet.leases).items(), key=lambda item: int(item[0]))
    return [shard for shard, generation in last if shard not in done and _is_aside(fleet, shard, generation)]


def _is_aside(fleet: Fleet, shard: str, generation: int) -> bool:
    _, lease = read_lease(path_of(fleet.leases, shard, generation))
    return lease is not None and lease.state in ("failed", "released") and inherited(lease)[0] >= MOST_FAILURES
