"""Files of a model on their runtimes: size, CER, lines per second and memory.

Every file runs in a process of its own, one thread, one line a call, best path; the processes take turns on the same lines
(``--data``: line packs). Seconds are processor time from the line image to its text. Ratios are to fp32 on onnxruntime
with its defaults, turn by turn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import Model, open_model, shipped_model
from carrel_bench.accuracy.packs import add_pack_options, drawn_evenly, lines_of
from carrel_bench.figures import Figure, figures_of
from carrel_bench.peers.line_turns import read_in_turns
from carrel_bench.worker import Worker

DATA = "lines"
LINES_A_TURN = 20
BASE = ("onnx-fp32", "defaults")
WORKER = Path(__file__).with_name("network_worker.py")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which lines and models."""
    add_pack_options(parser)
    parser.add_argument("--model", type=Path, action="append", help="model folder; default: the shipped one")
    parser.add_argument("--lines", type=int, default=400, help="so many lines, drawn evenly; 0 for all")


def runs_of(model: Model) -> list[tuple[str, str]]:
    """Return every file of a model with the runtimes that it is meant for, fp32 with onnxruntime's defaults first."""
    files = model.manifest.files
    found = [BASE, ("onnx-fp32", "onnxruntime")]
    if "onnx-int8" in files:
        found.append(("onnx-int8", "onnxruntime"))
    if find_spec("openvino"):
        found += [("onnx-fp32", "openvino-fp32"), ("onnx-fp32", "openvino-bf16")]
        found += [(role, "openvino-fp32") for role in ("openvino-fp32", "openvino-int8") if role in files]
    return found


def size_of(model: Model, role: str) -> int:
    """Return the bytes of a file, and of its weights where they are another file."""
    files = model.manifest.files
    return sum(files[key].bytes for key in (role, f"{role}-weights") if key in files)


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of every file on every runtime."""
    lines = drawn_evenly(lines_of(options), options.lines)
    folders = options.model or [shipped_model(HANDWRITING_MODEL, "recognition").folder]
    for model in (open_model(folder, "recognition") for folder in folders):
        with ExitStack() as stack:
            workers = {
                f"{role} {runtime}": stack.enter_context(
                    Worker(sys.executable, WORKER, [str(model.folder), role, runtime])
                )
                for role, runtime in runs_of(model)
            }
            read = read_in_turns(workers, lines, LINES_A_TURN)
        base = read[" ".join(BASE)]
        for (role, runtime), (name, found) in zip(runs_of(model), read.items(), strict=True):
            del runtime
            size = {"MB": size_of(model, role) / 1e6, "share of fp32": size_of(model, role) / size_of(model, BASE[0])}
            yield from figures_of("exported", name, model.name, size | found.numbers(lines, base))
