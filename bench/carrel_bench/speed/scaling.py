"""More threads, more pages, larger pages: seconds and memory, a process for each case.

Cases are threads from 1 to the number of cores, numbers of pages, and sizes in megapixels; ``--far`` goes to 1,000 pages
and 100 megapixels and takes an hour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import carrel
from carrel.backends.settings import allowed_cores
from carrel.image.source import Scan, open_scans
from carrel_bench.figures import Figure, figures_of
from carrel_bench.peers.print_pages import OWN_PAGES
from carrel_bench.worker import Worker

QUICK = ((1, 3), (1, 4))
USUAL = ((1, 10, 30), (1, 4, 16, 50))
FAR = ((1, 10, 100, 1000), (1, 4, 16, 50, 100))
"""Numbers of pages, and megapixels."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the page and how far to go."""
    parser.add_argument("--page", type=Path, default=OWN_PAGES / "french.jpg")
    parser.add_argument("--far", action="store_true", help="1,000 pages and 100 megapixels")


def resized(scan: Scan, megapixels: int) -> Scan:
    """Return the page at another resolution; 0 leaves it as it is."""
    import cv2

    if not megapixels:
        return scan
    factor = (megapixels * 1e6 / scan.gray.size) ** 0.5
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    gray = np.asarray(cv2.resize(scan.gray, None, fx=factor, fy=factor, interpolation=interpolation), np.uint8)
    return replace(scan, gray=gray, dpi=scan.dpi * factor if scan.dpi else None)


def start(image: str, threads: str, megapixels: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers `measure` in a process of its own: it reads the page so many times."""
    reader = carrel.Reader(carrel.ReadOptions(threads=int(threads)))
    scan = resized(next(open_scans(Path(image), 250)), int(megapixels))

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        for _ in range(question["pages"]):
            reader.read_scan(scan)
        return {}

    return answer


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield seconds and CPU seconds a page after the first, and the peak of resident memory."""
    pages, sizes = QUICK if options.quick else FAR if options.far else USUAL
    image = options.page
    cases = [(f"{threads} threads", (threads, 1, 0)) for threads in range(1, allowed_cores() + 1)]
    cases += [(f"{count} pages", (1, count, 0)) for count in pages[1:]]
    cases += [(f"{size} megapixels", (1, 1, size)) for size in sizes]
    for case, (threads, count, size) in cases:
        with Worker(sys.executable, Path(__file__), [str(image), str(threads), str(size)]) as worker:
            worker.ask(pages=1)
            cost = worker.asking(pages=count)()
        numbers = {"s/page": cost.wall_s / count, "CPU s/page": cost.cpu_s / count, "peak MiB": cost.peak_mib}
        yield from figures_of("scaling", "carrel", case, numbers)
