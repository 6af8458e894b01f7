"""`carrel fleet` with processes of this machine: one of them killed, and clusters that cannot be reached."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from carrel.fleet.cluster import Choices, shard_worker
from carrel.workers.launch import Places, worker_environment
from command_line import exit_code_of
from fleet_pages import ENTRY, carrel, wait_until, write_pages
from soak_fleet import check


def fleet(tmp_path: Path, *more: object) -> tuple[object, ...]:
    return (
        *("fleet", tmp_path / "in", "-o", tmp_path / "out", "--size", 6, "-f", "text,json"),
        *("--pages-with", ENTRY, "--quiet-for", 0, "--dead-after", 5, *more),
    )


def test_a_local_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask distributed is not installed: uv sync --extra fleet")
    write_pages(tmp_path / "in", range(24), slow=True)
    process = carrel(*fleet(tmp_path, "--local", 2), XDG_STATE_HOME=str(tmp_path / "state"))
    leases = tmp_path / "out" / ".carrel-shards" / "leases"
    wait_until(lambda: process.poll() is not None or bool(list(leases.parent.rglob("work/*/box0/*.json"))))
    victim = next(pid for path in leases.iterdir() for pid in _pids(path))
    assert victim != process.pid
    os.kill(victim, signal.SIGKILL)
    (plan,) = (tmp_path / "state" / "carrel" / "shards").iterdir()
    left = [leases.parent / "work" / "00001-0123456789ab", plan / "00001-7"]  # of workers that died before
    for folder in left:
        folder.mkdir()
        (folder / "page.txt").write_text("what was read", "utf-8")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "scheduler tls://127.0.0.1:" in err and "4 shards: 4 done" in err
    assert not any(map(Path.exists, left))
    check(tmp_path, 24)


def test_processes_that_read_do_not_inherit_how_dask_has_memory_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pages(tmp_path / "in", range(1))
    assert exit_code_of("shard", tmp_path / "in", "-o", tmp_path / "out", "--pages-with", ENTRY, "--quiet-for", 0) == 0
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    shard_worker(str(tmp_path / "out"), Choices(state=str(tmp_path / "state")))
    assert "MALLOC_TRIM_THRESHOLD_" not in worker_environment(Places(tmp_path, tmp_path))


def _pids(path: Path) -> list[int]:
    from carrel.fleet.leases import read_lease

    lease = read_lease(path)[1]
    return [lease.pid] if lease is not None and lease.state == "working" else []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "name a scheduler, --scheduler ADDRESS, or a number of processes of this machine"),
        (("--scheduler", "tcp://127.0.0.1:1", "--local", "2"), "name a scheduler"),
        (("--scheduler", "tls://127.0.0.1:1"), "TLS needs an address that begins with tls:// and"),
        (("--scheduler", "tcp://127.0.0.1:1", "--tls-ca", __file__), "TLS needs all of"),
    ],
)
def test_clusters_that_are_not_named_right(
    tmp_path: Path, more: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pages(tmp_path / "in", range(1))
    assert exit_code_of(*fleet(tmp_path, *more)) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_cluster_on_which_nothing_can_be_read(tmp_path: Path) -> None:
    """The workers have no such function: the shards are given back, none is blamed."""
    pytest.importorskip("distributed", reason="Dask distributed is not installed: uv sync --extra fleet")
    write_pages(tmp_path / "in", range(2))
    process = carrel(*fleet(tmp_path, "--local", 1, "--pages-with", "no_module:at_all"), XDG_STATE_HOME=str(tmp_path))
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1 and "no worker can read; the last said: no_module is missing" in err
    assert exit_code_of("status", tmp_path / "out", "--json") == 0
