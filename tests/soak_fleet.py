"""Machines that share a folder and are killed at random: every page once, whole, and equal to what one batch reads.

usage: python tests/soak_fleet.py [--kills 30] [--seed 1] [--apart]     takes some minutes

``--apart`` gives each machine namespaces of its own: no network at all, and no process of another machine to be looked at, so that
its death is known by its lease alone. Needs root.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from fleet_pages import ENTRY, run, start_machine, texts_of_shards, write_pages


def soak(
    folder: Path, *, pages: int, size: int, machines: int, kills: int, seed: int = 1, apart: bool = False
) -> list[str]:
    """Read ``pages`` in shards with so many machines at a time, and kill one now and then; what the last ones said."""
    chance = random.Random(seed)
    source, output = folder / "in", folder / "out"
    write_pages(source, range(pages), slow=True)
    plan = ("-f", "text,json", "--pages-with", ENTRY, "--quiet-for", 0, "--dead-after", 3)
    assert run("shard", source, "-o", output, "--size", size, *plan)[0] == 0
    shards, killed, paused = -(-pages // size), 0, 0
    names = [f"pc{number}" for number in range(machines)]
    at_work = {name: start_machine(output, folder / name, name, apart=apart) for name in names}
    said: list[str] = []
    while len(list(output.glob("[0-9]*"))) < shards:
        time.sleep(chance.uniform(0.2, 1.2))
        name = chance.choice(sorted(at_work))
        process = at_work[name]
        if killed < kills and process.poll() is None:
            if chance.random() < 0.2:  # it sleeps past its lease and wakes
                paused += 1
                os.killpg(process.pid, signal.SIGSTOP)
                time.sleep(4)
                os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        for other, ended in list(at_work.items()):
            if ended.poll() is not None:
                said.append(_said(ended))
                at_work[other] = start_machine(output, folder / other, other, apart=apart)
    said += [_said(process, wait=True) for process in at_work.values()]
    assert killed
    print(f"{killed} kills, {paused} of them after a sleep, {shards} shards")
    return said


def _said(process: subprocess.Popen[str], *, wait: bool = False) -> str:
    out, _ = process.communicate(timeout=600 if wait else 60)
    assert "Traceback" not in out, out
    return out


def check(folder: Path, pages: int) -> None:
    """Every page is there once and equal to a batch's, and the merged counts are those of the batch."""
    source, output = folder / "in", folder / "out"
    code, _, err = run("batch", source, "-o", folder / "one", "--pages-with", ENTRY, "-q", "--workers", 1)
    assert code == 0, err
    one = folder / "one"
    texts = {path.relative_to(one).as_posix(): path.read_text("utf-8") for path in one.rglob("*.txt")}
    assert len(texts) == pages
    assert texts_of_shards(output) == texts
    assert not list(output.rglob("*.~*~")), "nothing had to be set aside"
    code, out, err = run("merge", output)
    assert code == 0, (out, err)
    assert f"{pages:,} files, {pages:,} pages read, {2 * pages:,} results" in out
    assert "nothing is lost, and nothing is there twice" in out
    assert not list((output / ".carrel-shards" / "work").iterdir()), "no machine left anything behind"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apart", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        soak(
            Path(place),
            pages=400,
            size=10,
            machines=4,
            kills=given.kills,
            seed=given.seed,
            apart=given.apart,
        )
        check(Path(place), 400)
        print(f"every page once, equal to the batch's; {time.monotonic() - started:.0f} s")
