"""Machines that read nothing, by a clock of their own: they take shards, tell how far they are, die, sleep, fail and hand over,
by the files and the code of real ones."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import msgspec

from carrel.batch.folders import QUEUE
from carrel.fleet.handover import RECORD, FileRecord, PageTold, ShardTold
from carrel.fleet.here import Here, LocalPlaces
from carrel.fleet.leases import BEATS, Lease, Leases, Machine, Progress
from carrel.fleet.picking import Picker
from carrel.fleet.shards import CONTROL, DEAD_AFTER_S, Fleet, Plan, open_fleet
from carrel.workers.messages import Work

FILES = 1000
PAGE_CPU_S = 1.3  # of the pages that bench "pages" reads, 2026-10
DIES, SLEEPS, FAILS = 0.01, 0.005, 0.005
"""Shares of shards over which a machine dies, sleeps past its lease, or fails."""
BAD = 3
"""Shards that fail on every machine."""
AWAY_S = 1800.0
LOOK_S = 30.0
QUEUED = 100
"""Lines of a shard's review queue."""


def begin(output: Path, shards: int) -> Fleet:
    """Write lists as ``carrel shard`` leaves them."""
    control = output / CONTROL
    for folder in ("lists", "leases", "work"):
        (control / folder).mkdir(parents=True)
    plan = Plan("simulated", output, Work(), ("text",))
    (control / "fleet.json").write_bytes(msgspec.json.encode(plan, enc_hook=str))
    names = [f"{number:05d}" for number in range(1, shards + 1)]
    for name in names:
        (control / "lists" / f"{name}.txt").write_text("".join(f"{path}\n" for path in _paths(name)), "utf-8")
    (control / "sizes.json").write_bytes(msgspec.json.encode(dict.fromkeys(names, FILES)))
    return open_fleet(output)


def _paths(shard: str) -> list[str]:
    return [f"box{shard}/{number:04d}.tif" for number in range(FILES)]


def hand_over(fleet: Fleet, shard: str) -> bool:
    """Write the folder of a shard that is done, with one result that stands for all; False where another machine was first."""
    share = fleet.control / "work" / f"{shard}-simulated"
    folder = share / ".carrel"
    folder.mkdir(parents=True, exist_ok=True)
    page = PageTold(0, lines=30, results={"text": ("page.txt", "0" * 64)})
    files = [FileRecord(path, "opened", "", f"{path:0>64}", path[:-4], [page]) for path in _paths(shard)]
    lines = [msgspec.json.encode(line) for line in (ShardTold(shard, "pc", DONE), *files)]
    (folder / RECORD).write_bytes(b"\n".join(lines) + b"\n")
    (folder / QUEUE).write_text("".join(f"p{n}#l0\t{n / 100:.1f}\t\ttext\n" for n in range(QUEUED)), "utf-8")
    (share / "page.txt").write_bytes(b"")
    try:
        share.rename(fleet.output / shard)
    except OSError:
        return False
    return True


DONE = Progress(FILES, FILES, 0, 80, 30_000, 0, 46.0)


@dataclass(eq=False, slots=True)
class Simulated:
    """A machine: ``cores`` say how fast it reads; ``lease`` is what it works on, until ``ends_s``; ``mute_s``: it tells nothing
    until then."""

    name: str
    cores: int
    picker: Picker
    tried: set[str] = field(default_factory=set[str])
    lease: Lease | None = None
    began_s: float = 0.0
    ends_s: float = 0.0
    mute_s: float = 0.0


