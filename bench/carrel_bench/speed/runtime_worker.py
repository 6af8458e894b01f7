"""One case of ``carrel_bench.runtime``: ``NAME THREADS MODEL``.

NAME is a runtime (``onnxruntime cpu int8``), ``onnxruntime defaults`` (float32, its own threads) or ``torch eager``, which a
Python with torch and Carrel's export package runs. Lines have eight widths from 400 to 1,800 px.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS = (800, 400, 1200, 1800, 600, 1000, 1400, 500)
LEAST_S = 1.5
Run = Callable[[Any], object]


def drawn_lines() -> list[Any]:
    """Return strokes on paper, float32 ``(1, 1, 48, width)``; the same in every environment."""
    chance = np.random.default_rng(0)
    return [(chance.random((1, 1, 48, width)) > 0.85).astype(np.float32) for width in WIDTHS]


def open_runtime(name: str, threads: int, model: Path) -> Run:
    """Return the network of a model folder on one of Carrel's runtimes."""
    from carrel.backends import Runtime
    from carrel.backends.networks import open_network
    from carrel.models.folders import open_model

    network = open_network(open_model(model, "recognition"), Runtime(*name.split()), threads)
    return lambda line: network.run({"ink": line})


def open_defaults(threads: int, model: Path) -> Run:
    """Return onnxruntime as it comes, in float32."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model / "model.fp32.onnx"), options, providers=["CPUExecutionProvider"])

    def run(line: Any) -> object:
        return session.run(None, {"ink": line})  # pyright: ignore[reportUnknownVariableType]

    return run


def open_torch(threads: int, model: Path) -> Run:
    """Return the same weights in PyTorch, eager, float32."""
    from carrel.models.folders import open_model
    from carrel.models.manifest import Recognition

    torch: Any = import_module("torch")

    network_module: Any = import_module("carrel_export.handwriting.network")
    load_file: Any = import_module("safetensors.torch").load_file
    torch.set_num_threads(threads)
    shape = open_model(model, "recognition").manifest_as(Recognition).network or {}
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in shape.items()}
    network = network_module.Crnn(network_module.CrnnConfig(**fields))
    network.load_state_dict({k: v.float() for k, v in load_file(model / "weights.safetensors").items()}, strict=False)
    network.eval()

    def run(line: Any) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(line))

    return run


def lines_per_second(run: Run, lines: list[Any], callers: int) -> dict[str, float]:
    """Return lines by the clock and by the processor, over at least `LEAST_S`, after a warm-up."""
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(run, lines))
        done, began, cpu_began = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < LEAST_S:
            list(pool.map(run, lines * callers))
            done += len(lines) * callers
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return {"lines/s": done / wall_s, "lines/CPU s": done / cpu_s}


def start(name: str, threads: str, model: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load the network and run a first line; the questions are for this (``first``) and for the speed.

    Carrel's runtimes are called from several threads, the others use their own.
    """
    lines, callers = drawn_lines(), int(threads)
    before_kib = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmRSS"))
    began = time.perf_counter()
    if name == "torch eager":
        run, callers = open_torch(int(threads), Path(model)), 1
    elif name == "onnxruntime defaults":
        run, callers = open_defaults(int(threads), Path(model)), 1
    else:
        run = open_runtime(name, int(threads), Path(model))
    loaded = time.perf_counter()
    run(lines[0])
    first = {
        "load ms": 1000 * (loaded - began),
        "first line ms": 1000 * (time.perf_counter() - loaded),
        "MiB before": int(before_kib.split()[1]) / 1024,
    }
    return lambda question: first if question["first"] else lines_per_second(run, lines, callers)
