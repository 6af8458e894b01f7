"""Suite ``start``: from nothing to the text of a one-line image, beside the least that any such program must do.

The floor is Python, numpy, onnxruntime, a session of the handwriting network and one run of it. Both are fresh processes
that take turns; each pair gives a ratio.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from carrel_bench.figures import Figure
from carrel_bench.print_pages import OWN_PAGES

TOLD = """
import time
print(time.process_time(), flush=True)
"""
FLOOR = (
    """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
with open(sys.argv[1], "rb") as file:
    session = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])
session.run(None, {session.get_inputs()[0].name: np.zeros((1, 1, 48, 800), np.float32)})
"""
    + TOLD
)
LINE = (
    """
import sys
import carrel
assert carrel.read(sys.argv[1]).text
"""
    + TOLD
)
LINES = {"printed line": ("french", (180, 360, 1600, 450)), "written line": ("letter", (100, 400, 1700, 540))}
"""Where single lines are cut from the project's own pages: left, top, right, bottom."""


def cut(folder: Path) -> dict[str, Path]:
    """Images of one line each, in ``folder``."""
    from PIL import Image

    found: dict[str, Path] = {}
    for name, (page, box) in LINES.items():
        found[name] = folder / f"{page}-line.png"
        with Image.open(OWN_PAGES / f"{page}.jpg") as scan:
            scan.convert("L").crop(box).save(found[name])
    return found


def spent(code: str, argument: Path, folder: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of a fresh process with one thread, until it has its text or its result.

    Compiled Python is kept in ``folder``, as it is kept beside the modules where nothing forbids it.
    """
    environment = {**os.environ, "CARREL_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    began = time.perf_counter()
    command = [sys.executable, "-c", code, str(argument)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        told = process.stdout.readline() if process.stdout else ""
        seconds = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return seconds, float(told)


def measure(folder: Path, rounds: int) -> Iterator[Figure]:
    """Medians, and the median of the ratios."""
    model = Path(str(resources.files("carrel_models"))) / "handwriting-fast" / "model.int8.onnx"
    lines = cut(folder)
    spent(FLOOR, model, folder)  # files come from the disk once
    for line in lines.values():
        spent(LINE, line, folder)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ("floor", *lines)}
    for _ in range(rounds):
        runs["floor"].append(spent(FLOOR, model, folder))
        for name, line in lines.items():
            runs[name].append(spent(LINE, line, folder))
    for name, own in runs.items():
        yield Figure("start", name, "", "s", _median([s for s, _ in own]))
        yield Figure("start", name, "", "CPU s", _median([c for _, c in own]))
        pairs = zip(own, runs["floor"], strict=True)
        yield Figure("start", name, "", "CPU, times the floor", _median([a[1] / b[1] for a, b in pairs]))


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))
