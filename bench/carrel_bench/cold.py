"""What a start costs with kernels compiled on the spot, taken from numba's cache, and out of the library of ``carrel warm``.

``python -m carrel_bench.cold [--page FILE] [--rounds N] [--json]``: fresh processes that take turns, each with a cache
folder of its own. One imports Carrel and searches a line of logits, one reads a page. Seconds are processor time, the
median over the rounds; ``uncached`` runs once, as it takes long and leaves the cache that ``cached`` uses. Memory is the
peak of resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from carrel.kernels.build import warm
from carrel_bench.peers import machine

_MEMORY = """
def peak_mib():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
print(json.dumps([*times, peak_mib(), "numba" in sys.modules]))
"""
SEARCH = (
    """
import json, sys, time
import numpy as np
logits = np.random.default_rng(1).normal(0.0, 3.0, (200, 100)).astype(np.float32)
start = time.process_time()
import carrel
imported = time.process_time()
from carrel.decode.beam import beam_search
beam_search(logits)
times = [imported - start, time.process_time() - imported]
"""
    + _MEMORY
)
PAGE = (
    """
import json, sys, time
start = time.process_time()
import carrel
page = carrel.read(sys.argv[1])
assert page.text
times = [time.process_time() - start]
"""
    + _MEMORY
)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds of processor time and MiB; ``numba`` tells whether the processes loaded it."""

    kernels: str
    import_s: float
    first_search_s: float
    search_mib: float
    first_page_s: float
    page_mib: float
    numba: bool


def measure(page: Path, rounds: int) -> list[ColdStart]:
    """The three states; where no library can be built, ``ahead of time`` is left out."""
    with TemporaryDirectory() as folder:
        compiled, built = Path(folder) / "compiled", Path(folder) / "built"
        states = {"cached": compiled}
        if warm([built]).library:
            states["ahead of time"] = built
        uncached = [(fresh(SEARCH, page, Path(folder) / "search"), fresh(PAGE, page, compiled))]
        runs: dict[str, list[tuple[list[float], list[float]]]] = {name: [] for name in states}
        for _ in range(rounds):
            for name, cache in states.items():
                runs[name].append((fresh(SEARCH, page, cache), fresh(PAGE, page, cache)))
    return [summary(name, found) for name, found in {"uncached": uncached, **runs}.items()]


def fresh(code: str, page: Path, cache: Path) -> list[float]:
    """What a fresh process with a cache folder prints."""
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "CARREL_THREADS": "1"}
    command = [sys.executable, "-c", code, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def summary(name: str, runs: Sequence[tuple[list[float], list[float]]]) -> ColdStart:
    """Medians over runs of `SEARCH` and `PAGE`."""
    (import_s, search_s, search_mib, searched), (page_s, page_mib, read) = (
        [statistics.median(values) for values in zip(*found, strict=True)] for found in zip(*runs, strict=True)
    )
    return ColdStart(name, import_s, search_s, search_mib, page_s, page_mib, bool(searched or read))


def show(rows: Sequence[ColdStart]) -> None:
    """Print the table."""
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'kernels':14} {'import s':>9} {'search s':>9} {'RSS MiB':>8} {'page s':>8} {'RSS MiB':>8}  numba")
    for row in rows:
        times = f"{row.import_s:9.3f} {row.first_search_s:9.3f} {row.search_mib:8.0f} {row.first_page_s:8.2f}"
        print(f"{row.kernels:14} {times} {row.page_mib:8.0f}  {'loaded' if row.numba else 'not loaded'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="carrel_bench.cold", description="What a start of Carrel costs.")
    sample = Path(__file__).parents[2] / "tests" / "pages" / "letter.jpg"
    parser.add_argument(
        "--page", type=Path, default=sample, help="a page with handwriting; the project's sample letter"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = measure(options.page, options.rounds)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}))
        return 0
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
