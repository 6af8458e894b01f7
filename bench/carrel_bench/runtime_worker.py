"""One case of ``carrel_bench.runtime``: ``runtime_worker.py NAME THREADS MODEL`` prints its figures as JSON.

NAME is a runtime (``onnxruntime cpu int8``), ``onnxruntime defaults`` (float32, its own threads) or ``torch eager``, which a
Python with torch and Carrel's export package runs. Lines have eight widths from 400 to 1,800 px.
"""

from __future__ import annotations

import json
import os
import sys
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


def status(name: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process in MiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def drawn_lines() -> list[Any]:
    """Strokes on paper, float32 ``(1, 1, 48, width)``; the same in every environment."""
    chance = np.random.default_rng(0)
    return [(chance.random((1, 1, 48, width)) > 0.85).astype(np.float32) for width in WIDTHS]


def open_runtime(name: str, threads: int, model: Path) -> Run:
    """The network of a model folder on one of Carrel's runtimes."""
    from carrel.backends import Runtime
    from carrel.backends.networks import open_network
    from carrel.models.folders import open_model

    network = open_network(open_model(model, "recognition"), Runtime(*name.split()), threads)
    return lambda line: network.run({"ink": line})


def open_defaults(threads: int, model: Path) -> Run:
    """onnxruntime as it comes, in float32."""
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
    """The same weights in PyTorch, eager, float32."""
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


def lines_per_second(run: Run, lines: list[Any], callers: int) -> tuple[float, float]:
    """By the clock and by the processor, over at least `LEAST_S`, after a warm-up."""
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(run, lines))
        done, began, cpu_began = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < LEAST_S:
            list(pool.map(run, lines * callers))
            done += len(lines) * callers
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return done / wall_s, done / cpu_s


def main(name: str, threads: int, model: Path) -> dict[str, float]:
    """Load, first line, speed, memory. Carrel's runtimes are called from ``threads`` threads, the others use their own."""
    lines = drawn_lines()
    before = status("VmRSS")
    began = time.perf_counter()
    if name == "torch eager":
        run, callers = open_torch(threads, model), 1
    elif name == "onnxruntime defaults":
        run, callers = open_defaults(threads, model), 1
    else:
        run, callers = open_runtime(name, threads, model), threads
    loaded = time.perf_counter()
    run(lines[0])
    first = time.perf_counter()
    cold_ms = (time.time() - float(os.environ["CARREL_STARTED"])) * 1000
    by_clock, by_processor = lines_per_second(run, lines, callers)
    return {
        "lines_per_s": by_clock,
        "lines_per_cpu_s": by_processor,
        "load_ms": (loaded - began) * 1000,
        "first_line_ms": (first - loaded) * 1000,
        "cold_ms": cold_ms,
        "peak_mib": status("VmHWM"),
        "before_mib": before,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
