"""One shard on one machine: read as a batch with its journal on a local disk, and handed over by one rename."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Literal

from carrel import system
from carrel.batch.folders import STATE_FOLDER
from carrel.batch.intake import Found, find_listed
from carrel.batch.plan import WorkerPlan, make_cache
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.batch.status import pages_left
from carrel.errors import InputError, OutputError, UsageError
from carrel.fleet.handover import RECORD, ShardTold, hand_over
from carrel.fleet.here import Here, LocalPlaces
from carrel.fleet.leases import Lease, Progress
from carrel.fleet.shards import Fleet
from carrel.fleet.store.objects import ObjectFolder, is_sound
from carrel.fleet.store.transfer import Fetching, Scans, deliver, withdraw
from carrel.image.files import shown
from carrel.output import unwritten
from carrel.workers.pool import Limits

Outcome = Literal["done", "failed", "stopped", "lost", "held"]
LOOK_AGAIN_S = 30.0


class ShardRun:
    """A ``shard`` that this process holds; ``progress`` is how far it has come, ``reads`` whether a page was read here.

    Parameters
    ----------
    source
        The folder of scans as this machine sees it; None where they are fetched from a store.
    enough
        Asked after each step, with how many pages and files of this shard gave no results, whether to stop.
    """

    def __init__(
        self,
        fleet: Fleet,
        here: Here,
        plan: WorkerPlan,
        source: Path | None,
        lease: Lease,
        enough: Callable[[Callable[[int], int]], bool],
    ) -> None:
        self._fleet, self._here, self._plan, self._source, self._lease = fleet, here, plan, source, lease
        self._enough = enough
        self._places = LocalPlaces(fleet, here).of(lease.contents.shard)
        self.shard, self.progress, self.reads = lease.contents.shard, lease.contents.progress, False

    def run(self) -> Outcome:
        """Read the shard and hand it over.

        Raises
        ------
        UsageError
            The folder of scans is empty or cannot be looked into, or a store cannot be reached.
        InputError
            Not one of its files is there.
        CarrelError
            Results cannot be written, or this machine cannot read.
        """
        lease, folders = self._lease, self._places.folders
        if not folders.journal.exists():
            shutil.rmtree(folders.output, ignore_errors=True)  # of a journal that is not there any more
        with ExitStack() as stack:
            scans = stack.enter_context(self._scans())
            batch = stack.enter_context(self._batch())
            while not (batch.finished and (scans.finished or batch.stopping)):
                found = scans.arrived()
                if found.files or found.missing:
                    batch.add(found)
                batch.step()
                self.reads |= batch.pace.pages_per_minute > 0
                batch.stopping |= lease.lost or self._enough(batch.journal.failed)
            self.progress, stopped = progress_of(batch), batch.stopping
        if lease.lost:
            return "lost"
        if stopped:
            lease.end("released", self.progress)
            return "stopped"
        return self._publish()

    def _scans(self) -> AbstractContextManager[Scans]:
        if self._source is not None:
            return AllThere(found_scans(self._fleet, self._source, self.shard))
        plan = self._fleet.plan
        names = [name for name in self._fleet.files_of(self.shard) if all(map(is_sound, name.split("/")))]
        return Fetching(ObjectFolder(plan.scans_url), names, self._places.fetched, plan.work.most_bytes)

    @property
    def _root(self) -> Path:
        return self._source or self._places.fetched

    def _batch(self) -> Batch:
        plan, here, lease = self._fleet.plan, self._here, self._lease
        work = plan.work
        settings = Settings(
            self._plan.options, plan.formats, work.review_below, work.most_pages, work.most_bytes, work.entry
        )

        def tell(batch: Batch) -> None:
            if lease.careful or lease.due:
                lease.tell(progress_of(batch) if lease.due else lease.contents.progress, batch.at_work)

        return Batch(
            self._root,
            self._places.folders,
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

    def _publish(self) -> Outcome:
        """Hand over the results of a shard that is read."""
        lease, share, store = self._lease, self._places.share, self._store()
        prefix = f"{self.shard}.{lease.contents.generation}"  # a machine that sleeps and wakes puts where nobody looks
        url = f"{store.url}/{prefix}" if store else ""
        if not self._hand_over(ShardTold(self.shard, lease.contents.host, self.progress, url)) or (
            store and not deliver(store, self._places.folders.output, prefix, self._goes_on)
        ):
            if lease.lost:
                return "lost"
            lease.end("released", self.progress)
            return "stopped"
        target = self._fleet.output / self.shard
        try:
            share.rename(target)
        except OSError as error:
            if not target.exists():
                raise unwritten(target, error) from error
            if store:
                withdraw(store, self._places.folders.output, prefix)
            shutil.rmtree(share, ignore_errors=True)  # another machine was there first, with the same results
            self._places.clear()
            return "lost"
        _flush(self._fleet.output)
        lease.end("done", self.progress)
        if store:
            put_record(store, target)
        self._places.clear()
        return "done"

    def _store(self) -> ObjectFolder | None:
        url = self._fleet.plan.results_url
        return ObjectFolder(url) if url else None

    def _goes_on(self) -> bool:
        self._lease.tell(self.progress, [])
        return not self._lease.lost and not self._here.stopping()

    def _hand_over(self, told: ShardTold) -> bool:
        """Hand over, waiting for space on a full disk; False where this process is to stop meanwhile."""
        while True:
            try:
                hand_over(self._places.folders, self._root, told, self._places.share)
                return True
            except OutputError as error:
                if not error.disk_full:
                    raise
            self._here.log(f"shard {told.shard} is read, and the disk is full; trying again")
            self._lease.tell(told.progress, [])
            if self._lease.lost or not pause(self._fleet, self._here):
                return False


class AllThere(nullcontext["AllThere"]):
    """Scans that are all there at once."""

    def __init__(self, found: Found) -> None:
        super().__init__(self)
        self._found = found

    @property
    def finished(self) -> bool:
        """Nothing more comes."""
        return not self._found.files and not self._found.missing

    def arrived(self) -> Found:
        """Return what came since the last call."""
        found, self._found = self._found, Found()
        return found


def put_record(store: ObjectFolder, folder: Path) -> None:
    """Put the record of a shard that is done beside its results in a store, under the shard's name, after all of them.

    Raises
    ------
    UsageError
        The store cannot be reached.
    """
    store.put(f"{folder.name}.jsonl", folder / STATE_FOLDER / RECORD)


def put_records(fleet: Fleet) -> None:
    """Put the records of shards that are done and whose machine ended before it could.

    Raises
    ------
    CarrelError
        The store cannot be reached.
    """
    if fleet.plan.results_url:
        store = ObjectFolder(fleet.plan.results_url)
        for shard in sorted(fleet.done() - {name.removesuffix(".jsonl") for name in store.entries()}):
            put_record(store, fleet.output / shard)


def found_scans(fleet: Fleet, source: Path, shard: str) -> Found:
    """Return the files of a shard.

    Raises
    ------
    UsageError
        The folder of scans is empty or cannot be looked into: it is not mounted here.
    InputError
        Not one of the files is there.
    """
    found = find_listed(source / path for path in fleet.files_of(shard))
    try:
        mounted = bool(found.files) or any(source.iterdir())
    except OSError as error:
        raise UsageError(f"{shown(source)}: cannot be looked into ({error.strerror}); mount it again") from error
    if not mounted:
        raise UsageError(f"{shown(source)}: is empty; mount the scans, or name their folder with --source")
    if not found.files:
        raise InputError(f"none of the {len(found.missing):,} files of the shard is in {shown(source)}; copy them back")
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


def pause(fleet: Fleet, here: Here) -> bool:
    """Wait a while; False where this process is to stop."""
    until = time.monotonic() + min(LOOK_AGAIN_S, fleet.plan.dead_after_s / 6)
    while time.monotonic() < until:
        if here.stopping():
            return False
        time.sleep(0.1)
    return True


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | system.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
