"""Preparing a page: flattening and Sauvola's threshold, Carrel beside OpenCV, scikit-image and doxapy.

``python -m carrel_bench prepare [--page FILE] [--quick]``: every contestant runs on the same A4 page at 300 dpi, one of the
project's own as a poor office scan unless one is given, one thread, in turns; CPU milliseconds, least and median. scikit-image and doxapy run in an
environment of their own (not with ``--quick``). OpenCV's own ways to divide by the background are measured at full size,
as its users write them. ``over copy`` is the ratio to a plain copy of the page, ``share of pixels unlike`` those that
differ from Carrel's kernel by more than 2 gray levels, ``gain`` the fastest peer's time by that of Carrel's kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.prepare import flatten_illumination
from carrel.image.source import open_scans
from carrel.kernels.prepare import sauvola
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.measure import Cost, Figures, Work, in_turns
from carrel_bench.peers.pixels_worker import CONTESTANTS, ENVELOPE_PX, WINDOW, K
from carrel_bench.peers.print_pages import worn_page
from carrel_bench.peers.programs import PIXELS
from carrel_bench.worker import Worker, optional_python

Gray = NDArray[np.uint8]
Step = tuple[str, str]
"""What is done, and by what."""
ROUNDS = 15
OWN = "carrel, compiled"
COPY = ("copy", "numpy")
OPTIONS: Table = {"--page": {"type": Path, "help": "a scan to use instead"}}


def page_of(options: Options) -> Gray:
    """Return the page; a corner of it where there is little time."""
    gray = next(open_scans(options.page or worn_page(options.scratch), 250.0)).gray
    return gray[300:1200, 300:1000].copy() if options.quick else gray


def contestants(page: Gray) -> dict[Step, Callable[[], Gray]]:
    """Return Carrel's and OpenCV's ways."""
    return {
        ("flatten", OWN): partial(flatten_illumination, page),
        ("flatten", "opencv: mean filter"): partial(_opencv_mean, page),
        ("flatten", "opencv: closing"): partial(_opencv_closing, page),
        ("flatten", "opencv: median filter"): partial(_opencv_median, page),
        ("sauvola", OWN): partial(sauvola, page, WINDOW, K),
        ("sauvola", "opencv: box filters"): partial(_opencv_sauvola, page),
    }


ALIKE = "sauvola"
"""The step in which all compute the same; of flattening each has a way of its own."""


def _opencv_mean(gray: Gray) -> Gray:
    return np.asarray(cv2.divide(gray, cv2.blur(gray, (ENVELOPE_PX, ENVELOPE_PX)), scale=235.0), np.uint8)


def _opencv_closing(gray: Gray) -> Gray:
    kernel = np.ones((ENVELOPE_PX, ENVELOPE_PX), np.uint8)
    paper = cv2.blur(cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel), (ENVELOPE_PX, ENVELOPE_PX))
    return np.asarray(cv2.divide(gray, paper, scale=255.0), np.uint8)


def _opencv_median(gray: Gray) -> Gray:
    return np.asarray(cv2.divide(gray, cv2.medianBlur(gray, ENVELOPE_PX), scale=250.0), np.uint8)


def _opencv_sauvola(gray: Gray) -> Gray:
    size = (WINDOW, WINDOW)
    mean = cv2.boxFilter(gray, cv2.CV_32F, size, borderType=cv2.BORDER_REPLICATE)
    spread = cv2.sqrBoxFilter(gray, cv2.CV_32F, size, borderType=cv2.BORDER_REPLICATE)
    cv2.subtract(spread, cv2.multiply(mean, mean), dst=spread)
    cv2.sqrt(cv2.max(spread, 0.0, dst=spread), dst=spread)  # pyright: ignore[reportArgumentType, reportCallIssue]
    cv2.multiply(mean, spread * np.float32(K / 128) + np.float32(1 - K), dst=mean)
    return np.asarray(cv2.compare(gray.astype(np.float32), mean, cv2.CMP_GT), np.uint8)


def in_their_environment(stack: ExitStack, page: Gray, options: Options) -> dict[Step, Work]:
    """Return the contestants of `carrel_bench.peers.pixels_worker`, in a process that ends with the stack."""
    files = options.scratch / "page.npy", options.scratch / "result.npy"
    np.save(files[0], page)
    script = Path(__file__).parents[1] / "peers" / "pixels_worker.py"
    if (python := optional_python("pixels", PIXELS, options.python)) is None:
        return {}
    worker = stack.enter_context(Worker(python, script, [str(file) for file in files]))

    def work(step: Step) -> Cost:
        cost = worker.asking(step=step[0], name=step[1])()
        return Cost(cost.wall_s, cost.cpu_s, cost.peak_mib, np.load(files[1]))

    return {step: partial(work, step) for step in CONTESTANTS}


def numbers_of(found: Mapping[Step, Figures]) -> Iterator[Figure]:
    """Yield times, ratios to a copy, and how far results differ from those of Carrel's kernel."""
    copy_s = found[COPY].least_cpu_s
    for (step, name), figures in found.items():
        least = figures.least_cpu_s
        numbers = {"CPU ms, least": 1000 * least, "CPU ms": 1000 * figures.cpu_s, "over copy": least / copy_s}
        if step == ALIKE and name != OWN:
            unlike = np.abs(figures.cold.answer.astype(np.int16) - found[step, OWN].cold.answer) > 2
            numbers["share of pixels unlike"] = float(unlike.mean())
        yield from figures_of("prepare", name, step, numbers)
    for step in ("flatten", "sauvola"):
        peers = [f.least_cpu_s for (each, name), f in found.items() if each == step and "carrel" not in name]
        yield Figure("prepare", OWN, step, "gain", min(peers) / found[step, OWN].least_cpu_s)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of all contestants."""
    cv2.setNumThreads(1)
    page = page_of(options)
    target = np.empty_like(page)
    with ExitStack() as stack:
        works: dict[Step, Work] = {COPY: lambda: np.copyto(target, page), **contestants(page)}
        if not options.quick:
            works |= in_their_environment(stack, page, options)
        yield from numbers_of(in_turns(works, options.rounds))
