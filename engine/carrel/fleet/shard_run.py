"""One shard on one machine: read as a batch with its journal on a local disk, and handed over by one rename."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from carrel import system
from carrel.batch.folders import Folders
from carrel.batch.intake import Found, find_listed
from carrel.batch.plan import WorkerPlan, make_cache
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.batch.status import pages_left
from carrel.errors import InputError, OutputError, UsageError
from carrel.fleet.handover import ShardTold, hand_over
from carrel.fleet.here import Here, LocalPlaces
from carrel.fleet.leases import Lease, Progress
from carrel.fleet.shards import Fleet
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
        The folder of scans as this machine sees it.
    enough
        Asked after each step, with how many pages and files of this shard gave no results, whether to stop.
    """

    def __init__(
        self,
        fleet: Fleet,
        here: Here,
        plan: WorkerPlan,
        source: Path,
        lease: Lease,
        enough: Callable[[Callable[[int], int]], bool],
    ) -> None:
        self._fleet, self._here, self._plan, self._source, self._lease = fleet, here, plan, source, lease
        self._enough = enough
        self.shard, self.progress, self.reads = lease.contents.shard, lease.contents.progress, False

    def run(self) -> Outcome:
        """Read the shard and hand it over.

        Raises
        ------
        UsageError
            The folder of scans is empty or cannot be looked into: it is not mounted here.
        InputError
            Not one of its files is there.
        CarrelError
            Results cannot be written, or this machine cannot read.
        """
        lease = self._lease
        folders = LocalPlaces(self._fleet, self._here).folders_of(lease.contents.shard)
        if not folders.journal.exists():
            shutil.rmtree(folders.output, ignore_errors=True)  # of a journal that is not there any more
        found = found_scans(self._fleet, self._source, lease.contents.shard)
        with self._batch(folders) as batch:
            batch.add(found)
            while not batch.finished:
                batch.step()
                self.reads |= batch.pace.pages_per_minute > 0
                batch.stopping |= lease.lost or self._enough(batch.journal.failed)
            self.progress, stopped = progress_of(batch), batch.stopping
        if lease.lost:
            return "lost"
        if stopped:
            lease.end("released", self.progress)
            return "stopped"
        return self._publish(folders)

    def _batch(self, folders: Folders) -> Batch:
        plan, here, lease = self._fleet.plan, self._here, self._lease
        work = plan.work
        settings = Settings(
            self._plan.options, plan.formats, work.review_below, work.most_pages, work.most_bytes, work.entry
        )

        def tell(batch: Batch) -> None:
            if lease.careful or lease.due:
                lease.tell(progress_of(batch) if lease.due else lease.contents.progress, batch.at_work)

        return Batch(
            self._source,
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

    def _publish(self, folders: Folders) -> Outcome:
        """Hand over the results of a shard that is read."""
        contents, lease = self._lease.contents, self._lease
        if not self._hand_over(folders, ShardTold(contents.shard, contents.host, self.progress)):
            if lease.lost:
                return "lost"
            lease.end("released", self.progress)
            return "stopped"
        target = self._fleet.output / contents.shard
        try:
            folders.output.rename(target)
        except OSError as error:
            if not target.exists():
                raise unwritten(target, error) from error
            shutil.rmtree(folders.output, ignore_errors=True)  # another machine was there first, with the same results
            shutil.rmtree(folders.state, ignore_errors=True)
            return "lost"
        _flush(self._fleet.output)
        lease.end("done", self.progress)
        shutil.rmtree(folders.state, ignore_errors=True)
        return "done"

    def _hand_over(self, folders: Folders, told: ShardTold) -> bool:
        """Hand over, waiting for space on a full disk; False where this process is to stop meanwhile."""
        while True:
            try:
                hand_over(folders, self._source, told)
                return True
            except OutputError as error:
                if not error.disk_full:
                    raise
            self._here.log(f"shard {told.shard} is read, and the disk is full; trying again")
            self._lease.tell(told.progress, [])
            if self._lease.lost or not pause(self._fleet, self._here):
                return False


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
