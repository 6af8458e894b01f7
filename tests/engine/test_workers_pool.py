"""A pool of workers: each task gets one answer, whatever happens to the worker that has it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from batch_pages import ENTRY, SLOW, Forked, expected, fork_worker, write_page
from carrel.workers.channel import receive, send
from carrel.workers.files import seen
from carrel.workers.launch import Launch, Places
from carrel.workers.messages import Gone, Opened, OpenFile, PageRead, ReadPage, Ready, Refused, Work
from carrel.workers.pool import Answer, LocalPool, Pool


def answers(pool: Pool, count: int) -> list[Answer]:
    found: list[Answer] = []
    until = time.monotonic() + 60
    while len(found) < count:
        found += pool.wait(0.1)
        assert time.monotonic() < until, "the pool waits for ever"
    return found


def read(path: Path, name: str = "1") -> ReadPage:
    return ReadPage(name, seen(path, path.stat()), 0, ("text",))


def dying(deaths: int) -> Launch:
    """Workers of which the first ones end as soon as they are given a task, before they have begun it."""
    left = [deaths]

    def launch(places: Places, show_stderr: bool) -> tuple[Forked, socket.socket]:
        left[0] -= 1
        if left[0] < 0:
            return fork_worker(places, show_stderr)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            receive(theirs)
            send(theirs, Ready("measure", False, 0))
            receive(theirs)
            os._exit(0)
        theirs.close()
        return Forked(pid), ours

    return launch


def test_task_that_no_worker_began_is_given_to_another(tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.png", 1)
    with LocalPool(1, Work(entry=ENTRY), Places(tmp_path, tmp_path), launch=dying(2)) as pool:
        pool.submit(read(path))
        outcome = answers(pool, 1)[0].outcome
    assert isinstance(outcome, PageRead)
    assert outcome.files == {"text": expected(1).encode()}


def test_more_tasks_than_workers_and_files_that_cannot_be_opened(tmp_path: Path) -> None:
    paths = [write_page(tmp_path / f"{number}.png", number) for number in range(6)]
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    gone = read(write_page(tmp_path / "gone.png", 9), "gone")
    gone.file.path.unlink()
    with LocalPool(2, Work(entry=ENTRY), Places(tmp_path, tmp_path), launch=fork_worker) as pool:
        for task in (*(read(path, path.stem) for path in paths), read(empty, "empty"), gone):
            pool.submit(task)
        pool.submit(OpenFile("open", seen(paths[0], paths[0].stat())))
        outcomes = {answer.task.id: answer.outcome for answer in answers(pool, 9)}
        assert pool.busy == []
    assert {outcomes[str(number)].files["text"].decode() for number in range(6)} == {expected(n) for n in range(6)}  # type: ignore[union-attr]
    assert isinstance(outcomes["empty"], Refused) and isinstance(outcomes["gone"], Gone)
    assert isinstance(outcomes["open"], Opened) and outcomes["open"].pages == 1


def test_closing_returns_what_has_no_answer(tmp_path: Path) -> None:
    pool = LocalPool(1, Work(entry=ENTRY), Places(tmp_path, tmp_path), launch=fork_worker)
    tasks = [read(write_page(tmp_path / f"{number}.png", number, SLOW), str(number)) for number in range(3)]
    for task in tasks:
        pool.submit(task)
    done = answers(pool, 1)
    left = pool.close()
    assert sorted(task.id for task in (*left, *(answer.task for answer in done))) == ["0", "1", "2"]
    assert pool.close() == []
