"""Resident memory does not grow over many pages of many widths in one process.

``CARREL_SOAK_PAGES=1000 pytest tests/engine/test_memory_soak.py -s`` reads more of them, which takes minutes.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import carrel
from carrel.image.source import Scan, open_scans
from carrel_bench.answer import resident_mib

PAGES = int(os.environ.get("CARREL_SOAK_PAGES", "60"))
MOST_GROWTH = 0.03
PIECE_PX = (700, 250)
"""Width and height of a piece, on average."""
SAMPLES = Path(__file__).parents[1] / "pages"


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


def test_pieces_differ() -> None:
    scans = list(open_scans(SAMPLES / "letter.jpg", 50))
    assert len({piece.gray.shape for piece in pieces(scans, 4, (500, 150))}) == 4


def test_resident_memory_does_not_grow() -> None:
    scans = [next(open_scans(SAMPLES / f"{name}.jpg", 50)) for name in ("letter", "french")]
    reader = carrel.Reader(carrel.ReadOptions(threads=1))
    (_, first), *_, (_, last) = soak(reader, pieces(scans, PAGES), PAGES // 3)
    assert last / first - 1 < MOST_GROWTH, f"{first:.1f} to {last:.1f} MiB"
