"""The images of one call, decoded apart and read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from carrel.errors import InputError
from carrel.image.prepare import estimate_skew, flatten_illumination
from carrel.image.source import Scan
from carrel.layout.types import FoundLine, FoundRegion
from carrel.loading import budget_for
from carrel.options import ReadOptions
from carrel.page import Page
from carrel.reader import Reader
from carrel.workers.decoder import Decoder
from carrel_cli.tesseract import tables

_BASELINE_SHARE, _X_HEIGHT_SHARE = 0.75, 0.4
"""Of the height of an image that is one line; where exactly matters little to what is read."""


class ImagesAtWork:
    """Images being read; a context manager that ends the process which decodes them.

    Parameters
    ----------
    options
        How they are read.
    images
        Their files.
    dpi
        Their resolution where it is told; None takes what the files say.
    """

    def __init__(self, options: ReadOptions, images: Sequence[Path], dpi: float | None) -> None:
        self._options, self._images, self._dpi = options, images, dpi
        self._budget = budget_for(options)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._decoder = self._stack.enter_context(Decoder(self._options, self._budget))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def orientations(self) -> Iterator[bytes]:
        """Tell the orientation of each page."""
        reader = self._reader()
        for number, scan in enumerate(self._scans()):
            yield tables.orientation(number, *reader.find_orientation(scan))

    def skews(self) -> Iterator[bytes]:
        """Tell the skew of each page."""
        for scan in self._scans():
            yield tables.skew(estimate_skew(flatten_illumination(scan.gray)))

    def pages(self) -> list[Page]:
        """Read all pages of all images."""
        reader = self._reader()
        return [reader.read_scan(scan) for scan in self._scans()]

    def lines(self) -> list[Page]:
        """Read images that are one line each."""
        reader = self._reader()
        return [reader.read_regions(scan, [_one_line(*scan.gray.shape)]) for scan in self._scans()]

    def searchable(self, pages: Sequence[Page]) -> bytes:
        """Return the PDF that shows the scans of pages, with their text.

        Raises
        ------
        InputError
            The pages are of several files.
        """
        if len(self._images) > 1:
            raise InputError(f"a PDF of {len(self._images)} files; give one file, or use carrel read")
        return self._decoder.document(self._images[0], "pdf", pages).data

    def _reader(self) -> Reader:
        return Reader(self._options, budget=self._budget, largest=self._decoder.largest_page(self._images))

    def _scans(self) -> Iterator[Scan]:
        for path in self._images:
            for index in range(self._decoder.count_pages(path)):
                scan = self._decoder.scan(path, index)
                yield replace(scan, dpi=self._dpi) if self._dpi else scan


def _one_line(height_px: int, width_px: int) -> FoundRegion:
    right, bottom, y = width_px - 1, height_px - 1, height_px * _BASELINE_SHARE
    polygon = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
    baseline = np.array([(0, y), (right, y)], np.float32)
    return FoundRegion("MainZone", polygon, (FoundLine(baseline, polygon, height_px * _X_HEIGHT_SHARE),))
