"""Memory of the parts of Carrel, MiB: the figures of the memory model, each measured in two fresh processes.

``python -m carrel_bench calibrate [--write]``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module, resources
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from carrel.backends import Runtime, builtin
from carrel.backends.runtimes.networks import open_network, open_page_network
from carrel.budget import Budget
from carrel.image.prepare import prepare
from carrel.layout import segment_page, uncovered_ink
from carrel.loading import HANDWRITING_MODEL, network_models, shipped_language
from carrel.models.folders import shipped_model
from carrel.options import ReadOptions
from carrel.process_memory import MIB, trim
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.tesseract import Tesseract
from carrel_bench.answer import forget_peak, peak_mib, resident_mib
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.worker import PeerError, Worker

BACKENDS = Path(str(resources.files("carrel.backends")))
WIDE_PX = 2400
PAGE = (1600, 1152)
PAGES = 3
STRIP = (448, 1600)
"""The lowest strip of a page at the second scale, on its side."""
CPU_RUNTIMES = (
    Runtime("onnxruntime", "cpu", "int8"),
    Runtime("onnxruntime", "cpu", "fp32"),
    Runtime("openvino", "cpu", "bf16"),
    Runtime("openvino", "cpu", "int8"),
    Runtime("openvino", "cpu", "fp32"),
)
OPTIONS: Table = {"--write": {"action": "store_true", "help": "keep the figures in the engine"}}


def peak_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return the MiB that work adds at its worst moment, and for good."""
    trim()
    before = resident_mib()
    forget_peak()
    kept = work()
    peak = peak_mib()
    trim()
    after = resident_mib()
    del kept
    return peak - before, after - before


def imported() -> None:
    """Import everything that a reading process does."""
    import cv2
    import PIL.Image

    for name in ("click", "tesserocr", "carrel.reader", "carrel.formats", "carrel.image.overlay"):
        import_module(name)
    cv2.setNumThreads(1)
    cv2.resize(np.zeros((64, 64), np.uint8), (32, 32))
    PIL.Image.init()


def measure_base() -> dict[str, float]:
    """Measure Python with everything imported, but no runtime, model or page."""
    imported()
    return {"base": resident_mib()}


def opened(task: str, runtime: Runtime = CPU_RUNTIMES[0]) -> Any:
    """Return a shipped network; for ``segmentation`` what makes maps of a page."""
    model = network_models(ReadOptions())[task]
    if task == "segmentation":
        return open_page_network(model, runtime, Budget())
    return open_network(model, runtime, 1)


def measure_runtime(runtime: Runtime) -> dict[str, float]:
    """Measure a runtime with its networks, after several pages in turn and lines of many widths on each."""
    imported()
    page, lowest = np.resize(builtin.page(), PAGE), np.resize(builtin.page(), STRIP)
    wide = np.tile(builtin.lines()[0], (1, 1, 1, 8))

    def work() -> object:
        networks, maps = [opened(task, runtime) for task in ("recognition", "writing")], opened("segmentation", runtime)
        for _ in range(PAGES):
            maps(page)
            maps(lowest)
            for width in range(200, WIDE_PX + 1, 100):
                for network in networks:
                    network.run({"ink": np.ascontiguousarray(wide[..., :width])})
        return networks, maps

    loaded = peak_of(work)[1]
    if runtime.backend == "openvino":  # it keeps what it compiled
        return {"runtime": loaded}
    maps = opened("segmentation", runtime)
    strip, whole = (peak_of(partial(maps, ink))[0] for ink in (lowest, page))
    return {"runtime": loaded, "strip": strip, "segmenter": whole}


def measure_language() -> dict[str, float]:
    """Measure the language model and its search; with the compiler where no library of kernels was built."""
    imported()
    model, network = shipped_model(HANDWRITING_MODEL, "recognition"), opened("recognition")
    logits = [network.run({"ink": line})["logits"][0] for line in builtin.lines()]

    def work() -> object:
        recognizer = CtcRecognizer(model, network, shipped_language())
        for each in logits:
            recognizer.decode(each)
        return recognizer

    grown = peak_of(work)[1]
    return {"language" if "numba" not in sys.modules else "compiler": grown}


def measure_tesseract() -> dict[str, float]:
    """Measure Tesseract with two languages, for each."""
    imported()
    crop = np.tile((255 - 255 * builtin.lines()[2][0, 0]).astype(np.uint8), (1, 4))
    tesseract = Tesseract(("eng", "fra"), 5.0)
    return {"tesseract": peak_of(lambda: [tesseract.read(crop, language) for language in ("eng", "fra")])[0] / 2}


def measure_layout() -> dict[str, float]:
    """Measure preparing a page and segmenting it, beside the pages themselves and the segmenter."""
    imported()
    gray = (255 - 255 * np.kron(builtin.page(), np.ones((3, 3)))).astype(np.uint8)
    maps, kept = opened("segmentation"), dict[bytes, Any]()

    def remembered(ink: Any) -> Any:
        key = np.asarray(ink).tobytes()[:: 1 << 12]
        if key not in kept:
            kept[key] = maps(np.asarray(ink))
        return kept[key]

    def work() -> None:
        prepared = prepare(gray)
        uncovered_ink(prepared.gray, segment_page(prepared.gray, None, remembered))

    work()  # maps are remembered: only what surrounds the network is measured
    return {"layout": max(0.0, peak_of(work)[0] - 3 * gray.nbytes / MIB)}


def measure_line() -> dict[str, float]:
    """Measure one more line at the same time, as wide as most lines are."""
    imported()
    network = opened("recognition")
    line = np.zeros((1, 1, 48, WIDE_PX), np.float32)
    network.run({"ink": line[..., :64].copy()})
    return {"line": peak_of(lambda: network.run({"ink": line}))[0]}


PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "base": measure_base,
    "language": measure_language,
    "tesseract": measure_tesseract,
    "layout": measure_layout,
    "line": measure_line,
    **{str(runtime): partial(measure_runtime, runtime) for runtime in CPU_RUNTIMES},
}


def start(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers `calibrate` in a process of its own."""
    return lambda _question: {"mib": PARTS[part]()}


def calibrate(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return all figures in MiB, rounded up, each the larger of two runs; what cannot be measured here as ``stored``."""
    costs: dict[str, int] = {}
    runtimes: dict[str, int] = {}
    for part in PARTS:
        with suppress(PeerError):
            for _ in range(2):
                with Worker(sys.executable, Path(__file__), [part]) as worker:
                    found: dict[str, float] = worker.ask()["mib"]
                for name, amount in found.items():
                    table, key = (runtimes, part) if name == "runtime" else (costs, name)
                    table[key] = max(table.get(key, 0), ceil(amount))
    runtimes = {**stored["runtimes"], **runtimes}
    return {**stored, **costs, "runtimes": runtimes, "runtime": max(runtimes.values())}


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of the memory model."""
    file = BACKENDS / "costs.json"
    found = calibrate(json.loads(file.read_text("utf-8")))
    if options.write:
        file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    yield from figures_of("calibrate", "runtimes", "", found.pop("runtimes"))
    yield from figures_of("calibrate", "MiB", "", {k: v for k, v in found.items() if isinstance(v, (int, float))})
