"""Runtimes, precisions and threads side by side: the handwriting network on drawn lines, or on those of packs.

``python -m carrel_bench runtime [--data DIR] [--model DIR] [--python PYTHON]``: lines per second by the clock and by the
processor, from line image to best path, peak of resident memory, time to load, and to import, load and read a line
(``cold``), for every runtime, precision and number of threads, each in a process of its own, in turns on the same lines; CER where there
are packs. onnxruntime with its defaults in float32 is what ratios are to, turn by turn; given a Python that has torch,
the same weights in PyTorch take part. What Carrel selects has a row ``chosen``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from carrel.backends.costs import Measured, shipped_costs
from carrel.backends.devices import Found, versions
from carrel.backends.facts import request_of
from carrel.backends.selection import Facts, Selection, select
from carrel.backends.settings import allowed_cores
from carrel.budget import MIB
from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import Model, open_model, shipped_model
from carrel.options import ReadOptions
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import add_pack_options, drawn_evenly, lines_of
from carrel_bench.figures import Figure, figures_of
from carrel_bench.memory.calibrate import CPU_RUNTIMES
from carrel_bench.peers.line_turns import LinesRead, read_in_turns
from carrel_bench.speed.network_worker import DEFAULTS, TORCH
from carrel_bench.worker import Worker, own_packages

DATA = "lines"
DATA_IS_OPTIONAL = True
WORKER = Path(__file__).with_name("network_worker.py")
WIDTHS_PX = (800, 400, 1200, 1800, 600, 1000, 1400, 500)
LINES_A_TURN = 40
Case = tuple[str, int]
"""A way to run the network, and threads."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which lines and model."""
    add_pack_options(parser)
    parser.add_argument("--model", type=Path, help="folder of a handwriting model (default: the shipped one)")
    parser.add_argument("--lines", type=int, default=400, help="so many lines of packs, drawn evenly; 0 for all")


def drawn_lines(count: int) -> list[LineSample]:
    """Return strokes on paper, gray of eight widths; the same each time."""
    chance = np.random.default_rng(0)
    grays = [np.where(chance.random((48, width)) > 0.85, 0, 255).astype(np.uint8) for width in WIDTHS_PX]
    return [LineSample("drawn", "", str(i), "test", "", grays[i % len(grays)]) for i in range(count)]


def cases(with_torch: bool, quick: bool) -> list[Case]:
    """Return everything that can be measured here, with one thread and with all."""
    names = [DEFAULTS, *[TORCH][:with_torch], *(str(r) for r in CPU_RUNTIMES if r.backend in versions())]
    return [(name, threads) for threads in sorted({1, 1 if quick else allowed_cores()}) for name in names]


def open_worker(case: Case, model: Path, python: Path | None) -> Worker:
    """Return a process for a case."""
    (name, threads), foreign = case, python if case[0] == TORCH else None
    environment = own_packages() if foreign else None
    return Worker(foreign or sys.executable, WORKER, [name, str(threads), str(model)], environment=environment)


def chosen_case(found: Mapping[Case, LinesRead], model: Path) -> Case | None:
    """Return what is selected, given these measurements."""
    known, cores = {str(r): r for r in CPU_RUNTIMES}, max(threads for _, threads in found)
    measured = [
        Measured(
            known[name],
            load_s=read.figures.cold.answer["load ms"] / 1000,
            first_line_s=read.figures.cold.answer["read_s"],
            lines_per_s=sum(read.counts) / sum(run.answer["read_s"] for run in read.figures.runs),
            memory_bytes=int((read.figures.peak_mib - read.figures.cold.answer["MiB before"]) * MIB),
            threads=cores,
        )
        for (name, threads), read in found.items()
        if name in known and threads == cores
    ]
    devices = [Found(m.runtime.backend, m.runtime.device, "", (m.runtime.precision,)) for m in measured]
    got = select(request_of(ReadOptions(model=model)), Facts(tuple(devices), tuple(measured), shipped_costs()))
    return (str(got.runtime), got.threads) if isinstance(got, Selection) else None


def size_mb(model: Model, name: str) -> float:
    """Return the size of the network's file."""
    precision = "int8" if name.endswith("int8") else "fp32"
    return model.manifest.files[model.network_file(precision)].bytes / 1e6


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of all cases, and what is chosen."""
    task = "recognition"
    model = open_model(options.model, task) if options.model else shipped_model(HANDWRITING_MODEL, task)
    lines = drawn_lines(options.rounds * LINES_A_TURN)
    if options.data:
        lines = drawn_evenly(lines_of(options), options.lines)
    todo = cases(options.python is not None, options.quick)
    workers = {case: partial(open_worker, case, model.folder, options.python) for case in todo}
    read = read_in_turns(workers, lines, LINES_A_TURN)
    for (name, threads), found in read.items():
        size = {"MB": size_mb(model, name), "load ms": found.figures.cold.answer["load ms"]}
        numbers = size | found.numbers(lines, read[DEFAULTS, threads])
        yield from figures_of("runtime", name, f"{threads} threads", numbers)
    if (chosen := chosen_case(read, model.folder)) in read:
        peers = {name: read[name, chosen[1]] for name in (DEFAULTS, TORCH) if (name, chosen[1]) in read}
        for name, theirs in peers.items():
            over = read[chosen].numbers(lines, theirs)
            memory = {"peak MiB, ratio": over["peak MiB"] / theirs.figures.peak_mib}
            yield from figures_of("runtime", "chosen", f"over {name}", memory | {"speed, ratio": over["speed, ratio"]})
        yield from figures_of("runtime", "chosen", chosen[0], {"threads": chosen[1]})
