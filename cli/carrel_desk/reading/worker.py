"""Tasks of the desk's workers beside reading: tiles for the screen, and documents of corrected pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from carrel.assembly import found_regions
from carrel.formats import FORMATS
from carrel.formats.json_page import parse
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.workers.messages import PageRead, Work
from carrel.workers.pages import PagesReader
from carrel_desk.reading.tiles import TILES, pack_tiles

DESK_PAGES = "carrel_desk.reading.worker:open_pages"


class DeskReader(PagesReader):
    """A reader of pages that also makes `TILES`, and writes several pages of one file as one document."""

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        read = super().__call__(scan, tuple(name for name in formats if name != TILES), contents)
        if TILES not in formats:
            return read
        return msgspec.structs.replace(read, files={**read.files, TILES: pack_tiles(scan.gray)})

    def again(self, earlier: bytes, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        """Read the lines of a page where they stand; their ids stay."""
        known = parse(earlier)
        read = self._reader.read_regions(scan, found_regions(known))
        ids = iter([line.id for line in known.lines])
        regions = tuple(
            replace(region, lines=tuple(replace(line, id=next(ids)) for line in region.lines))
            for region in read.regions
        )
        return self._outcome(replace(read, regions=regions), scan, formats, contents)

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        """Return pages that were read before, one a line of JSON, in these formats."""
        return written_out(stored, formats, contents, self._reader.options)


def written_out(
    stored: bytes, formats: tuple[str, ...], contents: Callable[[], bytes], options: ReadOptions
) -> dict[str, bytes]:
    """Return pages of one file, one a line of JSON, as one document in each format."""
    pages = [parse(line) for line in stored.splitlines() if line.strip()]
    scan = contents()
    if len(pages) == 1:
        return {name: FORMATS[name].write(pages[0], scan, options) for name in formats}
    return {name: FORMATS[name].write_document([(page, scan) for page in pages], options).data for name in formats}


def open_pages(work: Work) -> DeskReader:
    """Return the page function of the desk's workers.

    Raises
    ------
    ModelError
        A model or language is missing or damaged.
    """
    return DeskReader(msgspec.structs.replace(work, options=replace(work.options)))
