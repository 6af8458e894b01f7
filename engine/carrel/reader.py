"""The whole path of a page: scan, prepare, find lines, cut them out, read them, put the page together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import carrel
from carrel.assembly import ScanFrame, assemble_regions
from carrel.engines import load_engines
from carrel.errors import InputError
from carrel.image.crop import cut_line
from carrel.image.prepare import binarize, prepare
from carrel.image.source import Scan, count_pages, open_scans
from carrel.layout import FoundRegion, find_regions, uncovered_ink
from carrel.options import ReadOptions
from carrel.page import Page, Provenance


class Reader:
    """Reads pages; holds the recognizers, so that one reader serves many pages.

    Parameters
    ----------
    options
        See `ReadOptions`.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged; raised at once, before any page is opened.
    UsageError
        A device that was asked for is not there, or nothing fits into the memory.
    """

    def __init__(self, options: ReadOptions | None = None) -> None:
        self.options = options or ReadOptions()
        self._engines = load_engines(self.options)
        self.threads = self._engines.plan.threads

    def read_scan(self, scan: Scan) -> Page:
        """Text of one scan."""
        height_px, width_px = scan.gray.shape
        found, skew_degrees, missed = self._find(scan)
        source = binarize(scan.gray) if self.options.binarize else scan.gray
        crops = [cut_line(source, line.baseline, line.polygon) for region in found for line in region.lines]
        threads = self._engines.threads_for(scan.gray.size)
        readings = self._engines.router.read([crop.gray for crop in crops], threads)
        regions = assemble_regions(ScanFrame(width_px, height_px), found, crops, readings)
        return Page(width_px, height_px, scan.dpi, regions, scan.source, self._provenance(skew_degrees), missed)

    def _find(self, scan: Scan) -> tuple[list[FoundRegion], float, float]:
        """Regions in px of the scan, its skew in degrees, and the share of ink outside all lines.

        Lines are found on the prepared page but read from the scan itself: flattening and turning cost detail.
        """
        prepared = prepare(scan.gray)
        found = find_regions(prepared.gray, scan.dpi, self._engines.heatmaps)
        missed = round(uncovered_ink(prepared.gray, found), 4)
        return [region.moved(prepared.to_scan) for region in found], prepared.skew_degrees, missed

    def pages(self, path: Path | str) -> Iterator[Page]:
        """The pages of a file, one after the other.

        Raises
        ------
        InputError
            The file cannot be read as an image or PDF; the message says why.
        """
        for scan in open_scans(Path(path), self.options.max_megapixels):
            yield self.read_scan(scan)

    def read(self, path: Path | str) -> Page:
        """The page of a file that holds one page; `pages` reads files with several.

        Raises
        ------
        InputError
            The file cannot be read, or holds more than one page.
        """
        count = count_pages(Path(path))
        if count != 1:
            raise InputError(f"{path}: holds {count} pages; read them with carrel.Reader().pages(path)")
        return next(self.pages(path))

    @property
    def models(self) -> tuple[str, ...]:
        """The models in use, as ``name@sha256[:12]``."""
        return self._engines.models

    def _provenance(self, skew_degrees: float) -> Provenance:
        software = f"Carrel {carrel.__version__}"
        return Provenance(software, self.models, self.options.languages, round(skew_degrees, 3))


def read(path: Path | str, options: ReadOptions | None = None) -> Page:
    """Read a file that holds one page; see `Reader.read`."""
    return Reader(options).read(path)
