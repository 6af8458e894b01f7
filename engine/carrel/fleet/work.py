"""Working shards: take a lease, read the shard as a batch with its journal on a local disk, hand all of it over by one rename."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from carrel import system
from carrel.batch.folders import Folders
from carrel.batch.intake import Found, find_listed
from carrel.batch.plan import make_cache, plan_workers
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.batch.status import pages_left
from carrel.errors import CarrelError, InputError, ModelError, OutputError, UsageError
from carrel.fleet.handover import ShardTold, hand_over
from carrel.fleet.leases import MOST_FAILURES, Lease, Leases, Machine, Progress, read_lease
from carrel.fleet.shards import Fleet
from carrel.image.files import shown
from carrel.output import unwritten
from carrel.workers import sandbox
from carrel.workers.launch import Launch
from carrel.workers.pool import Limits

Outcome = Literal["done", "failed", "stopped", "lost", "held"]
MOST_FAILED_IN_A_ROW = 3
"""Shards that failed on one machine before it stops: the fault is the machine's."""
LOOK_AGAIN_S = 30.0


@dataclass(slots=True)
class Here:
    """Choices of one machine for itself.

    Parameters
    ----------
    state
        Folder on a local disk for journals and spools.
    source
        The folder of scans as this machine sees it; None where it is the one of the plan.
    workers
        Processes that read; None for as many as cores and memory allow.
    running
        Fields of `carrel.ReadOptions` that this machine has of its own: memory, device, threads, precision, backend.
    machine
        The name of this machine in leases.
    stopping
        Asked several times a second whether to stop.
    stop_after_failures
        Stop when so many pages and files gave no results.
    log
        Called with one line at a time, never with text or names of files.
    """

    state: Path
    source: Path | None = None
    workers: int | None = None
    running: dict[str, Any] = field(default_factory=dict[str, Any])
    machine: Machine = field(default_factory=Machine.here)
    stopping: Callable[[], bool] = lambda: False
    stop_after_failures: int | None = None
    log: Callable[[str], None] = lambda line: None
    launch: Launch | None = None
    show_stderr: bool = False


@dataclass(slots=True)
class Tally:
    """Counts of what this process did: shards done, failed, and taken over by others meanwhile; pages read; pages and files
    without results; ``aside`` shards are those that failed too often, whoever tried."""

    done: int = 0
    failed: int = 0
    lost: int = 0
    pages: int = 0
    no_results: int = 0
    aside: list[str] = field(default_factory=list[str])


