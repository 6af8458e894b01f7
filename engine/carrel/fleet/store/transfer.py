"""A shard's scans on their way from a store, while the first of them are read, and its results on their way there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from carrel.batch.folders import STATE_FOLDER
from carrel.batch.intake import Found, seen_now, walk
from carrel.errors import InputError
from carrel.fleet.store.objects import ObjectFolder

STREAMS = 8
"""Objects that travel at a time: each costs a round trip or two."""
LOOK_S = 0.5


class Scans(Protocol):
    """The scans of a shard, which may come while others are read."""

    def arrived(self) -> Found:
        """Return what came since the last call."""
        ...

    @property
    def finished(self) -> bool:
        """Nothing more comes."""
        ...


class Fetching:
    """Scans that are fetched to a local folder, in their order; a context manager.

    Parameters
    ----------
    most_bytes
        Larger ones are not fetched.
    """

    def __init__(self, store: ObjectFolder, names: Sequence[str], folder: Path, most_bytes: int) -> None:
        self._store, self._names, self._folder, self._most_bytes = store, names, folder, most_bytes
        self._pool = ThreadPoolExecutor(STREAMS, "fetch")
        self._coming = deque[tuple[str, Future[Path | None]]]()
        self._any = False

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self._names:
            self._coming.append((name, self._pool.submit(self._store.fetch, name, self._folder, self._most_bytes)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def finished(self) -> bool:
        """Nothing more comes."""
        return not self._coming

    def arrived(self) -> Found:
        """Return what came since the last call.

        Raises
        ------
        InputError
            Not one of the scans is there.
        CarrelError
            The store cannot be reached, or the disk is full.
        """
        found = Found()
        while self._coming and self._coming[0][1].done():
            name, future = self._coming.popleft()
            path = future.result()
            file = seen_now(path) if path is not None else None
            if file is None:
                found.missing.append(self._folder / name)
            else:
                found.files.append(file)
        self._any |= bool(found.files)
        if self.finished and not self._any:
            raise InputError(
                f"none of the {len(self._names):,} files of the shard is in {self._store.url}; copy them back"
            )
        return found


def deliver(store: ObjectFolder, results: Path, prefix: str, going: Callable[[], bool]) -> bool:
    """Put all results below a folder into a store; where that was cut short, what had been put is deleted again.

    Parameters
    ----------
    prefix
        Of their names, without a slash at its end.
    going
        Asked several times a second whether to go on.

    Raises
    ------
    UsageError
        The store cannot be reached.
    """
    with ThreadPoolExecutor(STREAMS, "deliver") as pool:
        left = {pool.submit(store.put, f"{prefix}/{name}", results / name) for name in _names(results)}
        while left:
            done, left = wait(left, LOOK_S)
            for future in done:
                future.result()
            if not going():
                pool.shutdown(cancel_futures=True)
                withdraw(store, results, prefix)
                return False
    return True


def withdraw(store: ObjectFolder, results: Path, prefix: str) -> None:
    """Delete from a store what `deliver` put there.

    Raises
    ------
    UsageError
        The store cannot be reached.
    """
    for name in _names(results):
        store.remove(f"{prefix}/{name}")


def _names(results: Path) -> Iterator[str]:
    for path in walk(results):
        name = path.relative_to(results)
        if name.parts[0] != STATE_FOLDER and path.is_file():
            yield name.as_posix()
