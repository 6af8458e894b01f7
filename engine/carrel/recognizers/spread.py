"""Work on lines in several threads, which stops when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def _go_on() -> None:
    """Let the next line begin."""


@dataclass(frozen=True)
class Spread:
    """A way to work on the lines of a page.

    Parameters
    ----------
    threads
        Lines at the same time, at least 1.
    check
        Called before each line, in the line's thread; what it raises ends the work, and no further line begins.
    """

    threads: int = 1
    check: Callable[[], None] = _go_on

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``work`` of each item, in their order, whatever the number of threads."""

        def checked(item: Item) -> Result:
            self.check()
            return work(item)

        threads = min(self.threads, len(items))
        if threads <= 1:
            return [checked(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(threads, "carrel-lines")
        try:
            return list(pool.map(checked, items))
        finally:
            pool.shutdown(cancel_futures=True)


ONE_AFTER_THE_OTHER = Spread()
