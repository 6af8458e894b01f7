"""The whole path of a page: scan, prepare, find lines, cut them out, read them, put the page together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import carrel
from carrel.assembly import ScanFrame, assemble_regions
from carrel.budget import Budget
from carrel.errors import InputError
from carrel.image.crop import Crop, cut_line
from carrel.image.prepare import binarize, prepare, turned
from carrel.image.source import Scan, count_pages, open_scans
from carrel.layout import FoundLine, FoundRegion, PageInk, find_regions, uncovered_ink
from carrel.loading import load_engines
from carrel.options import ReadOptions
from carrel.orientation import (
    LEGIBLE,
    SURELY_UPRIGHT,
    confidence_of,
    legibility,
    longest,
    quarters_of,
    upside_down,
)
from carrel.page import Page, Provenance
from carrel.recognizers.routing import Reading, languages_of


@dataclass(frozen=True)
class _Sight:
    """What layout analysis made of a scan: regions in px of the scan, by how much its lines fall to the right (90 and
    more where it lies on its side or head), and the share of ink outside all lines."""

    regions: tuple[FoundRegion, ...]
    skew_degrees: float
    uncovered_ink: float

    @property
    def lines(self) -> tuple[FoundLine, ...]:
        return tuple(line for region in self.regions for line in region.lines)


class Reader:
    """Reads pages; holds the recognizers, so that one reader serves many pages.

    Parameters
    ----------
    options
        See `ReadOptions`.
    files
        What will be read, where that is known: within a memory limit the runtime is chosen for their largest page.
    budget
        The memory of this process; several readers share one. None takes the one in use, or makes it of the options.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged; raised at once, before any page is opened.
    UsageError
        A device that was asked for is not there, nothing fits into the memory, or another budget is in use.
    """

    def __init__(
        self, options: ReadOptions | None = None, files: Sequence[Path] = (), budget: Budget | None = None
    ) -> None:
        self.options = options or ReadOptions()
        self._engines = load_engines(self.options, files, budget)
        self.threads = self._engines.plan.threads

    def read_scan(self, scan: Scan) -> Page:
        """Text of one scan."""
        height_px, width_px = scan.gray.shape
        sight = self._find(scan, 0)
        crops, readings = self._read_lines(scan, sight.lines)
        quarters = self._quarters(scan, sight, readings)
        if quarters:
            sight = self._find(scan, quarters)
            crops, readings = self._read_lines(scan, sight.lines)
        regions = assemble_regions(ScanFrame(width_px, height_px), sight.regions, crops, readings)
        provenance = self._provenance(sight.skew_degrees, readings)
        return Page(width_px, height_px, scan.dpi, regions, scan.source, provenance, sight.uncovered_ink)

    def _find(self, scan: Scan, quarters: int) -> _Sight:
        """The lines of a page that is to be turned counterclockwise by ``quarters`` right angles.

        Lines are found on the prepared page but read from the scan itself: flattening and turning cost detail.
        """
        gray, to_scan = turned(scan.gray, quarters) if quarters else (scan.gray, np.eye(2, 3))
        prepared = prepare(gray, whiten=self.options.flatten, deskew=self.options.deskew)
        page = PageInk(prepared.gray)
        found = find_regions(page, scan.dpi, self._engines.heatmaps)
        missed = round(uncovered_ink(page, found), 4)
        moved = [region.moved(prepared.to_scan).moved(to_scan) for region in found]
        return _Sight(tuple(moved), prepared.skew_degrees + 90.0 * quarters, missed)

    def _read_lines(self, scan: Scan, lines: Sequence[FoundLine]) -> tuple[list[Crop], list[Reading]]:
        source = binarize(scan.gray, self.threads) if self.options.binarize else scan.gray
        crops = [cut_line(source, line.baseline, line.polygon) for line in lines]
        threads = self._engines.threads_for(scan.gray.size)
        return crops, self._engines.router.read([crop.gray for crop in crops], threads)

    def _quarters(self, scan: Scan, sight: _Sight, readings: Sequence[Reading]) -> int:
        """By how many right angles the page must be turned to be read; only doubtful pages are tried."""
        if (sight.uncovered_ink == 0 and not sight.lines) or confidence_of(readings) >= SURELY_UPRIGHT:
            return 0  # nothing to read, or well read as it lies
        sample = longest(sight.regions)
        tried = {0: legibility([readings[k] for k in sample])}
        tried[2] = legibility(self._read_lines(scan, [upside_down(sight.lines[k]) for k in sample])[1])
        if max(tried.values()) < LEGIBLE:
            for quarters in (1, 3):
                other = self._find(scan, quarters)
                lines = [other.lines[k] for k in longest(other.regions)]
                tried[quarters] = legibility(self._read_lines(scan, lines)[1])
        return quarters_of(tried)

    def pages(self, path: Path | str) -> Iterator[Page]:
        """The pages of a file, one after the other.

        Raises
        ------
        InputError
            The file cannot be read as an image or PDF; the message says why.
        """
        for scan in open_scans(Path(path), self.options.max_megapixels, budget=self.budget):
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
    def budget(self) -> Budget:
        """The memory budget that pages are read within."""
        return self._engines.budget

    @property
    def models(self) -> tuple[str, ...]:
        """The models in use, as ``name@sha256[:12]``."""
        return self._engines.models

    def _provenance(self, skew_degrees: float, readings: Sequence[Reading]) -> Provenance:
        software = f"Carrel {carrel.__version__}"
        languages = languages_of(readings) or self.options.languages
        return Provenance(software, self.models, languages, round(skew_degrees, 3), _now())


def _now() -> str:
    """The time in UTC, or that of ``SOURCE_DATE_EPOCH`` for results that are to be the same bytes every time."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(fixed) if fixed.isdecimal() else None))


def read(path: Path | str, options: ReadOptions | None = None) -> Page:
    """Read a file that holds one page; see `Reader.read`."""
    return Reader(options, [Path(path)]).read(path)
