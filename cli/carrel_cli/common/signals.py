"""Ctrl-C and SIGTERM: what is at work is finished after the first, abandoned after the next."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

SAME_SIGNAL_S = 0.5
"""One that follows sooner is the same: supervisors signal a process and its group."""


@contextmanager
def stop_on_signals(finish: Callable[[], None]) -> Generator[list[int]]:
    """Call ``finish`` at the first Ctrl-C or SIGTERM, and raise KeyboardInterrupt at the next. Yields the signals that came."""
    came: list[int] = []
    first_s = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first_s
        now_s = time.monotonic()
        if came and now_s - first_s < SAME_SIGNAL_S:
            return
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        first_s = now_s
        finish()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
