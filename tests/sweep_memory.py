"""Pages read by the command itself under memory limits: peaks, refusals and the limits they name, processor time.

    python tests/sweep_memory.py PAGE... [--store FILE]

Reads every page without a limit, under ten limits, and under each limit that a refusal names. With ``--store`` rows are
kept as they come, and a sweep that was stopped goes on where it was. The exit code is 1 where a run went over its limit,
a limit that was named was refused, or speed was lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from carrel.backends.devices import versions
from carrel_bench.figures import BenchError
from carrel_bench.measure import CARREL, Ended, cost_of

LIMITS_MIB = (250, 315, 400, 500, 630, 800, 1000, 1260, 1590, 2000)
FULL_SPEED_FROM_MIB = 600
FULL_SPEED = 0.8
"""Share of the throughput without a limit that is wanted from `FULL_SPEED_FROM_MIB` up."""
ATTEMPTS = 3
"""How often a run that seems slow, and the one without a limit, are measured: the machine may be busy."""


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
    """Run ``carrel read`` on a page, with its peak of resident memory by the kernel's account."""
    with tempfile.TemporaryDirectory() as folder:
        limit = ["--memory", f"{limit_mib}M"] if limit_mib else []
        cost = cost_of([*CARREL, "read", "--backend", backend, *limit, "-o", folder, page])
    ended: Ended = cost.answer
    named = 0
    if ended.returncode:
        if "will do" not in ended.stderr:
            raise BenchError(f"{page.name} within {limit_mib} MiB: {ended.stderr.strip()[-300:]}")
        named = int(ended.stderr.partition("--memory ")[2].partition("M ")[0])
    return Swept(
        backend, page.name, limit_mib, round(cost.peak_mib, 1), round(cost.cpu_s, 2), round(cost.wall_s, 2), named
    )


def sweep(
    backends: Sequence[str], pages: Sequence[Path], limits: Sequence[int], read: Read = read_under
) -> Iterator[Swept]:
    """Read every page without a limit, under every one, and under each that a refusal names; slow ones again."""
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
                    full = done.named_mib or free.cpu_s / max(done.cpu_s, 1e-9) >= FULL_SPEED
                    if limit_mib < FULL_SPEED_FROM_MIB or full:
                        break
                    free = min(free, read(backend, page, 0), key=lambda row: row.cpu_s)
                    done = min(done, read(backend, page, limit_mib), key=lambda row: row.cpu_s)
                    yield from (free, done)
            for limit_mib in sorted(named - set(limits)):
                yield read(backend, page, limit_mib)


def remembering(store: Path | None, read: Read = read_under) -> Read:
    """Return ``read`` with each row kept in ``store`` and taken from there when it is asked for anew."""
    known: list[Swept] = []
    with suppress(FileNotFoundError):
        rows = store.read_text("utf-8").splitlines() if store else []
        known = [Swept(**json.loads(row)) for row in rows]

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings of a sweep: rows over their limit, limits named by a refusal that were refused again, runs from
    `FULL_SPEED_FROM_MIB` up that are slower than `FULL_SPEED`, and the least share of speed there."""

    runs: int
    over: int
    refused_again: int
    slow: int
    least_share: float


def judge(rows: Sequence[Swept]) -> Verdict:
    """Judge the rows; of those measured more than once, the highest peak and the least time count."""
    best: dict[tuple[str, str, int], float] = {}
    for row in rows:
        key = (row.backend, row.page, row.limit_mib)
        best[key] = min(best.get(key, row.cpu_s), row.cpu_s)
    named = {(r.backend, r.page, r.named_mib) for r in rows if r.named_mib}
    refused = {(r.backend, r.page, r.limit_mib) for r in rows if r.named_mib}
    shares = [
        best[(backend, page, 0)] / max(cpu_s, 1e-9)
        for (backend, page, limit), cpu_s in best.items()
        if limit >= FULL_SPEED_FROM_MIB and (backend, page, limit) not in refused and (backend, page, 0) in best
    ]
    over, slow = sum(r.over for r in rows), sum(share < FULL_SPEED for share in shares)
    return Verdict(len(rows), over, len(named & refused), slow, round(min(shares, default=1.0), 3))


def main() -> int:
    """Sweep, print each row and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="+", metavar="PAGE")
    parser.add_argument("--backend", action="append", help="may be repeated (default: all installed)")
    parser.add_argument("--limit", type=int, action="append", help="MiB; may be repeated")
    parser.add_argument("--store", type=Path, metavar="FILE", help="keep rows here, and go on from them")
    options = parser.parse_args()
    backends = options.backend or [b for b in ("onnxruntime", "openvino") if b in versions()]
    rows: list[Swept] = []
    for row in sweep(backends, options.pages, options.limit or LIMITS_MIB, remembering(options.store)):
        rows.append(row)
        result = "OVER" if row.over else f"refused, names {row.named_mib}" if row.named_mib else "read"
        limit = f"{row.limit_mib} MiB" if row.limit_mib else "no limit"
        print(f"{row.backend} {row.page}, {limit}: {result}, peak {row.peak_mib} MiB, {row.cpu_s} CPU s", flush=True)
    verdict = judge(rows)
    print(verdict)
    return 1 if verdict.over + verdict.refused_again + verdict.slow else 0


if __name__ == "__main__":
    sys.exit(main())
