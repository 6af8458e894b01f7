"""The cost of a start: from nothing to the text of one line, and to a first search and page with each kind of kernels.

Fresh processes with one thread take turns. ``floor`` is the least that any such program must do: Python, numpy,
onnxruntime, a session of the handwriting network and one run of it; ``printed line`` and ``written line`` are images of
one line each. ``search`` (a line of logits) and ``page`` (``--page``) run with kernels compiled on the spot (once, as it
takes long), from numba's cache, and from the library that Carrel brings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from PIL import Image

from carrel.kernels.native import belongs, shipped_folder
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.measure import Figures, in_turns, succeeded
from carrel_bench.peers.print_pages import OWN_PAGES

FLOOR = """
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
READ = """
import sys
import carrel
assert carrel.read(sys.argv[1]).text
"""
SEARCH = """
import numpy as np
logits = np.random.default_rng(1).normal(0.0, 3.0, (200, 100)).astype(np.float32)
from carrel.decode.beam import beam_search
beam_search(logits)
"""
WITHOUT_LIBRARY = """
import pathlib
from carrel.kernels import native
native.shipped_folder = lambda: pathlib.Path("/nonexistent")
"""
CACHED = "numba's cache"
LINES = {"printed line": ("french", (180, 360, 1600, 450)), "written line": ("letter", (100, 400, 1700, 540))}
"""Where single lines are cut from the project's own pages: left, top, right, bottom."""
ONE_THREAD = {"CARREL_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
OPTIONS: Table = {"--page": {"type": Path, "default": OWN_PAGES / "letter.jpg", "help": "a page with handwriting"}}


def cut(folder: Path) -> dict[str, Path]:
    """Write images of one line each; their files."""
    found: dict[str, Path] = {}
    for name, (page, box) in LINES.items():
        found[name] = folder / f"{page}-line.png"
        with Image.open(OWN_PAGES / f"{page}.jpg") as scan:
            scan.convert("L").crop(box).save(found[name])
    return found


def measure(options: Options) -> Iterator[Figure]:
    """Yield the seconds of starts with their ratio to the floor, then those with each kind of kernels."""
    yield from _beside_the_floor(options.scratch, options.rounds)
    if not options.quick:
        yield from _by_kernels(options.scratch, options.page, options.rounds)


def _beside_the_floor(folder: Path, rounds: int) -> Iterator[Figure]:
    """Measure with compiled Python in ``folder``: it is kept beside the modules where nothing forbids it."""
    model = Path(str(resources.files("carrel_models"))) / "handwriting-fast" / "model.int8.onnx"
    works = {"floor": [sys.executable, "-c", FLOOR, model]}
    works |= {name: [sys.executable, "-c", READ, line] for name, line in cut(folder).items()}
    environment = ONE_THREAD | {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    found = in_turns(works, rounds, environment=environment)
    for name, figures in found.items():
        for run in figures.runs:
            succeeded(run)
        yield from figures.rows("start", name, "", found["floor"])


def _by_kernels(folder: Path, page: Path, rounds: int) -> Iterator[Figure]:
    """Measure each kind of kernels; the first run without the library compiles into a cache, which the others use."""
    before = {CACHED: WITHOUT_LIBRARY, "library": ""}
    if not belongs(shipped_folder()):
        del before["library"]
    works = {
        (kernels, case): ["env", f"XDG_CACHE_HOME={folder / case}", sys.executable, "-c", prelude + code, page]
        for kernels, prelude in before.items()
        for case, code in (("search", SEARCH), ("page", READ))
    }
    for (kernels, case), figures in in_turns(works, rounds, environment=ONE_THREAD).items():
        kinds = {kernels: figures} | ({"compiled on the spot": Figures(figures.cold, ())} if kernels == CACHED else {})
        for kind, own in kinds.items():
            peak_mib = max(succeeded(run).peak_mib for run in own.warm)
            yield from figures_of("start", kind, case, {"CPU s": own.cpu_s, "peak MiB": peak_mib})
