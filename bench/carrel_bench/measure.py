"""The one way to measure: work -> `Figures`.

Work is a command (a list; a fresh process each time), a function (in this process), or a question to a worker in an
environment of its own (`carrel_bench.worker.Worker.asking`). `in_turns` lets several take turns, so that a busy
machine slows all of them alike, and `Figures.ratios` pairs them turn by turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from carrel_bench.answer import cpu_s, forget_peak, peak_mib
from carrel_bench.figures import BenchError, Figure

Work = Sequence[str | Path] | Callable[[], object]
Name = TypeVar("Name", bound=Hashable)
Ended = subprocess.CompletedProcess[str]
"""What came of a command."""

CARREL = (sys.executable, "-c", "from carrel_cli.main import main; main()")
"""The command of this environment."""
APART = """
import ctypes, json, os, resource, subprocess, sys, time
getattr(ctypes.CDLL(None), "prctl", max)(36, 1, 0, 0, 0)
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
wall_s = time.perf_counter() - began
try:
    while os.waitpid(-1, 0):
        pass
except ChildProcessError:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss, done.stdout, done.stderr]))
"""
"""Runs a command from a small process: the kernel counts what starts a process towards the peak of its memory. Processes that
outlive their parents come to it (on Linux, ``PR_SET_CHILD_SUBREAPER``), so that their seconds count, too."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, processor seconds and peak of resident memory (MiB) of one run; ``answer`` is what came of it."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The first run of some work, cold, and its runs after the warm-up; there may be none of the latter."""

    cold: Cost
    runs: tuple[Cost, ...]

    @property
    def warm(self) -> tuple[Cost, ...]:
        return self.runs or (self.cold,)

    @property
    def cpu_s(self) -> float:
        """Median processor seconds."""
        return median(run.cpu_s for run in self.warm)

    @property
    def least_cpu_s(self) -> float:
        return min(run.cpu_s for run in self.warm)

    @property
    def wall_s(self) -> float:
        """Median seconds."""
        return median(run.wall_s for run in self.warm)

    @property
    def peak_mib(self) -> float:
        """Highest peak of resident memory."""
        return max(run.peak_mib for run in (self.cold, *self.runs))

    def ratios(self, base: Figures) -> list[float]:
        """Return processor seconds over those of ``base``, turn by turn."""
        pairs = zip(self.warm, base.warm, strict=True)
        return [mine.cpu_s / max(theirs.cpu_s, 1e-9) for mine, theirs in pairs]

    def rows(self, suite: str, program: str, case: str = "", base: Figures | None = None) -> Iterator[Figure]:
        """Yield what was measured, with ratios to ``base``."""
        found = {
            "CPU s": self.cpu_s,
            "CPU s, least": self.least_cpu_s,
            "s": self.wall_s,
            "s, least": min(run.wall_s for run in self.warm),
            "cold s": self.cold.wall_s,
            "peak MiB": self.peak_mib,
        }
        if base is not None:
            found["CPU, ratio"] = median(self.ratios(base))
            found["CPU, ratio of least"] = self.least_cpu_s / max(base.least_cpu_s, 1e-9)
        return (Figure(suite, program, case, name, value) for name, value in found.items())


def in_turns(
    cases: Mapping[Name, Work], repeats: int = 5, warm_up: int = 1, environment: Mapping[str, str] | None = None
) -> dict[Name, Figures]:
    """Run several works in turns; those of a round make pairs."""
    costs: dict[Name, list[Cost]] = {name: [] for name in cases}
    for _ in range(warm_up + repeats):
        for name, work in cases.items():
            costs[name].append(cost_of(work, environment))
    return {name: Figures(found[0], tuple(found[warm_up:])) for name, found in costs.items()}


def cost_of(work: Work, environment: Mapping[str, str] | None = None) -> Cost:
    """Run work once."""
    if not callable(work):
        driver = [sys.executable, "-S", "-E", "-c", APART, *map(str, work)]
        own = {**os.environ, **(environment or {})}
        done = subprocess.run(driver, env=own, capture_output=True, text=True, check=True)
        code, wall_s, spent_s, peak_kib, stdout, stderr = json.loads(done.stdout)
        return Cost(wall_s, spent_s, peak_kib / 1024, Ended(driver, code, stdout, stderr))
    forget_peak()
    began, cpu_began = time.perf_counter(), cpu_s()
    answer = work()
    if isinstance(answer, Cost):
        return answer
    return Cost(time.perf_counter() - began, cpu_s() - cpu_began, peak_mib(), answer)


def succeeded(cost: Cost) -> Cost:
    """Return the cost of a command that ended well.

    Raises
    ------
    BenchError
        It failed; the message is its last line on stderr.
    """
    ended: Ended = cost.answer
    if ended.returncode:
        said = (ended.stderr.strip() or "it said nothing").splitlines()[-1]
        raise BenchError(f"a measured command failed with exit status {ended.returncode}: {said}")
    return cost
