"""A fleet without pages: 10,000 shards of 1,000 pages on 200 machines, some of which die; what status, claims and merging cost.

usage: python tests/simulate_fleet.py [SHARDS [MACHINES]]      default: 10000 200; prints JSON lines
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from carrel.batch.folders import QUEUE
from carrel.fleet.handover import RECORD, FileRecord, PageTold, ShardTold
from carrel.fleet.here import Here
from carrel.fleet.leases import Lease, LeaseFile, Machine, Progress, path_of
from carrel.fleet.merge import merge
from carrel.fleet.shard_run import Outcome
from carrel.fleet.shards import CONTROL, Fleet, Plan, open_fleet
from carrel.fleet.status import FleetStatus, status_of, told
from carrel.fleet.work import Worker
from carrel.workers.messages import Work

FILES = 1000
DIES = 0.01
"""Share of shards whose machine dies."""


def begin(output: Path, shards: int, *, listed: bool = True) -> Fleet:
    """Lists as `carrel shard` leaves them, written without waiting for the disk."""
    control = output / CONTROL
    for folder in ("lists", "leases", "work"):
        (control / folder).mkdir(parents=True)
    plan = Plan("simulated", output, Work(), ("text",), dead_after_s=0.0)
    (control / "fleet.json").write_bytes(msgspec.json.encode(plan, enc_hook=str))
    names = [f"{number:05d}" for number in range(1, shards + 1)]
    for name in names:
        files = "".join(f"box{name}/{number:04d}.tif\n" for number in range(FILES)) if listed else f"{name}.tif\n"
        (control / "lists" / f"{name}.txt").write_text(files, "utf-8")
    (control / "sizes.json").write_bytes(msgspec.json.encode(dict.fromkeys(names, FILES)))
    return open_fleet(output)


def finish(output: Path, shard: str, progress: Progress, *, records: bool) -> None:
    """The folder of a shard that is done, without results."""
    folder = output / shard / ".carrel"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [msgspec.json.encode(ShardTold(shard, "pc", progress))]
    if records:
        lines += [
            msgspec.json.encode(
                FileRecord(
                    f"box{shard}/{number:04d}.tif", "opened", "", f"{shard}{number:04d}", f"{number}", [PageTold(0)]
                )
            )
            for number in range(FILES)
        ]
    (folder / RECORD).write_bytes(b"\n".join(lines) + b"\n")
    rows = (f"p{number}#l\t{number / 100:.1f}\t\ttext" for number in range(50))
    (folder / QUEUE).write_text("\n".join(rows) + "\n", "utf-8")


class Simulated(Worker):
    """A machine that takes no time over a shard, and sometimes dies over one."""

    dies = DIES

    def work_on(self, lease: Lease) -> tuple[Outcome, None]:
        """Finish the shard, or leave its lease as a dead machine does."""
        if chance.random() >= self.dies:
            finish(self.fleet.output, lease.contents.shard, DONE, records=False)
            lease.end("done", DONE)
            self.tally.done += 1
        return "done", None


chance = random.Random(1)
DONE = Progress(FILES, FILES - 2, 2, 80, 30_000, 0, 46.0, {"is damaged": 2})


def simulate_claims(shards: int, machines: int) -> dict[str, float]:
    """Seconds that taking and finishing a shard costs, by the real protocol, machine after machine."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place)
        fleet = begin(output, shards, listed=False)
        workers = [
            Simulated(
                fleet, Here(output / "state", workers=1, machine=replace(Machine.here(f"pc{n}"), kernel=f"pc{n}"))
            )
            for n in range(machines)
        ]
        started, cpu, turns = time.monotonic(), time.process_time(), 0
        while len(fleet.done()) < shards:
            for worker in workers:
                lease = worker.picker.take(set(), retry=False)
                turns += 1
                if lease is not None:
                    worker.work_on(lease)
        leases = len(list(fleet.leases.iterdir()))
        return {
            "shards": shards,
            "machines": machines,
            "cpu_ms_per_shard": round((time.process_time() - cpu) / shards * 1e3, 2),
            "wall_ms_per_shard": round((time.monotonic() - started) / shards * 1e3, 2),
            "turns_per_shard": round(turns / shards, 3),
            "lease_files": leases,
        }


def simulate_status(shards: int, machines: int) -> dict[str, float]:
    """Seconds of ``carrel status`` in the middle of a run."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place)
        fleet = begin(output, shards, listed=False)
        done = shards * 2 // 3
        for number in range(1, done + machines + 1):
            shard = f"{number:05d}"
            finished = number <= done
            lease = LeaseFile(
                shard, 1, f"m{number}", f"pc{number % machines}", "k", 1, "1", "done" if finished else "working", 40, progress=DONE,
                at_work=[] if finished else ["a" * 64 + ":0"] * 8,
            )  # fmt: skip
            path_of(fleet.leases, shard, 1).write_bytes(msgspec.json.encode(lease))
            if finished:
                (output / shard).mkdir()
        size = path_of(fleet.leases, "00001", 1).stat().st_size
        times, status, lines = list[float](), FleetStatus(), list[str]()
        for _ in range(3):
            started = time.monotonic()
            status = status_of(open_fleet(output))
            lines = list(told(status))
            times.append(time.monotonic() - started)
        assert (status.done, len(status.at_work)) == (done, machines) and len(lines) > 3
        return {
            "shards": shards,
            "status_s_best": round(min(times), 3),
            "status_s_worst": round(max(times), 3),
            "lease_bytes": size,
        }


def simulate_merge(shards: int) -> dict[str, float]:
    """Seconds of merging shards that are done, without looking at results."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place)
        fleet = begin(output, shards)
        for shard in fleet.shards():
            finish(output, shard, DONE, records=True)
        started = time.monotonic()
        merged = merge(fleet, hashes=False)
        assert merged.whole and merged.pages == shards * FILES, merged
        return {
            "shards": shards,
            "pages": merged.pages,
            "merge_ms_per_shard": round((time.monotonic() - started) / shards * 1e3, 1),
        }


if __name__ == "__main__":
    shards, machines = (
        int(value) for value in (sys.argv[1:3] if len(sys.argv) > 2 else (sys.argv[1:2] or ["10000"]) + ["200"])
    )
    for count in (shards // 10, shards):
        print(json.dumps({"status": simulate_status(count, min(machines, count // 4))}), flush=True)
    for count in (shards // 40, shards // 10):
        print(json.dumps({"claims": simulate_claims(count, min(machines, count // 4))}), flush=True)
    for count in (shards // 400, shards // 100):
        print(json.dumps({"merge": simulate_merge(count)}), flush=True)
