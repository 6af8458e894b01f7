"""The shard that a machine takes next, and those that no machine takes any more."""

from __future__ import annotations

import random
from collections.abc import Iterator

from carrel.fleet.here import LocalPlaces
from carrel.fleet.leases import MOST_FAILURES, Lease, Leases, inherited, latest, read_lease
from carrel.fleet.shards import Fleet


class Picker:
    """The order of shards for one machine: one that it has begun, one that nobody has, one that was given back or whose holder
    died.

    The folders are listed when another machine gets in the way, not for every shard: what machines list all together
    would grow with the square of the shards. They begin in different places.
    """

    def __init__(self, fleet: Fleet, leases: Leases, places: LocalPlaces) -> None:
        self._fleet, self._leases, self._places = fleet, leases, places
        self._free = list[str]()  # shards that nobody had, the next one last

    def take(self, tried: set[str], *, retry: bool) -> Lease | None:
        """Take a shard; None where none can be had now.

        Parameters
        ----------
        tried
            Shards that this process has worked on: these are not the first to go on with.
        retry
            Also take those that were set aside and not tried here yet.
        """
        lease = self._leases.claim(self._free.pop()) if self._free else None
        if lease is not None:
            return lease
        last, done = self._leases.latest(), self._fleet.done()
        self._places.clear(done)
        left = [shard for shard in self._fleet.shards() if shard not in done]
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


def may_come_free(fleet: Fleet) -> bool:
    """Tell whether a shard is left that is neither done nor set aside."""
    return bool(set(fleet.shards()) - fleet.done() - set(set_aside(fleet)))


def set_aside(fleet: Fleet) -> list[str]:
    """Return the shards that failed too often."""
    done, found = fleet.done(), list[str]()
    for shard, generation in sorted(latest(fleet.leases).items(), key=lambda item: int(item[0])):
        if shard not in done:
            _, lease = read_lease(fleet.leases / f"{shard}.{generation}.json")
            if lease is not None and lease.state in ("failed", "released") and inherited(lease)[0] >= MOST_FAILURES:
                found.append(shard)
    return found
