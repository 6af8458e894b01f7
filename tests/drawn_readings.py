"""A page function for tests of batches: real pages whose text follows from the scan and the options, without recognition.

What is real: workers' own code around it, which carries corrections over and writes every format.
"""

from __future__ import annotations

import hashlib

from carrel.identity import with_ids
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.page import Line, Page, Provenance, Region, Writing
from carrel.workers.messages import Work
from carrel.workers.pages import PagesReader

ENTRY = "drawn_readings:open_readings"
LINES = 3


def text_of(digest: str, number: int, options: ReadOptions) -> str:
    """What line ``number`` of a scan is read as."""
    return f"{'flat' if options.flatten else 'plain'} {digest[:8]} line {number}"


def digest_of(scan: Scan) -> str:
    return hashlib.sha256(scan.gray.tobytes()).hexdigest()


class _Reader:
    """Stands for `carrel.reader.Reader`: lines stand elsewhere where the page is not to be deskewed."""

    models = ("drawn@1",)

    def __init__(self, options: ReadOptions) -> None:
        self.options = options

    def read_scan(self, scan: Scan) -> Page:
        height, width = scan.gray.shape
        down = 0 if self.options.deskew else 7
        lines = tuple(self._line(digest_of(scan), number, 12 * number + 10 + down, width) for number in range(LINES))
        outline = ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))
        regions = with_ids([Region("MainZone", outline, lines)])
        return Page(width, height, scan.dpi, regions, scan.source, Provenance("Carrel"))

    def _line(self, digest: str, number: int, y: int, width: int) -> Line:
        outline = ((1, y - 7), (width - 2, y - 7), (width - 2, y + 2), (1, y + 2))
        text = text_of(digest, number, self.options)
        return Line(((1, y), (width - 2, y)), outline, Writing("printed", 0.9), text, 0.9)


class DrawnReadings(PagesReader):
    def __init__(self, work: Work) -> None:
        self._review_below = work.review_below
        self._reader = _Reader(work.options)  # type: ignore[assignment]


def open_readings(work: Work) -> DrawnReadings:
    return DrawnReadings(work)
