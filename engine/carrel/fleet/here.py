"""One machine of a fleet: its choices, what it did, and the folders on its local disk."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from carrel.batch.folders import Folders
from carrel.errors import UsageError
from carrel.fleet.leases import Machine
from carrel.fleet.shards import Fleet
from carrel.system import user_folder
from carrel.workers.launch import Launch


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


@dataclass(frozen=True, slots=True)
class ShardPlaces:
    """Places of one shard on a machine: ``folders`` of its batch; ``share`` is what becomes the shard's folder; ``fetched`` is for
    scans that come from a store."""

    folders: Folders
    share: Path
    fetched: Path

    def clear(self) -> None:
        """Delete what lies on the local disk."""
        shutil.rmtree(self.folders.state, ignore_errors=True)
        shutil.rmtree(self.fetched.parent, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class LocalPlaces:
    """Journals of the shards that a machine has begun, on its own disk; beside them, for stores, scans that were fetched and
    results that are not put yet."""

    fleet: Fleet
    here: Here

    @property
    def root(self) -> Path:
        return self.here.state.resolve() / self.fleet.plan.id

    def of(self, shard: str) -> ShardPlaces:
        """Return places of a shard whose journal nobody uses."""
        for number in count():
            state = self.root / (f"{shard}-{number}" if number else shard)
            own = hashlib.sha256(f"{self.here.machine.machine}{state}".encode()).hexdigest()[:12]
            share = self.fleet.control / "work" / f"{shard}-{own}"
            files = self._files(state)
            folders = Folders.of(files / "results" if self.fleet.plan.results_url else share, state)
            if not _is_locked(folders):
                return ShardPlaces(folders, share, files / "scans")
        raise AssertionError("numbers never end")

    def begun(self) -> set[str]:
        """Return the shards that this machine has begun."""
        return {_shard_of(path) for path in self._journals()}

    def clear(self, done: set[str]) -> None:
        """Delete what lies here of shards that this machine began and another finished."""
        for state in self._journals():
            if _shard_of(state) in done and not _is_locked(Folders(self.fleet.output, state)):
                shutil.rmtree(state, ignore_errors=True)
                shutil.rmtree(self._files(state), ignore_errors=True)

    def _files(self, state: Path) -> Path:
        return self.root.with_name(f"{self.root.name}-files") / state.name

    def _journals(self) -> list[Path]:
        return [*self.root.iterdir()] if self.root.is_dir() else []


def clear_share(fleet: Fleet, done: set[str]) -> None:
    """Delete what machines that died left on the share of shards that are done."""
    for folder in (fleet.control / "work").iterdir():
        if _shard_of(folder) in done:
            shutil.rmtree(folder, ignore_errors=True)


def _shard_of(folder: Path) -> str:
    return folder.name.partition("-")[0]


def _is_locked(folders: Folders) -> bool:
    if not folders.state.is_dir():
        return False
    try:
        with folders.locked():
            return False
    except UsageError:
        return True


def default_state() -> Path:
    """Return the folder for journals where none is named: ``$XDG_STATE_HOME/carrel/shards``, by default below ``~/.local/state``.

    Raises
    ------
    UsageError
        There is no home.
    """
    with suppress(RuntimeError):
        return user_folder("XDG_STATE_HOME", ".local/state") / "carrel" / "shards"
    raise UsageError("no home folder for the journals; name a folder on a local disk with --state")