class Simulation:
    """A fleet from its first lease to its last; ``counts`` tell what happened, ``hours`` how long it took by its own clock."""

    def __init__(self, fleet: Fleet, machines: int, seed: int = 1) -> None:
        self.fleet, self.counts, self.now_s = fleet, Counter[str](), 0.0
        self._chance, self._numbers = random.Random(seed), count()
        self._events: list[tuple[float, int, Simulated]] = []
        self._bad = set(self._chance.sample(fleet.shards(), BAD)) if len(fleet.shards()) > 10 * BAD else set[str]()
        for number in range(machines):
            machine = self._machine(f"pc{number}", self._chance.choice((2, 4, 8)))
            self._at(self._chance.uniform(0, 600), machine)

    @property
    def hours(self) -> float:
        return self.now_s / 3600

    def run(self, every: float, look: Callable[[float], None]) -> None:
        """Let all machines work until none has anything to do; ``look`` is called at each such share of shards done."""
        shards, next_look = len(self.fleet.shards()), every
        while self._events:
            self.now_s, _, machine = heapq.heappop(self._events)
            self._step(machine)
            if self.counts["done"] >= next_look * shards:
                look(next_look)
                next_look += every

    def _machine(self, name: str, cores: int) -> Simulated:
        here = replace(Machine.here(name), kernel=f"{name}-{next(self._numbers)}")
        leases = Leases(self.fleet.leases, here, DEAD_AFTER_S, lambda: self.now_s)
        places = LocalPlaces(self.fleet, Here(self.fleet.output / "state", workers=1, machine=here))
        return Simulated(name, cores, Picker(self.fleet, leases, places))

    def _at(self, seconds: float, machine: Simulated) -> None:
        heapq.heappush(self._events, (self.now_s + seconds, next(self._numbers), machine))

    def _step(self, machine: Simulated) -> None:
        if machine.lease is None:
            self._take(machine)
        elif self.now_s < machine.ends_s:
            self._tell(machine, machine.lease)
        else:
            self._finish(machine, machine.lease)

    def _take(self, machine: Simulated) -> None:
        self.counts["looks"] += 1
        machine.lease = lease = machine.picker.take(machine.tried, retry=False)
        if lease is None:
            if machine.picker.may_come_free:
                self._at(LOOK_S, machine)
            return
        self.counts["lease writes"] += 1
        machine.tried.add(lease.contents.shard)
        machine.began_s = self.now_s
        machine.ends_s = self.now_s + FILES * PAGE_CPU_S / machine.cores * self._chance.uniform(0.7, 1.5)
        if self._chance.random() < SLEEPS:
            machine.mute_s = self.now_s + 4 * DEAD_AFTER_S
        self._at(DEAD_AFTER_S / BEATS, machine)

    def _tell(self, machine: Simulated, lease: Lease) -> None:
        if self.now_s < machine.mute_s:
            self._at(machine.mute_s - self.now_s, machine)
            return
        beats = (machine.ends_s - machine.began_s) / (DEAD_AFTER_S / BEATS)
        if self._chance.random() < DIES / max(1.0, beats):
            self.counts["deaths"] += 1
            self._at(AWAY_S, self._machine(machine.name, machine.cores))
            return
        pages = int(FILES * (self.now_s - machine.began_s) / (machine.ends_s - machine.began_s))
        told = Progress(FILES, pages, 0, 8, 30 * pages, FILES - pages, 46.0 * machine.cores)
        self.counts["lease writes"] += 1
        if lease.tell(told, [f"{'a' * 64}:0"] * machine.cores):
            self._at(min(DEAD_AFTER_S / BEATS, machine.ends_s - self.now_s), machine)
        else:
            self._leave(machine, "lost")

    def _finish(self, machine: Simulated, lease: Lease) -> None:
        shard = lease.contents.shard
        self.counts["lease writes"] += 1
        if shard in self._bad or self._chance.random() < FAILS:
            lease.end("failed", lease.contents.progress, "none of the 1,000 files of the shard is there")
            self._leave(machine, "failed")
        elif lease.tell(DONE, []) and hand_over(self.fleet, shard):
            lease.end("done", DONE)
            self._leave(machine, "done")
        else:
            self._leave(machine, "lost")

    def _leave(self, machine: Simulated, what: str) -> None:
        self.counts[what] += 1
        machine.lease = None
        self._at(0.0, machine)
