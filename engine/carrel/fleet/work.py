"""Working shards, one after the other, until none is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from carrel.batch.plan import plan_workers
from carrel.errors import CarrelError, InputError, ModelError, UsageError
from carrel.fleet.here import Here, LocalPlaces, Tally, clear_share
from carrel.fleet.leases import Lease, Leases
from carrel.fleet.picking import Picker, set_aside
from carrel.fleet.shard_run import Outcome, ShardRun, pause
from carrel.fleet.shards import Fleet
from carrel.fleet.store.objects import ObjectFolder
from carrel.image.files import shown
from carrel.workers import sandbox

MOST_FAILED_IN_A_ROW = 3
"""Shards that failed on one machine before it stops: the fault is the machine's."""


class Worker:
    """A process that works shards.

    Raises
    ------
    InputError
        The folder of scans is not there.
    UsageError
        The memory will not do, the journals would lie on a network share, or stores cannot be used here.
    """

    def __init__(self, fleet: Fleet, here: Here) -> None:
        self.fleet, self.here, self.tally = fleet, here, Tally()
        self.source = _source(fleet, here)
        options = replace(fleet.plan.work.options, **here.running)
        self._plan = plan_workers(options, workers=here.workers)
        self.sound = False  # until a page was read here
        self.leases = Leases(fleet.leases, here.machine, fleet.plan.dead_after_s)
        self._places = LocalPlaces(fleet, here)
        self.picker = Picker(fleet, self.leases, self._places)
        sandbox.forbid_dumps()

    def work(self, *, wait: bool = True, most: int | None = None, retry: bool = False) -> Tally:
        """Read shards until none is left.

        Parameters
        ----------
        wait
            Wait for the shards of others, to take them over where they die.
        most
            Work no more shards than so many.
        retry
            Take those again that were set aside.

        Raises
        ------
        CarrelError
            Something is wrong with this machine.
        """
        tried, failed = set[str](), set[str]()
        while not self._stopped() and (most is None or self.tally.done + self.tally.failed < most):
            lease = self.picker.take(tried, retry=retry)
            if lease is None:
                if not (wait and self.picker.may_come_free) or not pause(self.fleet, self.here):
                    break
                continue
            tried.add(lease.contents.shard)
            outcome, error = self.work_on(lease)
            failed = {*failed, lease.contents.shard} if outcome == "failed" else set()
            if error is not None and len(failed) >= MOST_FAILED_IN_A_ROW:
                raise CarrelError(
                    f"{len(failed)} shards in a row failed here, so this machine stops; the last: {error}"
                )
        clear_share(self.fleet, self.clear())
        self.tally.aside = set_aside(self.fleet)
        return self.tally

    def work_one(self, shard: str, *, retry: bool = False) -> Outcome:
        """Read one shard, if nobody else does.

        Raises
        ------
        InputError
            There is no such shard.
        CarrelError
            It failed.
        """
        if not self.fleet.list_of(shard).exists():
            raise InputError(f"{shard}: no such shard; carrel status {shown(self.fleet.output)} tells them")
        if (self.fleet.output / shard).exists():
            return "done"
        lease = self.leases.claim(shard, self.leases.latest_of(shard), retry=retry)
        if lease is None:
            return "held"
        outcome, error = self.work_on(lease)
        if error is not None:
            raise error
        return outcome

    def clear(self) -> set[str]:
        """Delete what lies on this machine of shards that another finished; returns all shards that are done."""
        done = self.fleet.done()
        self._places.clear(done)
        return done

    def work_on(self, lease: Lease) -> tuple[Outcome, CarrelError | None]:
        """Read the shard of a lease.

        Raises
        ------
        CarrelError
            This machine cannot read: options, models, or an error before its first page. The shard is given back.
        """
        shard = lease.contents.shard
        run = ShardRun(self.fleet, self.here, self._plan, self.source, lease, self._stopped)
        try:
            outcome = run.run()
        except (ModelError, UsageError, KeyboardInterrupt):
            lease.end("released", lease.contents.progress)
            raise
        except CarrelError as error:
            if lease.lost:
                outcome = "lost"
            elif not (self.sound or run.reads) and not isinstance(error, InputError):
                lease.end("released", lease.contents.progress)
                raise
            else:
                self.tally.failed += 1
                lease.end("failed", lease.contents.progress, str(error))
                self.here.log(f"shard {shard} failed here: {error}")
                return "failed", error
        finally:
            self.sound |= run.reads
        self._count(outcome, run)
        return outcome, None

    def _count(self, outcome: Outcome, run: ShardRun) -> None:
        if outcome == "lost":
            self.tally.lost += 1
            self.here.log(f"shard {run.shard} was taken over by another machine")
            return
        self.tally.no_results += run.progress.failed
        if outcome == "done":
            self.tally.done += 1
            self.tally.pages += run.progress.pages

    def _stopped(self, failed: Callable[[int], int] = lambda most: 0) -> bool:
        """Whether to stop; ``failed`` counts, up to a number, what gave no results in the shard at work."""
        most = self.here.stop_after_failures
        if most is None or self.here.stopping():
            return self.here.stopping()
        return self.tally.no_results + failed(most) >= most


def _source(fleet: Fleet, here: Here) -> Path | None:
    """The folder of scans; None where they are fetched from a store, which this machine must be able to use."""
    for url in filter(None, (fleet.plan.results_url, fleet.plan.scans_url)):
        ObjectFolder(url)
    if fleet.plan.scans_url and here.source is None:
        return None
    source = (here.source or fleet.plan.source).resolve()
    if not source.is_dir():
        raise InputError(f"{shown(source)}: the scans are not there; mount them, or name their folder with --source")
    return source
