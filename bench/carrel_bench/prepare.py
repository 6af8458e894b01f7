"""Preparing a page: paper division and Sauvola's threshold, Carrel beside OpenCV, scikit-image and doxapy.

``python -m carrel_bench.prepare [--page FILE] [--repeats N] [--json]``

Every contestant runs on the same A4 page at 300 dpi (drawn here unless one is given), on one thread, taking turns; CPU
milliseconds are the minimum and the median over the rounds. scikit-image and doxapy run in a process with packages of its
own, installed at the first time; where they cannot be, they are left out, and named. OpenCV's own ways to divide by the paper are measured at full size, as its users write them; Carrel's default does the same work
as its compiled kernel with OpenCV on a coarse grid, and spares a process that needs no kernels the loading of numba.
``x copy`` is the ratio to a plain copy of the page between two arrays, ``gain`` the fastest peer's time by Carrel's. Last
come wall-clock milliseconds of Carrel's own with its rows in one and in several threads, and whether all pixels agree.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel_bench.peers import PeerError, Worker, peer_python
from carrel_bench.prepare_worker import CONTESTANTS, ENVELOPE_PX, WINDOW, K

Gray = NDArray[np.uint8]
PACKAGES = ("numpy==2.4.6", "scikit-image==0.26.0", "doxapy==0.9.2")


@dataclass(frozen=True, slots=True)
class Contestant:
    """``run`` takes the page; ``own`` is Carrel's compiled one; slow ones run three rounds only; the ``same`` compute
    what Carrel computes, others mean to. ``timed`` gives the milliseconds of one run, where another process knows them."""

    step: str
    name: str
    run: Callable[[Gray], Gray]
    own: bool = False
    slow: bool = False
    same: bool = False
    timed: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU milliseconds; ``differs`` is the share of pixels unlike Carrel's by more than 2 gray levels, None for other
    methods."""

    step: str
    name: str
    own: bool
    minimum_ms: float
    median_ms: float
    times_copy: float
    differs: float | None


def drawn_page(width: int = 2480, height: int = 3508) -> Gray:
    """Lines of letters on paper under uneven light; the same each time."""
    rng = np.random.default_rng(1)
    page = np.full((height, width), 235, np.uint8)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz      "))
    for y in range(300, height - 250, 66):
        text = "".join(rng.choice(letters, 70))
        cv2.putText(page, text, (240, y), cv2.FONT_HERSHEY_COMPLEX, 1.25, 40, 3, cv2.LINE_AA)
    across, down = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    light = 1 - 0.4 * ((across - 0.3) ** 2 + (down - 0.2) ** 2)
    noise = 3 * rng.standard_normal(page.shape, np.float32)
    return np.rint((page * light + noise).clip(0, 255)).astype(np.uint8)


def contestants(stack: ExitStack, page: Gray, others: bool) -> list[Contestant]:
    """Carrel, OpenCV, and with ``others`` whatever else can be installed."""
    return [*_flatteners(), *_thresholds(), *(_others(stack, page) if others else ())]


def _flatteners() -> Iterator[Contestant]:
    from carrel.image import prepare
    from carrel.kernels import prepare as kernels

    def compiled(gray: Gray) -> Gray:
        background, cell_px = prepare.background_of(gray)
        return kernels.flatten(gray, (255 / background).astype(np.float32), cell_px)

    yield Contestant("flatten", "carrel, compiled", compiled, own=True)
    yield Contestant("flatten", "carrel, opencv (default)", prepare.flatten_illumination, same=True)
    yield Contestant("flatten", "opencv: mean filter", _opencv_mean)
    yield Contestant("flatten", "opencv: closing", _opencv_closing)
    yield Contestant("flatten", "opencv: median filter", _opencv_median, slow=True)


def _thresholds() -> Iterator[Contestant]:
    from carrel.kernels import prepare as kernels

    yield Contestant("sauvola", "carrel, compiled", lambda gray: kernels.sauvola(gray, WINDOW, K), own=True)
    yield Contestant("sauvola", "opencv: box filters", _opencv_sauvola, same=True)


