"""Suite ``scaling``: more threads, more pages, larger pages; a process for each, by itself.

``python -m carrel_bench.scaling IMAGE THREADS PAGES MEGAPIXELS`` reads a page so many times, enlarged or reduced to so many
megapixels (0: as it is), and prints JSON: seconds and CPU seconds a page after the first, peak of resident memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import carrel
from carrel import budget
from carrel.backends.settings import allowed_cores
from carrel.image.source import Scan, open_scans
from carrel_bench.figures import Figure


@dataclass(frozen=True)
class Reach:
    """How far the suite goes."""

    pages: tuple[int, ...]
    megapixels: tuple[int, ...]


QUICK = Reach((1, 3), (1, 4))
USUAL = Reach((1, 10, 30), (1, 4, 16, 50))
FAR = Reach((1, 10, 100, 1000), (1, 4, 16, 50, 100))


def resized(scan: Scan, megapixels: int) -> Scan:
    """The page at another resolution."""
    import cv2

    if not megapixels:
        return scan
    factor = (megapixels * 1e6 / scan.gray.size) ** 0.5
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    gray = np.asarray(cv2.resize(scan.gray, None, fx=factor, fy=factor, interpolation=interpolation), np.uint8)
    return replace(scan, gray=gray, dpi=scan.dpi * factor if scan.dpi else None)


def read(image: Path, threads: int, pages: int, megapixels: int) -> dict[str, float]:
    """What reading takes."""
    reader = carrel.Reader(carrel.ReadOptions(threads=threads))
    scan = resized(next(open_scans(image, 250)), megapixels)
    reader.read_scan(scan)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(pages):
        reader.read_scan(scan)
    return {
        "s/page": (time.perf_counter() - began) / pages,
        "CPU s/page": (time.process_time() - cpu) / pages,
        "peak MiB": budget.peak_bytes() / budget.MIB,
    }


def measure(image: Path, reach: Reach) -> Iterator[Figure]:
    """Threads from 1 to the number of cores, then numbers of pages, then sizes."""
    cases = [(f"{threads} threads", (threads, 1, 0)) for threads in range(1, allowed_cores() + 1)]
    cases += [(f"{pages} pages", (1, pages, 0)) for pages in reach.pages[1:]]
    cases += [(f"{size} megapixels", (1, 1, size)) for size in reach.megapixels]
    for case, arguments in cases:
        command = [sys.executable, "-m", "carrel_bench.scaling", str(image), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for name, value in json.loads(done.stdout).items():
            yield Figure("scaling", name, "", case, value)


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
