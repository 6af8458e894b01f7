"""The whole path of a page: scan, prepare, find lines, cut them out, read them, put the page together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import carrel
from carrel.assembly import ScanFrame, assemble_regions
from carrel.budget import Budget
from carrel.errors import InputError
from carrel.image.crop import Crop, crop_line
from carrel.image.pdf.text import merged
from carrel.image.prepare import binarize, prepare, rotate
from carrel.image.source import Scan, count_pages, open_scans
from carrel.layout import FoundLine, FoundRegion, PageInk, segment_page, uncovered_ink
from carrel.loading import load_engines
from carrel.options import ReadOptions
from carrel.orientation import find_orientation
from carrel.page import Page, Provenance
from carrel.recognizers.routing import languages_of
from carrel.recognizers.spread import Spread
from carrel.recognizers.types import Reading


@dataclass(frozen=True)
class _Segmented:
    """Regions of a page in px of the scan, its skew (its orientation included), and the share of ink outside all lines."""

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
        self.threads = self._engines.selection.threads

    def read_scan(self, scan: Scan) -> Page:
        """Read one scan: prepare and segment it, crop its lines, recognize them, and put the page together."""
        height_px, width_px = scan.gray.shape
        if scan.is_read:
            provenance = self._provenance(0.0, ())
            return Page(width_px, height_px, scan.dpi, scan.regions, scan.source, provenance)
        found = self._segment(scan, 0)
        crops, readings = self._recognize(scan, found.lines)
        degrees = self._orientation(scan, found, readings)
        if degrees:
            found = self._segment(scan, degrees)
            crops, readings = self._recognize(scan, found.lines)
        regions = assemble_regions(ScanFrame(width_px, height_px), found.regions, crops, readings)
        regions = merged(regions, scan.regions)
        provenance = self._provenance(found.skew_degrees, readings)
        return Page(width_px, height_px, scan.dpi, regions, scan.source, provenance, found.uncovered_ink)

    def _segment(self, scan: Scan, degrees: int) -> _Segmented:
        """Find the lines of a page that is rotated counterclockwise by its orientation.

        They are found on the prepared page but cropped from the scan: flattening and rotating cost detail.
        """
        gray, rotation = rotate(scan.gray, degrees)
        prepared = prepare(gray, flatten=self.options.flatten, deskew=self.options.deskew)
        page = PageInk(prepared.gray)
        found = segment_page(page, scan.dpi, self._engines.heatmaps)
        uncovered = round(uncovered_ink(page, found), 4)
        geometry = prepared.geometry.then(rotation)
        regions = tuple(region.on_scan(geometry) for region in found)
        return _Segmented(regions, prepared.skew_degrees + degrees, uncovered)

    def _recognize(self, scan: Scan, lines: Sequence[FoundLine]) -> tuple[list[Crop], list[Reading]]:
        source = binarize(scan.gray, self.threads) if self.options.binarize else scan.gray
        crops = [crop_line(source, line.baseline, line.polygon) for line in lines]
        threads = self._engines.threads_for(scan.gray.size)
        return crops, self._engines.router.read([crop.gray for crop in crops], Spread(threads))

    def _orientation(self, scan: Scan, found: _Segmented, readings: Sequence[Reading]) -> int:
        if found.uncovered_ink == 0 and not found.lines:  # nothing to read
            return 0
        return find_orientation(
            found.regions,
            readings,
            read=lambda lines: self._recognize(scan, lines)[1],
            segment=lambda degrees: self._segment(scan, degrees).regions,
        )

    def pages(self, path: Path | str) -> Iterator[Page]:
        """The pages of a file, one after the other.

        Raises
        ------
        InputError
            The file cannot be read as an image or PDF; the message says why.
        """
        for scan in open_scans(
            Path(path), self.options.max_megapixels, budget=self.budget, own_text=self.options.own_text
        ):
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