def _others(stack: ExitStack, page: Gray) -> Iterator[Contestant]:
    """Those of `carrel_bench.prepare_worker`, in a process that ends with the stack."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    files = folder / "page.npy", folder / "result.npy"
    np.save(files[0], page)
    try:
        python = peer_python("pixels", PACKAGES)
        script = Path(__file__).with_name("prepare_worker.py")
        worker = stack.enter_context(Worker(python, script, [str(file) for file in files]))
    except PeerError as error:
        print(f"left out: {error}", file=sys.stderr)
        return

    def spend(name: str) -> float:
        return worker.ask(name=name)["ms"]

    def result(name: str, _page: Gray) -> Gray:
        spend(name)
        return np.load(files[1])

    for name in CONTESTANTS:
        step = "flatten" if name.endswith("gaussian") else "sauvola"
        image = "scikit-image" in name
        yield Contestant(step, name, partial(result, name), False, image, step == "sauvola", partial(spend, name))


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


def measure(page: Gray, repeats: int, others: bool = True) -> tuple[list[Timing], float]:
    """Timings of all contestants, taking turns, and of a plain copy in ms."""
    with ExitStack() as stack:
        return _in_turns(contestants(stack, page, others), page, repeats)


def _in_turns(field: list[Contestant], page: Gray, repeats: int) -> tuple[list[Timing], float]:
    target = np.empty_like(page)
    results = {id(one): one.run(page) for one in field}  # the first call compiles and loads
    spent: dict[int, list[float]] = {id(one): [] for one in field}
    copies: list[float] = []
    for turn in range(repeats):
        copies.append(_cpu_ms(lambda: np.copyto(target, page)))
        for one in field:
            if not one.slow or turn < 3:
                spent[id(one)].append(one.timed() if one.timed else _cpu_ms(lambda run=one.run: run(page)))
    copy_ms = min(copies)
    own = {one.step: results[id(one)] for one in field if one.own}
    return [_timing(one, spent[id(one)], copy_ms, results[id(one)], own[one.step]) for one in field], copy_ms


def _cpu_ms(run: Callable[[], object]) -> float:
    start = time.process_time_ns()
    run()
    return (time.process_time_ns() - start) / 1e6


def _timing(one: Contestant, spent: list[float], copy_ms: float, result: Gray, own: Gray) -> Timing:
    differs = float((np.abs(result.astype(np.int16) - own) > 2).mean()) if one.same else None
    return Timing(one.step, one.name, one.own, min(spent), statistics.median(spent), min(spent) / copy_ms, differs)


def gains(timings: list[Timing]) -> dict[str, tuple[str, float]]:
    """For each step the fastest peer, and its time by that of Carrel's compiled kernel."""
    found: dict[str, tuple[str, float]] = {}
    for own in (timing for timing in timings if timing.own):
        peers = [timing for timing in timings if timing.step == own.step and "carrel" not in timing.name]
        fastest = min(peers, key=lambda timing: timing.minimum_ms)
        found[own.step] = (fastest.name, fastest.minimum_ms / own.minimum_ms)
    return found


@dataclass(frozen=True, slots=True)
class InThreads:
    """Wall-clock milliseconds, the minimum; ``agrees`` where no pixel depends on the number of threads."""

    step: str
    threads: int
    alone_ms: float
    together_ms: float
    agrees: bool


def measure_threads(page: Gray, repeats: int, threads: int) -> list[InThreads]:
    """What splitting the rows among threads gives, in turns with one thread."""
    from carrel.image import prepare
    from carrel.kernels import prepare as kernels

    background, cell_px = prepare.background_of(page)
    gain = (255 / background).astype(np.float32)
    steps: dict[str, Callable[[int], Gray]] = {
        "flatten, compiled": lambda n: kernels.flatten(page, gain, cell_px, n),
        "sauvola, compiled": lambda n: kernels.sauvola(page, WINDOW, K, threads=n),
    }
    return [_in_threads(step, run, repeats, threads) for step, run in steps.items()]


def _in_threads(step: str, run: Callable[[int], Gray], repeats: int, threads: int) -> InThreads:
    agrees = np.array_equal(run(1), run(threads))
    spent: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(repeats):
        for count, found in spent.items():
            began = time.perf_counter_ns()
            run(count)
            found.append((time.perf_counter_ns() - began) / 1e6)
    return InThreads(step, threads, min(spent[1]), min(spent[threads]), agrees)


def _versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "opencv-python-headless")}
    for package in PACKAGES[1:]:
        name, _, found[name] = package.partition("==")
    return found


def _print(timings: list[Timing], copy_ms: float, spread: list[InThreads], page: Gray) -> None:
    height, width = page.shape
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread")
    print(", ".join(f"{name} {version}" for name, version in _versions().items()))
    print(f"page {width} x {height} px, plain copy {copy_ms:.2f} ms\n")
    print(f"{'step':8} {'contestant':26} {'min ms':>8} {'median':>8} {'x copy':>7} {'differs':>8}")
    for one in timings:
        differs = "" if one.differs is None else f"{one.differs:.3%}"
        numbers = f"{one.minimum_ms:8.2f} {one.median_ms:8.2f} {one.times_copy:7.1f} {differs:>8}"
        print(f"{one.step:8} {one.name:26} {numbers}")
    print()
    for step, (name, gain) in gains(timings).items():
        print(f"{step}: {gain:.2f} times as fast as {name}")
    print()
    for row in spread:
        times = f"{row.alone_ms:.2f} ms in one thread, {row.together_ms:.2f} ms in {row.threads}"
        print(f"{row.step}: {times}, {'the same pixels' if row.agrees else 'OTHER PIXELS'}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description="Time paper division and Sauvola's threshold beside peers.")
    parser.add_argument("--page", type=Path, help="a scan to use instead of the drawn page")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="for rows in several threads")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    page = drawn_page()
    if arguments.page:
        from carrel.image.source import open_scans

        page = next(open_scans(arguments.page, 250.0)).gray
    timings, copy_ms = measure(page, arguments.repeats)
    spread = measure_threads(page, arguments.repeats, max(2, arguments.threads))
    if arguments.json:
        report: dict[str, Any] = {"copy_ms": copy_ms, "versions": _versions(), "gains": gains(timings)}
        rows = {"timings": [asdict(timing) for timing in timings], "threads": [asdict(row) for row in spread]}
        print(json.dumps(report | rows))
    else:
        _print(timings, copy_ms, spread, page)


if __name__ == "__main__":
    main()
