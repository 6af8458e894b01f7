"""Recognition networks side by side: time for a line and memory, TrOCR's shapes with random weights beside PyTorch.

``python -m carrel_bench networks [--python PYTHON] [--shape small] [--model DIR]``: a line of 800 px. TrOCR's weights are random, since
time does not depend on them: 24 tokens are searched with 4 beams, in float32 and in 8 bits, and by PyTorch's own
``generate`` where PYTHON has the transformers library, in turns on the same line, each in a process of its own, one thread. The
shipped networks and model folders given with ``--model`` (kraken's, say) read the line to its best path. Needs the export extra.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from carrel.models.folders import open_model, shipped_folder
from carrel_bench.figures import Figure, figures_of
from carrel_bench.measure import Cost
from carrel_bench.speed.networks_worker import SIZES, TORCH
from carrel_bench.worker import Worker, own_packages, take_turns

WORKER = Path(__file__).with_name("networks_worker.py")
SHIPPED = ("handwriting-fast", "handwriting-best")
PRECISIONS = ("fp32", "int8")
Case = tuple[str, str]
"""A model, and what runs it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which shapes and models."""
    parser.add_argument(
        "--shape", action="append", choices=sorted(SIZES), help="of TrOCR; may be repeated [default: all]"
    )
    parser.add_argument(
        "--model", action="append", type=Path, default=[], help="folder of a CTC model; may be repeated"
    )


def worker_of(script_arguments: list[str], python: Path | None = None) -> Worker:
    """Return a process for a case, on the peer's Python where one is given."""
    environment = own_packages() if python else None
    return Worker(python or sys.executable, WORKER, script_arguments, environment=environment)


def made(shapes: list[str], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Make checkpoints of shapes, and their model folders; returns both by the name of the model."""
    found: dict[str, tuple[Path, Path]] = {}
    for shape in shapes:
        places = folder / shape, folder / f"{shape}-model"
        with worker_of(["make", shape, str(folder)]) as worker:
            worker.ask(checkpoint=str(places[0]), model=str(places[1]))
        found[f"trocr {shape}, random weights"] = places
    return found


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of all models."""
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder:
        shapes = options.shape or (["tiny"] if options.quick else ["small", "base"])
        workers: dict[Case, partial[Worker]] = {}
        for name, (checkpoint, model) in made(shapes, Path(folder)).items():
            workers |= _runs(name, "text", model)
            if options.python:
                workers[name, TORCH] = partial(worker_of, [TORCH, "", str(checkpoint)], options.python)
        for model in [*map(shipped_folder, SHIPPED[: 1 if options.quick else 2]), *options.model]:
            workers |= _runs(open_model(model).name, "ctc", model)
        costs = take_turns(workers, [{}] * (1 + options.rounds))
        for (name, program), found in costs.items():
            yield from figures_of("networks", program, name, _numbers(found, costs.get((name, TORCH))))


def _runs(name: str, kind: str, model: Path) -> dict[Case, partial[Worker]]:
    """The precisions that a model folder holds."""
    there = {entry.precision for entry in open_model(model).manifest.files.values()} & set(PRECISIONS)
    return {(name, f"onnxruntime {p}"): partial(worker_of, [kind, p, str(model)]) for p in PRECISIONS if p in there}


def _numbers(costs: list[Cost], peer: list[Cost] | None) -> dict[str, float]:
    """Times of all turns but the first, which loads; the peak of all; both as a share of PyTorch's, turn by turn."""
    warm = costs[1:]
    numbers = {
        "CPU ms a line": 1000 * median(cost.cpu_s for cost in warm),
        "CPU ms a line, least": 1000 * min(cost.cpu_s for cost in warm),
        "peak MiB": max(cost.peak_mib for cost in costs),
    }
    if peer and len(peer) == len(costs):
        pairs = zip(warm, peer[1:], strict=True)
        numbers["CPU, ratio to PyTorch"] = median(own.cpu_s / max(1e-9, other.cpu_s) for own, other in pairs)
        numbers["peak, ratio to PyTorch"] = numbers["peak MiB"] / max(cost.peak_mib for cost in peer)
    return numbers
