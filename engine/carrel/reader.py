"""The whole path of a page: scan, prepare, segment, crop lines, recognize them, assemble the page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from carrel.assembly import ScanFrame, assemble_regions
from carrel.budget import Budget, PageSize
from carrel.direction import mostly_right_to_left
from carrel.errors import InputError, UsageError
from carrel.geometry import Geometry
from carrel.image.crop import Crop, crop_line
from carrel.image.erase import erase_strokes
from carrel.image.inputs import Scannable, path_or_stream
from carrel.image.outline import beside_the_sheet
from carrel.image.pdf.text import merged
from carrel.image.prepare import binarize, prepare, rotate
from carrel.image.quality import measure_quality
from carrel.image.source import Scan, count_pages, open_scans
from carrel.image.threads import limit_threads
from carrel.installed import VERSION
from carrel.layout import (
    FoundLine,
    FoundRegion,
    PageInk,
    find_squares,
    find_streaks,
    in_leftward_order,
    in_read_columns,
    is_upright,
    segment_page,
    uncovered_ink,
    uncovered_light_ink,
    without_pale_stamps,
)
from carrel.loading import Engines, load_engines
from carrel.options import ReadOptions
from carrel.orientation import (
    best_orientation,
    find_orientation,
    lines_of,
    longest,
    settle_margins,
    try_orientations,
)
from carrel.page import Page, Point, Provenance
from carrel.progress import Watch
from carrel.recognizers.routing import languages_of
from carrel.recognizers.spread import Spread
from carrel.recognizers.types import Reading

ORIENTATION_LINES = 6
"""Longest lines of a page that tell its orientation, where nothing else is asked: twice the sample that is compared."""


@dataclass(frozen=True)
class _Segmented:
    """Regions of a page in px of the scan, its skew (its orientation included), and the share of ink outside all lines.

    ``scan`` is without the strokes that would be read as letters; ``gutter`` as in `Page`.
    """

    scan: Scan
    regions: tuple[FoundRegion, ...]
    skew_degrees: float
    uncovered_ink: float
    gutter: tuple[Point, Point] | None = None

    @property
    def lines(self) -> tuple[FoundLine, ...]:
        return tuple(line for region in self.regions for line in region.lines)


@dataclass(frozen=True)
class _Recognized:
    """A segmented page with the crop and the reading of each of its lines."""

    found: _Segmented
    crops: Sequence[Crop]
    readings: Sequence[Reading]


class Reader:
    """A reader of pages; it holds the recognizers, so that one serves many pages.

    One reader may be used by several threads at once: each page has its own callbacks and time limit, and one that is
    refused or cancelled leaves the others as they are. ``with`` closes it. A program has one memory limit: a reader
    whose options name another one while the first is in use is refused, one that names none shares it.

    Parameters
    ----------
    options
        See `ReadOptions`.
    files
        What will be read, where that is known: within a memory limit the runtime is chosen for their largest page.
    largest
        That page, where it is known already.
    budget
        The memory of this process; several readers share one. None takes the one in use, or makes it of the options.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged; raised at once, before any page is opened, but for a
        language model of the right size with other contents, which is found when handwriting is read.
    UsageError
        A device that was asked for is not there, nothing fits into the memory, or another budget is in use.

    Examples
    --------
    Two threads on one reader; a file that is no page is refused, the other is read:

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> def outcome(source):
    ...     try:
    ...         return len(reader.read(source).lines) > 0
    ...     except carrel.InputError:
    ...         return "no page"
    >>> with carrel.Reader() as reader, ThreadPoolExecutor(2) as threads:
    ...     list(threads.map(outcome, ["letter.jpg", b"no picture"]))
    [True, 'no page']

    Files are decoded in the calling process, within ``max_megapixels`` and the budget. Where they are strangers', a confined
    process does that better, as for every command: it may open nothing, and is ended when it takes too much memory or time:

    >>> from pathlib import Path
    >>> from carrel.workers.decoder import Decoder
    >>> with carrel.Reader() as reader, Decoder(reader.options, reader.budget) as decoder:
    ...     len(reader.read_scan(decoder.scan(Path("letter.jpg"), 0)).lines) > 0
    True
    """

    def __init__(
        self,
        options: ReadOptions | None = None,
        files: Sequence[Path] = (),
        budget: Budget | None = None,
        largest: PageSize | None = None,
    ) -> None:
        self.options = options or ReadOptions()
        self._open: Engines | None = load_engines(self.options, files, budget, largest)
        self.threads = self._engines.selection.threads

    def read_scan(self, scan: Scan, watch: Watch | None = None) -> Page:
        """Read one scan: prepare and segment it, crop its lines, recognize them, and put the page together."""
        watch = watch or Watch(timeout_s=self.options.page_timeout_s)
        if scan.is_read:
            height_px, width_px = scan.gray.shape
            return Page(width_px, height_px, scan.dpi, scan.regions, scan.source, self._provenance(0.0, ()))
        read = self._recognized(self._segment(scan, 0, watch), watch)
        degrees = self._orientation(scan, read.found, read.readings, watch)
        if degrees:
            read = self._recognized(self._segment(scan, degrees, watch), watch)
        read = self._ordered(self._with_margins(read, watch))
        watch.begin("assemble")
        return self._with_fields(scan, self._assembled(scan, read), watch)

    def read_regions(self, scan: Scan, regions: Sequence[FoundRegion]) -> Page:
        """Read lines that were found before, px of the scan, and put the page together; their order is kept."""
        height_px, width_px = scan.gray.shape
        crops, readings = self._recognize(scan, lines_of(regions), Watch(timeout_s=self.options.page_timeout_s))
        found = assemble_regions(ScanFrame(width_px, height_px), regions, crops, readings)
        return Page(width_px, height_px, scan.dpi, found, scan.source, self._provenance(0.0, readings))

    def find_orientation(self, scan: Scan) -> tuple[int, float]:
        """Return the degrees by which a scan must be rotated counterclockwise, and the legible characters of the
        few lines that tell it; nothing else is read."""
        watch = Watch(timeout_s=self.options.page_timeout_s)
        found = self._segment(scan, 0, watch)
        lines = tuple(found.lines[k] for k in sorted(longest(found.lines, ORIENTATION_LINES)))
        tried = try_orientations(
            [FoundRegion("MainZone", region.polygon, lines) for region in found.regions[:1]],
            self._recognize(found.scan, lines, watch)[1],
            read=lambda lines: self._recognize(found.scan, lines, watch)[1],
            segment=lambda degrees: self._segment(scan, degrees, watch).regions,
        )
        degrees = best_orientation(tried)
        return degrees, tried[degrees]

    def _segment(self, scan: Scan, degrees: int, watch: Watch) -> _Segmented:
        """Find the lines of a page that is rotated counterclockwise by its orientation.

        They are found on the prepared page but cropped from the scan: flattening and rotating cost detail.
        """
        watch.begin("prepare")
        limit_threads(self.threads)
        gray, rotation = rotate(scan.gray, degrees)
        prepared = prepare(gray, flatten=self.options.flatten, deskew=self.options.deskew)
        watch.begin("segment")
        page = PageInk(prepared.gray)
        squares = find_squares(page)
        if squares:
            page = PageInk(erase_strokes(prepared.gray, squares))
        found = segment_page(page, scan.dpi, self._engines.heatmaps)
        geometry = prepared.geometry.then(rotation)
        strokes = [stroke.on_scan(geometry) for stroke in squares + find_streaks(page, found)]
        regions = _on_the_sheet(scan, tuple(region.on_scan(geometry) for region in found))
        gray, regions = without_pale_stamps(erase_strokes(scan.gray, strokes) if strokes else scan.gray, regions)
        cleaned = scan if gray is scan.gray else replace(scan, gray=gray)
        uncovered = round(max(uncovered_ink(page, found), uncovered_light_ink(scan.gray, regions)), 4)
        gutter = self._gutter(scan, page, geometry)
        return _Segmented(cleaned, regions, prepared.skew_degrees + degrees, uncovered, gutter)

    def _gutter(self, scan: Scan, page: PageInk, geometry: Geometry) -> tuple[Point, Point] | None:
        """Where a spread is to be parted."""
        if not self.options.split_spreads or self._engines.heatmaps is None or page.gutter_px is None:
            return None
        foot = page.gray.shape[0]
        height_px, width_px = scan.gray.shape
        return ScanFrame(width_px, height_px).crossed_by(
            geometry.to_scan([(page.gutter_px, 0.0), (page.gutter_px, foot)])
        )

    def _recognize(self, scan: Scan, lines: Sequence[FoundLine], watch: Watch) -> tuple[list[Crop], list[Reading]]:
        watch.begin("recognize")
        limit_threads(self.threads)
        source = binarize(scan.gray, self.threads) if self.options.binarize else scan.gray
        crops = [crop_line(source, line.baseline, line.polygon) for line in lines]
        threads = self._engines.threads_for(scan.gray.size)
        return crops, self._engines.router.read([crop.gray for crop in crops], Spread(threads, watch.check))

    def _recognized(self, found: _Segmented, watch: Watch) -> _Recognized:
        return _Recognized(found, *self._recognize(found.scan, found.lines, watch))

    def _orientation(self, scan: Scan, found: _Segmented, readings: Sequence[Reading], watch: Watch) -> int:
        if found.uncovered_ink == 0 and not found.lines:  # nothing to read
            return 0
        return find_orientation(
            found.regions,
            readings,
            read=lambda lines: self._recognize(found.scan, lines, watch)[1],
            segment=lambda degrees: self._segment(scan, degrees, watch).regions,
        )

    def _with_margins(self, read: _Recognized, watch: Watch) -> _Recognized:
        """The page with its lines up and down as they make sense, without blocks of which neither way does."""
        scan, found = read.found.scan, read.found
        if not any(is_upright(line) for line in found.lines):
            return read
        regions, crops, readings = settle_margins(
            found.regions, read.crops, read.readings, lambda lines: self._recognize(scan, lines, watch)
        )
        return _Recognized(replace(found, regions=regions), crops, readings)

    def _ordered(self, read: _Recognized) -> _Recognized:
        """The lines in the order of their script and columns: segmentation cannot know them, what was read tells."""
        texts, regions = [reading.recognition.text for reading in read.readings], read.found.regions
        if mostly_right_to_left(texts):
            return _rearranged(read, in_leftward_order(regions))
        columns = in_read_columns(regions, texts)
        return read if columns is None else _rearranged(read, columns)

    def _assembled(self, scan: Scan, read: _Recognized) -> Page:
        found, (height_px, width_px) = read.found, scan.gray.shape
        regions = assemble_regions(ScanFrame(width_px, height_px), found.regions, read.crops, read.readings)
        quality = measure_quality(
            [crop.gray for crop in read.crops],
            [line.x_height_px for line in found.lines],
            [line for region in regions for line in region.lines],
            (width_px, height_px),
            found.skew_degrees - 90 * round(found.skew_degrees / 90),
            scan.gray,
        )
        provenance, regions = self._provenance(found.skew_degrees, read.readings), merged(regions, scan.regions)
        return Page(
            width_px, height_px, scan.dpi, regions, scan.source, provenance, found.uncovered_ink, found.gutter, quality
        )

    def _with_fields(self, scan: Scan, page: Page, watch: Watch) -> Page:
        """The page with the fields of the form that the options name."""
        if (form := self._engines.form) is None:
            return page
        return form.read(scan.gray, page, Spread(self._engines.threads_for(scan.gray.size), watch.check))

    def pages(
        self,
        source: Scannable,
        *,
        progress: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Page]:
        """Read the pages of a file, one after the other.

        Parameters
        ----------
        source
            A path, bytes, a binary file, a PIL image, or an array of uint8 ``(h, w)``, ``(h, w, 3)`` or ``(h, w, 4)``.
        progress, cancelled
            See `carrel.progress.Watch`.

        Raises
        ------
        InputError
            The file cannot be read as an image or PDF, or a page takes longer than ``page_timeout_s``.
        CancelledError
            ``cancelled`` returned True.
        UsageError
            ``source`` is of another kind, or this reader is closed.

        Examples
        --------
        A page can be stopped; its reader goes on:

        >>> with carrel.Reader() as reader:
        ...     try:
        ...         next(reader.pages("letter.jpg", cancelled=lambda: True))
        ...     except carrel.CancelledError as error:
        ...         print(error)
        ...     stages = []
        ...     page = next(reader.pages("letter.jpg", progress=stages.append))
        ...     print(stages)
        the page was cancelled; it has no result
        ['prepare', 'segment', 'recognize', 'assemble']
        """
        opened = open_scans(
            path_or_stream(source), self.options.max_megapixels, budget=self.budget, own_text=self.options.own_text
        )
        for scan in opened:
            yield self.read_scan(scan, Watch(progress, cancelled, self.options.page_timeout_s))

    def read(
        self,
        source: Scannable,
        *,
        progress: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Page:
        """Read a file that holds one page; `pages` reads files with several, and says what is raised.

        Raises
        ------
        InputError
            The file holds more than one page, too.
        """
        opened = path_or_stream(source)
        count = count_pages(opened)
        if count != 1:
            name = opened if isinstance(opened, Path) else "source"
            raise InputError(f"{name}: holds {count} pages; read them with carrel.Reader().pages")
        return next(self.pages(opened, progress=progress, cancelled=cancelled))

    def close(self) -> None:
        """Give up models and recognizers; pages that are being read are finished, further ones are refused."""
        self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _engines(self) -> Engines:
        engines = self._open
        if engines is None:
            raise UsageError("this reader is closed; make another with carrel.Reader()")
        return engines

    @property
    def budget(self) -> Budget:
        """The memory budget that pages are read within."""
        return self._engines.budget

    @property
    def models(self) -> tuple[str, ...]:
        """The models in use, as ``name@sha256[:12]``."""
        return self._engines.models

    def _provenance(self, skew_degrees: float, readings: Sequence[Reading]) -> Provenance:
        software = f"Carrel {VERSION}"
        languages = languages_of(readings) or self.options.languages
        return Provenance(software, self.models, languages, round(skew_degrees, 3), _now())


def _on_the_sheet(scan: Scan, regions: tuple[FoundRegion, ...]) -> tuple[FoundRegion, ...]:
    """The regions without short lines on the table that the sheet was photographed on."""
    lines = lines_of(regions)
    beside = beside_the_sheet(scan.gray, [line.polygon for line in lines])
    if not beside.any():
        return regions
    strays = {id(line) for line, stray in zip(lines, beside, strict=True) if stray}
    kept = (replace(region, lines=tuple(li for li in region.lines if id(li) not in strays)) for region in regions)
    return tuple(new for new, region in zip(kept, regions, strict=True) if new.lines or not region.lines)


def _rearranged(read: _Recognized, regions: tuple[FoundRegion, ...]) -> _Recognized:
    """The same lines in ``regions``."""
    places = {id(line): index for index, line in enumerate(read.found.lines)}
    found = replace(read.found, regions=regions)
    order = [places[id(line)] for line in found.lines]
    return _Recognized(found, [read.crops[index] for index in order], [read.readings[index] for index in order])


def _now() -> str:
    """The time in UTC, or that of ``SOURCE_DATE_EPOCH`` for results that are to be the same bytes every time."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(fixed) if fixed.isdecimal() else None))


def read(source: Scannable, options: ReadOptions | None = None) -> Page:
    """Read a file that holds one page, with a reader of its own; see `Reader.pages` for what it takes and raises.

    Examples
    --------
    >>> options = carrel.ReadOptions(writing="handwritten", threads=1)
    >>> "handwritten" in {line.writing.kind for line in carrel.read("letter.jpg", options).lines}
    True
    """
    files = [Path(source)] if isinstance(source, str | Path) else []
    return Reader(options, files).read(source)
