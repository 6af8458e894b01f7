"""Recognition networks side by side: time for a line and memory, kraken's and TrOCR's shapes beside their own programs.

``python -m carrel_bench networks [--python PYTHON] [--kraken PYTHON] [--shape small] [--variant tiny] [--model DIR]``: a line of
800 px, one thread, each program in a process of its own, in turns. Weights are random, since time does not depend on them. Of
TrOCR's shapes 24 tokens are searched with 4 beams, in float32 and in 8 bits, and by the transformers library's
``generate``. kraken's PP-OCRv6 shapes, 48 px high, read the best path, and so does kraken itself; so do the shipped networks and
model folders given with ``--model``. PYTHON has the transformers library, or kraken; without it an environment is made. Needs the
export extra.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from carrel.models.folders import open_model, shipped_folder
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.measure import Figures
from carrel_bench.peers.programs import KRAKEN, TROCR
from carrel_bench.speed.networks_worker import SIZES, TORCH, drawn_line
from carrel_bench.worker import Worker, optional_python, own_packages, take_turns

WORKER = Path(__file__).with_name("networks_worker.py")
KRAKEN_WORKER = Path(__file__).parents[1] / "peers" / "kraken_worker.py"
VARIANTS = ("tiny", "small", "medium")
SHIPPED = ("handwriting-fast", "handwriting-best")
PRECISIONS = ("fp32", "int8")
Case = tuple[str, str]
"""A model, and what runs it."""
OPTIONS: Table = {
    "--shape": {
        "action": "append",
        "choices": sorted(SIZES),
        "help": "of TrOCR; may be repeated [default: small, base]",
    },
    "--variant": {
        "action": "append",
        "choices": VARIANTS,
        "help": "of kraken's PP-OCRv6; may be repeated [default: all]",
    },
    "--kraken": {"type": Path, "metavar": "PYTHON", "help": "interpreter of an environment with kraken"},
    "--model": {"action": "append", "type": Path, "default": [], "help": "folder of a CTC model; may be repeated"},
}


def worker_of(script_arguments: list[str], python: Path | None = None) -> Worker:
    """Return a process for a case, on the peer's Python where one is given."""
    environment = own_packages() if python else None
    return Worker(python or sys.executable, WORKER, script_arguments, environment=environment)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of all models."""
    folder: Path = options.scratch
    np.savez(folder / "line.npz", drawn_line())
    workers: dict[Case, partial[Worker]] = {}
    for model in [*map(shipped_folder, SHIPPED[: 1 if options.quick else 2]), *options.model]:
        workers |= _runs(open_model(model).name, "ctc", model)
    if not options.quick:
        kraken = optional_python("kraken", KRAKEN, options.kraken)
        for variant in options.variant or VARIANTS:
            workers |= _kraken(kraken, variant, folder)
    python = options.python if options.quick else optional_python("trocr", TROCR, options.python)
    for shape in options.shape or (["tiny"] if options.quick else ["small", "base"]):
        workers |= _trocr(python, shape, folder)
    costs = take_turns(workers, [{"lines": str(folder / "line.npz")}] * (1 + options.rounds))
    figures = {name: Figures(cold, tuple(warm)) for name, (cold, *warm) in costs.items()}
    for (case, program), found in figures.items():
        yield from figures_of("networks", program, case, _numbers(found, figures.get((case, TORCH))))


def _kraken(python: Path | None, variant: str, folder: Path) -> dict[Case, partial[Worker]]:
    """Make a network of kraken's and its model folder; what reads with them, nothing without kraken."""
    if python is None:
        return {}
    name, checkpoint, model = (
        f"kraken {variant}, random weights",
        folder / f"{variant}.safetensors",
        folder / f"kraken-{variant}",
    )
    with worker_of(["kraken", variant], python) as worker:
        worker.ask(file=str(checkpoint))
    with worker_of(["export"]) as worker:
        worker.ask(checkpoint=str(checkpoint), model=str(model))
    own = partial(Worker, python, KRAKEN_WORKER, ["lines", str(checkpoint)])
    return _runs(name, "ctc", model) | {(name, TORCH): own}


def _trocr(python: Path | None, shape: str, folder: Path) -> dict[Case, partial[Worker]]:
    """Make a checkpoint of TrOCR's shapes and its model folder; what reads with them."""
    name, checkpoint, model = f"trocr {shape}, random weights", folder / shape, folder / f"{shape}-model"
    with worker_of(["make", shape]) as worker:
        worker.ask(checkpoint=str(checkpoint), model=str(model))
    own = {(name, TORCH): partial(worker_of, [TORCH, "", str(checkpoint)], python)} if python else {}
    return _runs(name, "text", model) | own


def _runs(name: str, kind: str, model: Path) -> dict[Case, partial[Worker]]:
    """The precisions that a model folder holds."""
    there = {entry.precision for entry in open_model(model).manifest.files.values()} & set(PRECISIONS)
    return {(name, f"onnxruntime {p}"): partial(worker_of, [kind, p, str(model)]) for p in PRECISIONS if p in there}


def _numbers(found: Figures, peer: Figures | None) -> dict[str, float]:
    """Times of all turns but the first, which loads; the peak of all; both as a share of PyTorch's, turn by turn."""
    numbers = {
        "CPU ms a line": 1000 * found.cpu_s,
        "CPU ms a line, least": 1000 * found.least_cpu_s,
        "peak MiB": found.peak_mib,
    }
    if peer is not None:
        numbers["CPU, ratio to PyTorch"] = median(found.ratios(peer))
        numbers["peak, ratio to PyTorch"] = found.peak_mib / peer.peak_mib
    return numbers
