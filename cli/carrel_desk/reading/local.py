"""The workers of a desk or server on this machine: how many, within what memory, with which private folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from carrel.batch.plan import cache_folder, plan_workers
from carrel.errors import OutputError
from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.workers import sandbox
from carrel.workers.launch import Places
from carrel.workers.messages import READ_PAGES, Work
from carrel.workers.pool import Limits, LocalPool


@dataclass(frozen=True, slots=True)
class Station:
    """A reading station: ``make_pool`` starts the workers' pool; ``options`` are those that it reads with, decided."""

    make_pool: Callable[[], LocalPool]
    options: ReadOptions
    workers: int


@dataclass(frozen=True, slots=True)
class FileLimits:
    """For files of strangers: bytes, pages, seconds for a page and for opening a file."""

    most_bytes: int
    most_pages: int
    page_timeout_s: float = 300.0
    decode_timeout_s: float = 60.0


def plan_station(
    options: ReadOptions, spool: Path, limits: FileLimits, *, workers: int | None = None, entry: str = READ_PAGES
) -> Station:
    """Plan workers that write to ``spool`` alone.

    Raises
    ------
    UsageError
        Not even one worker fits into memory.
    ModelError
        A model is missing or damaged.
    """
    plan = plan_workers(options, workers=workers)
    work = Work(plan.options, REVIEW_BELOW, limits.most_pages, limits.most_bytes, entry)
    places = Places(spool, make_private(cache_folder()), options.own_files)
    times = Limits(limits.page_timeout_s, limits.decode_timeout_s, plan.promised_bytes)
    sandbox.forbid_dumps()
    return Station(lambda: LocalPool(plan.workers, work, places, times), plan.options, plan.workers)


def make_private(folder: Path) -> Path:
    """Create a folder for this user alone.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from error
    return folder


def empty(folder: Path) -> Path:
    """Create a private folder, or empty it of what a killed server left."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    return make_private(folder)
