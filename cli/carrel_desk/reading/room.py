"""A pool of workers behind asyncio: the pool on a thread of its own, its answers as results of coroutines.

No more is handed to the pool than it takes up at once, so that what waits can be called off and what is urgent goes first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from carrel.errors import CarrelError
from carrel.workers.messages import Outcome, Task
from carrel.workers.pool import LocalPool

log = logging.getLogger("carrel.desk")
URGENT, SOON, WHEN_IDLE = 0, 1, 2
"""Order of tasks: somebody looks at the screen for it; asked for by a program; the rest of a stack."""
_TICK_S = 0.05
_REST_S = 0.5
_AGAIN_S = 10.0


@dataclass(order=True)
class _Waiting:
    place: int
    number: int
    task: Task = field(compare=False)
    answered: Callable[[Outcome | CarrelError], None] = field(compare=False)
    began: Callable[[], None] = field(compare=False)
    called_off: bool = field(default=False, compare=False)


class Readers:
    """Workers that coroutines ask; ``make_pool`` makes their pool, again after a failure."""

    def __init__(self, make_pool: Callable[[], LocalPool]) -> None:
        self._make_pool = make_pool
        self._coming: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting: list[_Waiting] = []
        self._at_work: dict[str, _Waiting] = {}
        self._numbers = itertools.count()
        self._closing = threading.Event()
        self._changing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrel-readers", daemon=True)
        self.identity: str | None = None
        self.trouble: CarrelError | None = None
        self._count = 0
        self._lock = threading.Lock()

    @property
    def asked(self) -> int:
        """The number of tasks without an answer yet."""
        return self._count

    def start(self) -> None:
        """Start the thread, and with it the workers."""
        self._thread.start()

    def change(self, make_pool: Callable[[], LocalPool]) -> None:
        """Read with other workers once those at work have answered."""
        self._make_pool = make_pool
        self._changing.set()

    def close(self) -> None:
        """Kill the workers; whoever waits for an answer gets an error."""
        self._closing.set()
        self._coming.put(None)
        if self._thread.is_alive():
            self._thread.join(10)

    async def ask(
        self, make_task: Callable[[str], Task], place: int = SOON, began: Callable[[], None] | None = None
    ) -> Outcome:
        """Return what came of a task, made with the id that it is given; cancelling calls it off while it waits.

        Raises
        ------
        CarrelError
            No worker can work.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def answered(outcome: Outcome | CarrelError) -> None:
            loop.call_soon_threadsafe(_settle, future, outcome)

        def at_work() -> None:
            if began is not None:
                loop.call_soon_threadsafe(began)

        number = next(self._numbers)
        waiting = _Waiting(place, number, make_task(str(number)), answered, at_work)
        with self._lock:
            self._count += 1
        self._coming.put(waiting)
        try:
            return await future
        finally:
            waiting.called_off = True
            with self._lock:
                self._count -= 1

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._changing.clear()
                with self._make_pool() as pool:
                    while not (self._closing.is_set() or (self._changing.is_set() and not self._at_work)):
                        self._step(pool)
            except CarrelError as error:
                self._fail(error)
                self._closing.wait(_AGAIN_S)
            except Exception:
                log.exception("the workers' thread failed and starts again")
                self._fail(CarrelError("the workers' thread failed; the log says more"))
                self._closing.wait(1)
        self._fail(CarrelError("the server stops"))

    def _step(self, pool: LocalPool) -> None:
        pool.start()  # again for those that have died
        rest = bool(pool.identity) and not self._at_work and not self._waiting
        self._take(_REST_S if rest else 0)
        while self._waiting and pool.idle and not self._changing.is_set():
            waiting = heapq.heappop(self._waiting)
            if not waiting.called_off:
                self._at_work[waiting.task.id] = waiting
                waiting.began()
                pool.submit(waiting.task)
        for answer in pool.wait(_TICK_S if not rest or self._at_work else 0):
            self._at_work.pop(answer.task.id).answered(answer.outcome)
        if pool.identity is not None:
            self.identity, self.trouble = pool.identity, None

    def _take(self, timeout_s: float) -> None:
        """Collect what has been asked for, waiting for the first."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                waiting = self._coming.get(timeout=max(0.0, until - time.monotonic()) or 1e-3)
            except queue.Empty:
                return
            until = 0.0
            if waiting is not None:
                heapq.heappush(self._waiting, waiting)

    def _fail(self, error: CarrelError) -> None:
        self.trouble = error
        self._take(0)
        for waiting in (*self._at_work.values(), *self._waiting):
            waiting.answered(error)
        self._at_work.clear()
        self._waiting.clear()


def _settle(future: asyncio.Future[Outcome], outcome: Outcome | CarrelError) -> None:
    if future.done():
        return
    if isinstance(outcome, CarrelError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
