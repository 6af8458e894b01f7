"""Batches of augmented samples for a training, made by processes beside it."""

from __future__ import annotations

import multiprocessing as mp
import queue
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

WAITING = 12
"""Batches that a process makes ahead."""
PATIENCE_S = 600.0
"""A process that gives no batch for so long has stopped."""

Share = tuple[int, int]
"""Which batches are made: of every ``share[1]`` the one at ``share[0]``."""
B = TypeVar("B")


class Feed(Generic[B]):
    """Batches from ``count`` processes, one of each in turn.

    ``batches_of`` yields the batches of a share without end. A run that goes on with several processes leaves out up to
    ``count`` batches.
    """

    def __init__(self, batches_of: Callable[[Share], Iterator[B]], share: Share = (0, 1), count: int = 1) -> None:
        context = mp.get_context("fork")
        self._queues: list[Any] = [context.Queue(WAITING) for _ in range(count)]
        self._turn = 0
        shares = [(share[0] * count + i, share[1] * count) for i in range(count)]
        self._processes = [
            context.Process(target=_fill, args=(out, batches_of, of), daemon=True)
            for out, of in zip(self._queues, shares, strict=True)
        ]
        for process in self._processes:
            process.start()

    def next(self) -> B:
        """Return the next batch.

        Raises
        ------
        RuntimeError
            No batch comes: the process that makes it has stopped.
        """
        try:
            batch = self._queues[self._turn].get(timeout=PATIENCE_S)
        except queue.Empty:
            raise RuntimeError("the augmentation process stopped; start the same command again to resume") from None
        self._turn = (self._turn + 1) % len(self._queues)
        return batch

    def close(self) -> None:
        """Stop the processes."""
        for process in self._processes:
            process.terminate()


def _fill(out: Any, batches_of: Callable[[Share], Iterator[object]], share: Share) -> None:
    for batch in batches_of(share):
        out.put(batch)