class Worker:
    """A process that works shards, one after the other.

    Raises
    ------
    InputError
        The folder of scans is not there.
    UsageError
        The memory will not do, or the journals would lie on a network share.
    """

    def __init__(self, fleet: Fleet, here: Here) -> None:
        self.fleet, self.here, self.tally = fleet, here, Tally()
        self.source = (here.source or fleet.plan.source).resolve()
        if not self.source.is_dir():
            raise InputError(
                f"{shown(self.source)}: the scans are not there; mount them, or name their folder with --source"
            )
        options = replace(fleet.plan.work.options, **here.running)
        self._plan = plan_workers(options, workers=here.workers)
        self.sound = False  # until a page was read here
        self._free = list[str]()  # shards that nobody had, the next one last
        self.leases = Leases(fleet.leases, here.machine, fleet.plan.dead_after_s)
        self._state = here.state.resolve() / fleet.plan.id
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
            lease = self._next(tried, retry=retry)
            if lease is None:
                if not (wait and self._others_work()) or not self._pause():
                    break
                continue
            tried.add(lease.contents.shard)
            outcome, error = self.work_on(lease)
            failed = {*failed, lease.contents.shard} if outcome == "failed" else set()
            if error is not None and len(failed) >= MOST_FAILED_IN_A_ROW:
                raise CarrelError(
                    f"{len(failed)} shards in a row failed here, so this machine stops; the last: {error}"
                )
        self._clear_left()
        self.tally.aside = self._aside()
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

    def work_on(self, lease: Lease) -> tuple[Outcome, CarrelError | None]:
        """Read the shard of a lease.

        Raises
        ------
        CarrelError
            This machine cannot read: options, models, or an error before its first page. The shard is given back.
        """
        shard = lease.contents.shard
        try:
            outcome = self._read(lease)
        except (ModelError, UsageError, KeyboardInterrupt):
            lease.end("released", lease.contents.progress)
            raise
        except CarrelError as error:
            if lease.lost:
                outcome = "lost"
            elif not self.sound and not isinstance(error, InputError):
                lease.end("released", lease.contents.progress)
                raise
            else:
                self.tally.failed += 1
                lease.end("failed", lease.contents.progress, str(error))
                self.here.log(f"shard {shard} failed here: {error}")
                return "failed", error
        if outcome == "lost":
            self.tally.lost += 1
            self.here.log(f"shard {shard} was taken over by another machine")
        return outcome, None

    def _read(self, lease: Lease) -> Outcome:
        folders = self._folders(lease.contents.shard)
        if not folders.journal.exists():
            shutil.rmtree(folders.output, ignore_errors=True)  # of a journal that is not there any more
        found = self._found(lease.contents.shard)
        with self._batch(folders, lease) as batch:
            batch.add(found)
            while not batch.finished:
                batch.step()
                self.sound |= batch.pace.pages_per_minute > 0
                batch.stopping |= lease.lost or self._stopped(batch)
            progress, stopped = progress_of(batch), batch.stopping
        self.tally.no_results += progress.failed if not lease.lost else 0
        if lease.lost:
            return "lost"
        if stopped:
            lease.end("released", progress)
            return "stopped"
        return self._publish(folders, lease, progress)

    def _found(self, shard: str) -> Found:
        """The files of a shard.

        Raises
        ------
        UsageError
            The folder of scans is empty or cannot be looked into: it is not mounted here.
        InputError
            Not one of the files is there.
        """
        found = find_listed(self.source / path for path in self.fleet.files_of(shard))
        try:
            mounted = bool(found.files) or any(self.source.iterdir())
        except OSError as error:
            raise UsageError(
                f"{shown(self.source)}: cannot be looked into ({error.strerror}); mount it again"
            ) from error
        if not mounted:
            raise UsageError(f"{shown(self.source)}: is empty; mount the scans, or name their folder with --source")
        if not found.files:
            raise InputError(
                f"none of the {len(found.missing):,} files of the shard is in {shown(self.source)}; copy them back"
            )
        return found

    def _publish(self, folders: Folders, lease: Lease, progress: Progress) -> Outcome:
        """Hand over the results of a shard that is read."""
        contents = lease.contents
        if not self._hand_over(folders, lease, ShardTold(contents.shard, contents.host, progress)):
            if lease.lost:
                return "lost"
            lease.end("released", progress)
            return "stopped"
        target = self.fleet.output / contents.shard
        try:
            folders.output.rename(target)
        except OSError as error:
            if not target.exists():
                raise unwritten(target, error) from error
            shutil.rmtree(folders.output, ignore_errors=True)  # another machine was there first, with the same results
            shutil.rmtree(folders.state, ignore_errors=True)
            return "lost"
        _flush(self.fleet.output)
        lease.end("done", progress)
        shutil.rmtree(folders.state, ignore_errors=True)
        self.tally.done += 1
        self.tally.pages += progress.pages
        return "done"

    def _hand_over(self, folders: Folders, lease: Lease, told: ShardTold) -> bool:
        """Hand over, waiting for space on a full disk; False where this process is to stop meanwhile."""
        while True:
            try:
                hand_over(folders, self.source, told)
                return True
            except OutputError as error:
                if not error.disk_full:
                    raise
            self.here.log(f"shard {told.shard} is read, and the disk is full; trying again")
            lease.tell(told.progress, [])
            if lease.lost or not self._pause():
                return False

    def _folders(self, shard: str) -> Folders:
        """Where the results of a shard are put together on the share, and its journal on this machine."""
        for number in count():
            state = self._state / (f"{shard}-{number}" if number else shard)
            own = hashlib.sha256(f"{self.here.machine.machine}{state}".encode()).hexdigest()[:12]
            folders = Folders.of(self.fleet.control / "work" / f"{shard}-{own}", state)
            if not _is_locked(folders):
                return folders
        raise AssertionError("numbers never end")

    def _batch(self, folders: Folders, lease: Lease) -> Batch:
        plan, here = self.fleet.plan, self.here
        work = plan.work
        settings = Settings(
            self._plan.options, plan.formats, work.review_below, work.most_pages, work.most_bytes, work.entry
        )

        def tell(batch: Batch) -> None:
            if lease.careful or lease.due:
                lease.tell(progress_of(batch) if lease.due else lease.contents.progress, batch.at_work)

        return Batch(
            self.source,
            folders,
            settings,
            cache=make_cache(),
            workers=1 if lease.careful else self._plan.workers,
            limits=Limits(plan.page_timeout_s, plan.decode_timeout_s, self._plan.promised_bytes),
            log=here.log,
            show_stderr=here.show_stderr,
            launch=here.launch,
            condemned=lease.contents.condemned,
            tell=tell,
        )

    def _next(self, tried: set[str], *, retry: bool) -> Lease | None:
        """Take a shard: one that this machine has begun, one that nobody has, one that was given back or whose holder died.

        The folders are listed when another machine gets in the way, not for every shard: what machines list all together
        would grow with the square of the shards. They begin in different places.
        """
        lease = self.leases.claim(self._free.pop()) if self._free else None
        if lease is not None:
            return lease
        self._clear_begun()
        last, done = self.leases.latest(), self.fleet.done()
        left = [shard for shard in self.fleet.shards() if shard not in done]
        begun = {path.name.partition("-")[0] for path in self._begun()} - tried
        free = [shard for shard in left if shard not in last]
        first = random.randrange(len(free)) if free and last else 0
        self._free = [*free[first:], *free[:first]][::-1]
        for shard in self._in_order(left, last, begun):
            if shard in last and (self.fleet.output / shard).exists():
                continue  # done since the folders were listed
            lease = self.leases.claim(shard, last.get(shard, 0), retry=retry and shard not in tried)
            if lease is not None:
                return lease
        return None

    def _in_order(self, left: list[str], last: dict[str, int], begun: set[str]) -> Iterator[str]:
        yield from (shard for shard in left if shard in begun)
        while self._free:
            yield self._free.pop()
        yield from (shard for shard in left if shard in last and shard not in begun)

    def _begun(self) -> list[Path]:
        return [*self._state.iterdir()] if self._state.is_dir() else []

    def _clear_begun(self) -> None:
        """Delete the journals of shards that this machine began and another finished."""
        done = self.fleet.done()
        for state in self._begun():
            if state.name.partition("-")[0] in done and not _is_locked(Folders(self.fleet.output, state)):
                shutil.rmtree(state, ignore_errors=True)

    def _clear_left(self) -> None:
        """Delete what machines that died left of shards that are done."""
        self._clear_begun()
        done = self.fleet.done()
        for folder in (self.fleet.control / "work").iterdir():
            if folder.name.partition("-")[0] in done:
                shutil.rmtree(folder, ignore_errors=True)

    def _others_work(self) -> bool:
        """Whether a shard is left that may come free."""
        return bool(set(self.fleet.shards()) - self.fleet.done() - set(self._aside()))

    def _aside(self) -> list[str]:
        return set_aside(self.fleet)

    def _pause(self) -> bool:
        """Wait a while; False where this process is to stop."""
        until = time.monotonic() + min(LOOK_AGAIN_S, self.fleet.plan.dead_after_s / 6)
        while time.monotonic() < until:
            if self.here.stopping():
                return False
            time.sleep(0.1)
        return True

    def _stopped(self, batch: Batch | None = None) -> bool:
        most = self.here.stop_after_failures
        if most is None or self.here.stopping():
            return self.here.stopping()
        now = batch.journal.failed(most) if batch is not None else 0
        return self.tally.no_results + now >= most


