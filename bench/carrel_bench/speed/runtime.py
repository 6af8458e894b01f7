"""Runtimes, precisions and threads side by side: the handwriting network on drawn lines.

``python -m carrel_bench.runtime [--model DIR] [--python PYTHON]``: lines per second, peak of resident memory, time to load,
to the first line and from nothing to it, for every runtime, precision and number of threads, in turns, in processes of
their own; onnxruntime with its defaults and, given a Python that has torch, the same weights in PyTorch, for comparison.
What Carrel selects has a row ``chosen``, with ratios to these two.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from carrel.backends.costs import Measured, shipped_costs
from carrel.backends.devices import Found, versions
from carrel.backends.facts import request_of
from carrel.backends.selection import Facts, Selection, select
from carrel.backends.settings import allowed_cores
from carrel.budget import MIB
from carrel.loading import network_models
from carrel.options import ReadOptions
from carrel_bench.figures import Figure, figures_of
from carrel_bench.memory.calibrate import CPU_RUNTIMES
from carrel_bench.worker import Worker, own_packages

WORKER = Path(__file__).with_name("runtime_worker.py")
PEERS = ("onnxruntime defaults", "torch eager")
Case = tuple[str, int]
"""A way to run the network, and threads."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the model and the Python with torch."""
    parser.add_argument("--model", type=Path, help="folder of a handwriting model (default: the shipped one)")
    parser.add_argument("--torch-python", type=Path, dest="python", help="the same as --python")


def cases(with_torch: bool, quick: bool) -> list[Case]:
    """Return everything that can be measured here, with one thread and with all."""
    names = [str(r) for r in CPU_RUNTIMES if r.backend in versions()]
    names += PEERS[: 2 if with_torch else 1]
    return [(name, threads) for threads in sorted({1, 1 if quick else allowed_cores()}) for name in names]


def run_case(case: Case, model: Path, python: Path | None) -> dict[str, float]:
    """Run a case once, in a new process; ``cold ms`` is from its start to the first line."""
    name, threads = case
    foreign = name == "torch eager" and python is not None
    began = time.perf_counter()
    arguments = [name, str(threads), str(model)]
    with Worker(
        python if foreign and python else sys.executable,
        WORKER,
        arguments,
        environment=own_packages() if foreign else None,
    ) as worker:
        first = worker.ask(first=True)
        cold_ms = 1000 * (time.perf_counter() - began)
        return {**first, **worker.ask(first=False), "cold ms": cold_ms}


def numbers_of(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the best speed and its median, the least times, and the highest memory over the rounds."""
    return {
        "lines/s": max(r["lines/s"] for r in rounds),
        "lines/s, median": median(r["lines/s"] for r in rounds),
        "lines/CPU s": max(r["lines/CPU s"] for r in rounds),
        **{name: min(r[name] for r in rounds) for name in ("load ms", "first line ms", "cold ms", "MiB before")},
        "peak MiB": max(r["peak_mib"] for r in rounds),
    }


def chosen_case(table: Mapping[Case, Mapping[str, float]], model: Path) -> Case | None:
    """Return what is selected, given these measurements."""
    known, cores = {str(r): r for r in CPU_RUNTIMES}, max(threads for _, threads in table)
    measured = [
        Measured(
            known[name],
            load_s=row["load ms"] / 1000,
            first_line_s=row["first line ms"] / 1000,
            lines_per_s=row["lines/s"],
            memory_bytes=int((row["peak MiB"] - row["MiB before"]) * MIB),
            threads=cores,
        )
        for (name, threads), row in table.items()
        if name in known and threads == cores
    ]
    found = [Found(m.runtime.backend, m.runtime.device, "", (m.runtime.precision,)) for m in measured]
    got = select(request_of(ReadOptions(model=model)), Facts(tuple(found), tuple(measured), shipped_costs()))
    return (str(got.runtime), got.threads) if isinstance(got, Selection) else None


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of all cases, and what is chosen."""
    model = options.model or network_models(ReadOptions())["recognition"].folder
    todo = cases(options.python is not None, options.quick)
    seen: dict[Case, list[dict[str, float]]] = {case: [] for case in todo}
    for _ in range(options.rounds):
        for case in todo:
            seen[case].append(run_case(case, model, options.python))
    table = {case: numbers_of(rounds) for case, rounds in seen.items()}
    for (name, threads), row in table.items():
        yield from figures_of("runtime", name, f"{threads} threads", row)
    chosen = chosen_case(table, model)
    if chosen in table:
        yield from comparison(chosen, table)


def comparison(chosen: Case, table: Mapping[Case, Mapping[str, float]]) -> Iterator[Figure]:
    """Yield speed and memory of what is chosen over those of the peers with as many threads."""
    name, threads = chosen
    yield Figure("runtime", f"{name}", "", "chosen, threads", threads)
    for peer in PEERS:
        if (peer, threads) in table:
            mine, theirs = table[chosen], table[peer, threads]
            for ratio in ("lines/s", "lines/s, median", "peak MiB"):
                yield Figure("runtime", name, f"over {peer}", f"{ratio}, ratio", mine[ratio] / theirs[ratio])
