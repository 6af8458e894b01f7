"""Does memory grow? Many pages through one process, its resident memory along the way.

``python -m carrel_bench.soak --pages DIR [--count 1000] [--width 900 --height 500]`` reads pieces of the pages in DIR, each
cut out at another place and of another size, so that no two have lines of the same widths. Prints resident memory every
hundredth page; the exit code is 1 where the last is more than 3 % above that after the first hundred.
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import carrel
from carrel.image.source import Scan, open_scans

MOST_GROWTH = 0.03
EVERY = 100
_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Soak:
    """``resident_mib`` after every hundredth page, and what was read."""

    pages: int
    lines: int
    seconds: float
    resident_mib: tuple[float, ...]

    @property
    def growth(self) -> float:
        """Share by which the last figure is above the first."""
        return self.resident_mib[-1] / self.resident_mib[0] - 1


def resident_mib() -> float:
    """Resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


def pieces(pages: Sequence[Scan], count: int, width_px: int, height_px: int, seed: int = 1) -> Iterator[Scan]:
    """Pieces of the pages, half to one and a half times as wide and high as asked for, never twice the same."""
    chance = random.Random(seed)
    for _ in range(count):
        scan = chance.choice(pages)
        height, width = scan.gray.shape
        wide = min(width, int(width_px * chance.uniform(0.5, 1.5)))
        high = min(height, int(height_px * chance.uniform(0.5, 1.5)))
        left, top = chance.randint(0, width - wide), chance.randint(0, height - high)
        yield replace(scan, gray=scan.gray[top : top + high, left : left + wide].copy())


def soak(reader: carrel.Reader, scans: Iterator[Scan], every: int = EVERY, *, show: bool = False) -> Soak:
    """Read all scans with one reader."""
    start, lines, resident, number = time.perf_counter(), 0, list[float](), 0
    for number, scan in enumerate(scans, 1):
        lines += len(reader.read_scan(scan).lines)
        if number % every == 0:
            gc.collect()
            resident.append(resident_mib())
            if show:
                print(f"{number:6,} pages  {lines:7,} lines  {resident[-1]:8.1f} MiB", flush=True)
    return Soak(number, lines, time.perf_counter() - start, tuple(resident))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print resident memory along the way."""
    parser = argparse.ArgumentParser(prog="carrel_bench.soak", description="Does memory grow over many pages?")
    parser.add_argument("--pages", type=Path, required=True, help="folder of scans to cut pieces from")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--every", type=int, default=EVERY, help="pages between figures")
    parser.add_argument("--width", type=int, default=900, help="of the pieces, px, on average")
    parser.add_argument("--height", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    files = sorted(path for path in options.pages.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not files or options.count < 2 * options.every:
        print("carrel_bench.soak: no scans there, or fewer than two figures to compare", file=sys.stderr)
        return 2
    scans = [next(open_scans(path, 250)) for path in files]
    reader = carrel.Reader(carrel.ReadOptions(threads=options.threads))
    print(f"Carrel {carrel.__version__}, {platform.machine()}, Python {platform.python_version()}, {len(files)} scans")
    done = soak(reader, pieces(scans, options.count, options.width, options.height), options.every, show=True)
    print(f"{done.pages:,} pages, {done.lines:,} lines in {done.seconds:,.0f} s; growth {100 * done.growth:+.1f} %")
    return int(done.growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
