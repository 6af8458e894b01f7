"""The recipes of docs/fleets.md, as they stand there: Slurm's script by a shell that plays Slurm, GNU parallel, systemd's units."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_pages import ENTRY, TESTS, run, texts_of_shards, wait_until, write_pages

GUIDE = Path(__file__).parents[2] / "docs" / "fleets.md"


def block(kind: str, mark: str) -> str:
    blocks = [part.partition("\n```")[0] for part in GUIDE.read_text("utf-8").split(f"```{kind}\n")[1:]]
    (found,) = [text for text in blocks if mark in text]
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Surroundings with a ``carrel`` to call, and shards of two pages."""
    write_pages(tmp_path / "in", range(6), slow=True)
    plan = ("-f", "text,json", "--pages-with", ENTRY, "--quiet-for", 0, "--size", 2)
    assert run("shard", tmp_path / "in", "-o", tmp_path / "out", *plan)[0] == 0
    program = tmp_path / "bin" / "carrel"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from carrel_cli.main import main; main()" "$@"\n', "utf-8"
    )
    program.chmod(0o755)
    more = {
        "OUT": tmp_path / "out",
        "IN": tmp_path / "in",
        "LOG": tmp_path / "log",
        "XDG_STATE_HOME": tmp_path / "state",
    }
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, **{name: str(value) for name, value in more.items()}, "PATH": path, "PYTHONPATH": str(TESTS)}


def test_slurm_stops_a_task_and_starts_it_again(tmp_path: Path, environment: dict[str, str]) -> None:
    script = tmp_path / "job"
    script.write_text(block("sh", "# slurm:") + "\n", "utf-8")
    environment |= {"TMPDIR": str(tmp_path), "USER": "me", "SLURM_CPUS_PER_TASK": "1", "SLURM_ARRAY_TASK_ID": "1"}
    task = subprocess.Popen(["sh", script], env=environment)
    wait_until(lambda: bool(list((tmp_path / "out").rglob("box0/0.json"))))
    task.send_signal(signal.SIGTERM)  # --signal=B:TERM: to the script alone, which is carrel by now
    assert task.wait(60) == 130
    assert subprocess.run(["sh", script], env=environment, check=False).returncode == 0
    assert len(texts_of_shards(tmp_path / "out")) == 6
    assert not list((tmp_path / "carrel-me").rglob("*.sqlite"))


def test_parallel_reads_every_shard(tmp_path: Path, environment: dict[str, str]) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed")
    for mark in ("# parallel:", "# own-lists:"):
        lists = str(tmp_path / "out" / ".carrel-shards" / "lists")
        more = {"LISTS": lists, "OUT": str(tmp_path / "own")} if "own" in mark else {}
        command = block("sh", mark).replace(' "$IN"', f' "$IN" --pages-with {ENTRY}')
        (tmp_path / "log").unlink(missing_ok=True)
        subprocess.run(["sh", "-c", command], env=environment | more, check=True, stdin=subprocess.DEVNULL)
    assert len(texts_of_shards(tmp_path / "out")) == 6
    assert texts_of_shards(tmp_path / "own") == texts_of_shards(tmp_path / "out")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("carrel-work.service", "carrel-work.timer"):
        unit = block("ini", f"/{name}\n")
        unit = re.sub(r"^ExecStart=/usr/local/bin/carrel", "ExecStart=/bin/true", unit, flags=re.MULTILINE)
        (tmp_path / name).write_text(unit.replace("User=carrel", "User=root") + "\n", "utf-8")
    units = [tmp_path / "carrel-work.service", tmp_path / "carrel-work.timer"]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "carrel-work" in line]
    assert not ours, ours
