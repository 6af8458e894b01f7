"""Does memory grow? Many pages through one process, its resident memory along the way.

``python -m carrel_bench soak --data DIR [--count 1000]`` reads pieces of the pages in DIR (without it, of the sample letter),
each cut out at another place and of another size, so that no two have lines of the same widths; resident memory every
hundredth page. The exit code is 1 where the last is more than 3 % above that after the first hundred.
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import carrel
from carrel.image.files import PICTURE_SUFFIXES
from carrel.image.source import Scan, open_scans
from carrel_bench.answer import resident_mib
from carrel_bench.figures import BenchError, Figure, warn
from carrel_bench.peers.print_pages import OWN_PAGES

MOST_GROWTH = 0.03
PIECE_PX = (900, 500)
"""Width and height of a piece, on average."""
MOST_MEGAPIXELS = 250


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how many pages."""
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100, help="pages between figures")


def pieces(pages: Sequence[Scan], count: int, size_px: tuple[int, int] = PIECE_PX, seed: int = 1) -> Iterator[Scan]:
    """Yield pieces of the pages, half to one and a half times as wide and high as asked for, never twice the same."""
    chance = random.Random(seed)
    for _ in range(count):
        scan = chance.choice(pages)
        height, width = scan.gray.shape
        wide = min(width, int(size_px[0] * chance.uniform(0.5, 1.5)))
        high = min(height, int(size_px[1] * chance.uniform(0.5, 1.5)))
        left, top = chance.randint(0, width - wide), chance.randint(0, height - high)
        yield replace(scan, gray=scan.gray[top : top + high, left : left + wide].copy())


def soak(reader: carrel.Reader, scans: Iterable[Scan], every: int) -> Iterator[tuple[int, float]]:
    """Read all scans with one reader; after every so many, their number and the resident memory in MiB."""
    for number, scan in enumerate(scans, 1):
        reader.read_scan(scan)
        if number % every == 0:
            gc.collect()
            yield number, resident_mib()


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield resident memory along the way, and its growth.

    Raises
    ------
    BenchError
        It grows, or there are fewer than two figures to compare.
    """
    count, every = getattr(options, "count", 1000), getattr(options, "every", 100)
    if count < 2 * every:
        raise BenchError("soak: fewer than two figures to compare; --count is less than twice --every", 2)
    folder = options.data or OWN_PAGES
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    scans = [next(open_scans(path, MOST_MEGAPIXELS)) for path in files]
    reader = carrel.Reader(carrel.ReadOptions(threads=1))
    resident: list[float] = []
    for number, mib in soak(reader, pieces(scans, count), every):
        resident.append(mib)
        warn(f"{number:,} pages: {mib:.1f} MiB")
        yield Figure("soak", "carrel", str(number), "resident MiB", mib)
    growth = resident[-1] / resident[0] - 1
    yield Figure("soak", "carrel", "", "share grown", growth)
    if growth > MOST_GROWTH:
        raise BenchError(f"soak: resident memory grew by {growth:.1%}")