def _is_locked(folders: Folders) -> bool:
    if not folders.state.is_dir():
        return False
    try:
        with folders.locked():
            return False
    except UsageError:
        return True


def set_aside(fleet: Fleet) -> list[str]:
    """Return the shards that failed too often."""
    from carrel.fleet.leases import inherited, latest

    done, found = fleet.done(), list[str]()
    for shard, generation in sorted(latest(fleet.leases).items(), key=lambda item: int(item[0])):
        if shard not in done:
            _, lease = read_lease(fleet.leases / f"{shard}.{generation}.json")
            if lease is not None and lease.state in ("failed", "released") and inherited(lease)[0] >= MOST_FAILURES:
                found.append(shard)
    return found


def progress_of(batch: Batch) -> Progress:
    """Return how far a batch has come."""
    counts = batch.counts()
    return Progress(
        counts.files,
        counts.done,
        counts.failed,
        counts.review,
        counts.lines,
        pages_left(counts),
        round(batch.pace.pages_per_minute, 2),
        batch.journal.reasons() if counts.failed else {},
    )


def default_state() -> Path:
    """Return the folder for journals where none is named: ``$XDG_STATE_HOME/carrel/shards``, by default below ``~/.local/state``.

    Raises
    ------
    UsageError
        There is no home.
    """
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    with suppress(RuntimeError):
        return (base if base.is_absolute() else Path.home() / ".local" / "state") / "carrel" / "shards"
    raise UsageError("no home folder for the journals; name a folder on a local disk with --state")


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | system.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
