"""The soak bench still runs and can tell growth."""

from __future__ import annotations

from pathlib import Path

import carrel
from carrel.image.source import open_scans
from carrel_bench.soak import Soak, pieces, resident_mib, soak

PAGE = Path(__file__).resolve().parents[1] / "pages" / "letter.jpg"


def test_pieces_differ_and_are_read() -> None:
    scans = list(open_scans(PAGE, 50))
    cut = list(pieces(scans, 4, 500, 150))
    assert len({piece.gray.shape for piece in cut}) == 4
    done = soak(carrel.Reader(carrel.ReadOptions(threads=1)), iter(cut[:2]), 1)
    assert (done.pages, len(done.resident_mib)) == (2, 2)


def test_growth_is_told() -> None:
    before = resident_mib()
    hoard = bytearray(b"x" * 50 * 2**20)
    assert resident_mib() - before > 40
    assert hoard and Soak(200, 0, 1.0, (100.0, 104.0)).growth > 0.03
