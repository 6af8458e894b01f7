"""Pages read by the command itself under memory limits: peaks, refusals and the limits they name, processor time.

Part of ``python -m carrel_bench.runtime --sweep PAGES... [--store FILE]``. Each run is a row; with ``--store`` rows are kept
as they come, and a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

LIMITS_MB = (250, 315, 400, 500, 630, 800, 1000, 1260, 1590, 2000)
FULL_SPEED_FROM_MB = 600
FULL_SPEED = 0.8
"""Share of the throughput without a limit that is wanted from `FULL_SPEED_FROM_MB` up."""
ATTEMPTS = 3
"""How often a run that seems slow, and the one without a limit, are measured: the machine may be busy."""

_APART = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, usage.ru_maxrss, usage.ru_utime + usage.ru_stime, done.stderr]))
"""
"""Runs a command from a small process: the kernel counts what starts a process towards the peak of its memory."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One page under one limit (0: none given): measured peak of the process, or the refusal and the limit it names."""

    backend: str
    page: str
    limit_mib: int
    peak_mib: float
    cpu_s: float
    wall_s: float
    named_mib: int = 0

    @property
    def over(self) -> bool:
        return bool(self.limit_mib) and self.peak_mib > self.limit_mib


Read = Callable[[str, Path, int], Swept]


def read_under(backend: str, page: Path, limit_mib: int) -> Swept:
    """``carrel read`` on a page, with its peak of resident memory by the kernel's account."""
    carrel = str(Path(sys.executable).with_name("carrel"))
    with tempfile.TemporaryDirectory() as folder:
        limit = ["--memory", f"{limit_mib}M"] if limit_mib else []
        command = [carrel, "read", "--backend", backend, *limit, "-o", folder, str(page)]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _APART, *command], capture_output=True, text=True, check=True)
    wall = time.perf_counter() - began
    code, peak_kib, cpu, stderr = json.loads(done.stdout)
    named = 0
    if code:
        if "will do" not in stderr:
            raise RuntimeError(f"{page.name} within {limit_mib} MiB: {stderr.strip()[-300:]}")
        named = int(stderr.partition("--memory ")[2].partition("M ")[0])
    return Swept(backend, page.name, limit_mib, round(peak_kib / 1024, 1), round(cpu, 2), round(wall, 2), named)


def sweep(
    backends: Sequence[str], pages: Sequence[Path], limits: Sequence[int], read: Read = read_under
) -> Iterator[Swept]:
    """Every page without a limit and under every one, and under each limit that a refusal names; slow ones again."""
    for page in pages:
        for backend in backends:
            free = read(backend, page, 0)
            yield free
            named: set[int] = set()
            for limit_mib in limits:
                done = read(backend, page, limit_mib)
                yield done
                named |= {done.named_mib} - {0}
                for _ in range(ATTEMPTS - 1):
                    if limit_mib < FULL_SPEED_FROM_MB or done.named_mib or share_of_speed(done, free) >= FULL_SPEED:
                        break
                    free, done = (
                        min(free, read(backend, page, 0), key=_cpu),
                        min(done, read(backend, page, limit_mib), key=_cpu),
                    )
                    yield from (free, done)
            for limit_mib in sorted(named - set(limits)):
                yield read(backend, page, limit_mib)


def _cpu(row: Swept) -> float:
    return row.cpu_s


def share_of_speed(row: Swept, free: Swept) -> float:
    """Throughput by processor time, as a share of that without a limit."""
    return free.cpu_s / max(row.cpu_s, 1e-9)


def stored_rows(store: Path) -> list[Swept]:
    """Rows of earlier runs."""
    rows: list[Swept] = []
    with suppress(FileNotFoundError):
        rows = [Swept(**json.loads(line)) for line in store.read_text("utf-8").splitlines()]
    return rows


def remembering(store: Path | None, read: Read = read_under) -> Read:
    """`read_under`, each row kept in ``store`` and taken from there when it is asked for anew."""
    known = stored_rows(store) if store else []

    def read_or_recall(backend: str, page: Path, limit_mib: int) -> Swept:
        found = next((r for r in known if (r.backend, r.page, r.limit_mib) == (backend, page.name, limit_mib)), None)
        if found is not None:
            known.remove(found)
            return found
        row = read(backend, page, limit_mib)
        if store is not None:
            with store.open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(asdict(row)) + "\n")
        return row

    return read_or_recall


def in_words(row: Swept) -> str:
    """A row of the table."""
    verdict = "OVER" if row.over else f"refused, names {row.named_mib}" if row.named_mib else "read"
    limit = f"{row.limit_mib:5d} MiB" if row.limit_mib else " no limit"
    return f"{row.backend:12} {row.page:32} {limit}: peak {row.peak_mib:6.1f}  {row.cpu_s:6.2f} CPU s  {verdict}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sweep found: rows over their limit, limits named by a refusal that were refused again, runs from
    `FULL_SPEED_FROM_MB` up that are slower than `FULL_SPEED`, and the least share of speed there."""

    runs: int
    over: int
    refused_again: int
    slow: int
    least_share: float


def judge(rows: Sequence[Swept]) -> Verdict:
    """Of rows measured more than once, the highest peak and the least time count."""
    best: dict[tuple[str, str, int], float] = {}
    for row in rows:
        key = (row.backend, row.page, row.limit_mib)
        best[key] = min(best.get(key, row.cpu_s), row.cpu_s)
    named = {(r.backend, r.page, r.named_mib) for r in rows if r.named_mib}
    refused = {(r.backend, r.page, r.limit_mib) for r in rows if r.named_mib}
    shares = [
        best[(backend, page, 0)] / max(cpu_s, 1e-9)
        for (backend, page, limit), cpu_s in best.items()
        if limit >= FULL_SPEED_FROM_MB and (backend, page, limit) not in refused and (backend, page, 0) in best
    ]
    return Verdict(
        len(rows),
        sum(r.over for r in rows),
        len(named & refused),
        sum(share < FULL_SPEED for share in shares),
        round(min(shares, default=1.0), 3),
    )
