"""A worker that a page took over: it cannot hang, fill or crash its parent, nor write to the terminal."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from batch_pages import fork_worker, write_page
from carrel.workers.files import seen
from carrel.workers.launch import Places
from carrel.workers.messages import Failed, PageRead, ReadPage, Refused, Work
from carrel.workers.pool import Answer, Limits, LocalPool
from hostile_workers import DEEDS

TIMEOUT_S = 1.0
RIGHT = {"escape": Refused, "long": Failed, "twice": PageRead}


def answer_of(pool: LocalPool, path: Path, within_s: float) -> Answer:
    pool.submit(ReadPage("1", seen(path, path.stat()), 0, ("text", "json")))
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        answers = pool.wait(0.1)
        if answers:
            return answers[0]
    raise AssertionError("the pool waits for ever")


@pytest.mark.parametrize("deed", DEEDS)
def test_each_costs_the_page_and_no_more(deed: str, tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.png", 1)
    limits = Limits(TIMEOUT_S, TIMEOUT_S, first_page_s=0.0)
    places = Places(tmp_path, tmp_path)
    with LocalPool(1, Work(entry=f"hostile_workers:{deed}"), places, limits, launch=fork_worker) as pool:
        tracemalloc.start()
        outcome = answer_of(pool, path, 5 * TIMEOUT_S).outcome
        peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    assert isinstance(outcome, RIGHT.get(deed, Failed)), outcome
    if isinstance(outcome, (Failed, Refused)):
        assert outcome.reason.isprintable() and len(outcome.reason) <= 500
    assert peak_mib < 100
