"""Runtimes, precisions and threads side by side: the handwriting network on drawn lines, or on those of packs.

``python -m carrel_bench runtime [--data DIR] [--model DIR] [--python PYTHON]``: lines per second by the clock and by the
processor, from line image to best path, peak of resident memory, and milliseconds to import, load and read a first line
(``cold``), for every runtime, precision and number of threads, each in a process of its own, in turns on the same lines;
CER where there are packs. onnxruntime with its defaults in float32 is what ratios are to, turn by turn; given a Python
that has torch, the same weights in PyTorch take part.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from carrel.backends.devices import versions
from carrel.backends.settings import allowed_cores
from carrel.models.folders import Model
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import drawn_evenly, lines_of, pack_options
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.memory.calibrate import CPU_RUNTIMES
from carrel_bench.models import handwriting_model
from carrel_bench.peers.line_turns import read_in_turns
from carrel_bench.speed.network_worker import DEFAULTS, TORCH
from carrel_bench.worker import Worker, own_packages

DATA = "lines"
DATA_IS_OPTIONAL = True
WORKER = Path(__file__).with_name("network_worker.py")
WIDTHS_PX = (800, 400, 1200, 1800, 600, 1000, 1400, 500)
LINES_A_TURN = 40
Case = tuple[str, int]
"""A way to run the network, and threads."""
OPTIONS: Table = {
    **pack_options(),
    "--model": {"type": Path, "help": "folder of a handwriting model (default: the shipped one)"},
    "--lines": {"type": int, "default": 400, "help": "so many lines of packs, drawn evenly; 0 for all"},
}


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


def size_mb(model: Model, name: str) -> float:
    """Return the size of the network's file."""
    precision = "int8" if name.endswith("int8") else "fp32"
    return model.manifest.files[model.network_file(precision)].bytes / 1e6


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of all cases."""
    model = handwriting_model(options.model)
    of_packs = drawn_evenly(lines_of(options), options.lines) if options.data else []
    lines = of_packs or drawn_lines(options.rounds * LINES_A_TURN)
    todo = cases(options.python is not None, options.quick)
    workers = {case: partial(open_worker, case, model.folder, options.python) for case in todo}
    read = read_in_turns(workers, lines, LINES_A_TURN)
    for (name, threads), found in read.items():
        numbers = {"MB": size_mb(model, name)} | found.numbers(lines, read[DEFAULTS, threads])
        yield from figures_of("runtime", name, f"{threads} threads", numbers)
