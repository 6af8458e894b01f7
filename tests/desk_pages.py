"""A page function for tests of the server and the desk: real processes and real decoding, a page that is drawn up at once.

The scan's top left corner says what the page does to its worker, as in `batch_pages`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import batch_pages
from carrel.formats import FORMATS
from carrel.formats.json_page import parse
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.page import Alternative, Box, Line, Page, Provenance, Region, Word, Writing
from carrel.workers.messages import PageRead, Work
from carrel_desk.reading.tiles import TILES, pack_tiles
from carrel_desk.reading.worker import written_out

ENTRY = "desk_pages:open_pages"
TEXTS = ("first line", "secund line", "", "faurth and last")
CONFIDENCES = (0.99, 0.6, 0.0, 0.7)


def drawn_page(scan: Scan) -> Page:
    """A page of four lines: one sure, one doubtful, one refused, one less doubtful."""
    height_px, width_px = scan.gray.shape
    lines = tuple(_line(number, text, width_px, height_px) for number, text in enumerate(TEXTS))
    region = Region("MainZone", ((0, 0), (width_px, 0), (width_px, height_px), (0, height_px)), lines, "r0")
    return Page(width_px, height_px, scan.dpi, (region,), scan.source, Provenance("Carrel", ("drawn@000000000000",)))


def _line(number: int, text: str, width_px: int, height_px: int) -> Line:
    top, bottom = number * height_px // 4, (number + 1) * height_px // 4 - 2
    outline = ((1, top), (width_px - 1, top), (width_px - 1, bottom), (1, bottom))
    step = (width_px - 2) // max(1, len(text.split()))
    words = tuple(
        Word(word, Box(1 + i * step, top, (i + 1) * step, bottom), CONFIDENCES[number] - 0.01 * i)
        for i, word in enumerate(text.split())
    )
    return Line(
        ((1, bottom - 1), (width_px - 1, bottom - 1)),
        outline,
        Writing("handwritten" if number % 2 else "printed", 0.9),
        text,
        CONFIDENCES[number],
        words,
        (Alternative(text.replace("secund", "second"), 0.5, "ctc"),) if number == 1 else (),
        "ctc" if text else "",
        id=f"r0l{number}",
    )


class Drawn:
    """A page function without models."""

    identity = "drawn@000000000000"

    def page(self, scan: Scan) -> Page:
        """Return what is on the scan."""
        return drawn_page(scan)

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        batch_pages._act(int(scan.gray[0, 0]) // 10)  # pyright: ignore[reportPrivateUsage]
        page = replace(self.page(scan), source=scan.source)
        files = {name: FORMATS[name].write(page, contents()) for name in formats if name in FORMATS}
        if TILES in formats:
            files[TILES] = pack_tiles(scan.gray)
        return PageRead(files, len(page.lines), len(page.refused), 3)

    def again(self, earlier: bytes, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        page = parse(earlier)
        regions = tuple(
            replace(
                region,
                lines=tuple(replace(line, text=f"read {line.id}", confidence=0.5, words=()) for line in region.lines),
            )
            for region in page.regions
        )
        return PageRead({"json": FORMATS["json"].write(replace(page, regions=regions))}, len(page.lines), 0, 0)

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        return written_out(stored, formats, contents, ReadOptions())


def open_pages(work: Work) -> Drawn:
    """Return the page function."""
    return Drawn()
