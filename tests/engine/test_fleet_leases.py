"""Leases: one holder at a time, dead ones found by one's own clock, failures and blame handed on."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.fleet import shards
from carrel.fleet.leases import Lease, Leases, Machine, Progress, path_of, read_lease
from carrel.fleet.shards import put_new

SHARD = "00001"
DEAD_AFTER_S = 0.3


def machine(name: str, **more: object) -> Machine:
    """A machine that nobody here can look into."""
    return replace(Machine.here(name), kernel=name, **more)  # type: ignore[arg-type]


def leases(folder: Path, name: str) -> Leases:
    return Leases(folder, machine(name), DEAD_AFTER_S)


def claimed(found: Lease | None) -> Lease:
    assert found is not None
    return found


def dies(folder: Path, generation: int, watcher: Leases, **more: bool) -> Lease | None:
    """What a watcher gets after the holder of a lease has stood still for long enough."""
    assert watcher.claim(SHARD, generation, **more) is None, "the first look only starts the clock"
    time.sleep(DEAD_AFTER_S * 1.2)
    return watcher.claim(SHARD, generation, **more)


def test_of_many_that_claim_one_succeeds(tmp_path: Path) -> None:
    start, held = threading.Barrier(16), list[Lease]()

    def claim(number: int) -> None:
        own = leases(tmp_path, f"pc{number}")
        start.wait()
        lease = own.claim(SHARD, 0)
        if lease is not None:
            held.append(lease)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [f"{SHARD}.1.json"]


def test_a_holder_that_beats_is_never_dead_whatever_its_clock_says(tmp_path: Path) -> None:
    lease, watcher = claimed(leases(tmp_path, "pc1").claim(SHARD, 0)), leases(tmp_path, "pc2")
    for _ in range(4):
        time.sleep(DEAD_AFTER_S * 0.6)
        assert lease.tell(Progress(pages=1), [])
        os.utime(path_of(tmp_path, SHARD, 1), (0, 0))  # a share whose clock is decades behind
        assert watcher.claim(SHARD, 1) is None
    assert not lease.lost


def test_a_holder_that_stands_still_is_replaced_and_learns_of_it(tmp_path: Path) -> None:
    sleeper = claimed(leases(tmp_path, "pc1").claim(SHARD, 0))
    os.utime(path_of(tmp_path, SHARD, 1), (4e9, 4e9))  # a share whose clock is far ahead
    taken = claimed(dies(tmp_path, 1, leases(tmp_path, "pc2")))
    assert leases(tmp_path, "pc3").claim(SHARD, 1) is None, "a second one that saw it die comes too late"
    assert not sleeper.tell(Progress(), []) and sleeper.lost
    time.sleep(DEAD_AFTER_S / 3)
    assert taken.tell(Progress(), []), "what the sleeper writes harms nobody"
    assert (taken.contents.generation, taken.contents.failures) == (2, 1)


def test_a_process_that_is_gone_is_known_at_once(tmp_path: Path) -> None:
    here = Machine.here()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    gone = replace(here, pid=pid, started="1")
    assert Leases(tmp_path, gone, 1000.0).claim(SHARD, 0)
    assert claimed(Leases(tmp_path, here, 1000.0).claim(SHARD, 1)).contents.failures == 1
    assert Leases(tmp_path, replace(here, pid=1), 1000.0).claim(SHARD, 2) is None, "this process lives"


def test_the_third_failure_sets_aside_and_retry_takes_again(tmp_path: Path) -> None:
    claimed(leases(tmp_path, "pc1").claim(SHARD, 0)).end("failed", Progress(), "disk on fire")
    claimed(leases(tmp_path, "pc2").claim(SHARD, 1))
    third = claimed(dies(tmp_path, 2, leases(tmp_path, "pc1")))
    assert third.contents.failures == 2
    watcher = leases(tmp_path, "pc4")
    assert dies(tmp_path, 3, watcher) is None
    _, last = read_lease(path_of(tmp_path, SHARD, 4))
    assert last is not None and (last.state, last.failures) == ("released", 3)
    assert last.reason == "pc1 ended while it read this shard"
    assert watcher.claim(SHARD, 4) is None
    assert claimed(watcher.claim(SHARD, 4, retry=True)).contents.failures == 0


def test_a_shard_that_was_given_back_did_not_fail(tmp_path: Path) -> None:
    for generation in range(5):
        lease = claimed(leases(tmp_path, f"pc{generation}").claim(SHARD, generation))
        lease.end("released", Progress())
        assert lease.contents.failures == 0


def test_a_page_is_condemned_by_the_deaths_of_two_machines(tmp_path: Path) -> None:
    first = claimed(leases(tmp_path, "pc1").claim(SHARD, 0))
    time.sleep(DEAD_AFTER_S / 3)
    assert first.tell(Progress(), ["bad:0", "good:0"])
    again = claimed(dies(tmp_path, 1, leases(tmp_path, "pc1")))
    assert again.careful and not again.contents.condemned
    assert again.tell(Progress(), ["bad:0"])  # told at once, before the page is read
    once_more = claimed(dies(tmp_path, 2, leases(tmp_path, "pc3")))
    assert not once_more.contents.condemned, "one machine alone may be at fault"
    assert once_more.tell(Progress(), ["bad:0"])
    last = claimed(dies(tmp_path, 3, leases(tmp_path, "pc4")))
    assert last.contents.condemned == {"bad:0"}
    assert last.contents.failures == 2, "a death that is explained is no failure of the shard"


def test_a_lease_that_cannot_be_read_is_taken_over_in_time(tmp_path: Path) -> None:
    path_of(tmp_path, SHARD, 1).write_bytes(b"")
    assert claimed(dies(tmp_path, 1, leases(tmp_path, "pc1"))).contents.generation == 2


def test_new_files_on_disks_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(shards.os, "link", refuse)
    assert put_new(tmp_path / "x", b"first")
    assert not put_new(tmp_path / "x", b"second")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"first"}
