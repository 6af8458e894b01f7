"""What workers do with a page: read it, and write it out in every format that was asked for."""

from __future__ import annotations

from collections.abc import Callable

from carrel.formats import FORMATS
from carrel.image.overlay import OVERLAY, draw_overlay
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.page import Page, needs_review
from carrel.reader import Reader
from carrel.workers.messages import PageRead, Work


class PagesReader:
    """A reader with its recognizers loaded; see `carrel.workers.worker.PageFunction`."""

    def __init__(self, work: Work) -> None:
        self._review_below = work.review_below
        self._reader = Reader(work.options)

    @property
    def identity(self) -> str:
        """The models in use."""
        return " ".join(self._reader.models)

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        page = self._reader.read_scan(scan)
        to_review = sum(needs_review(line, self._review_below) for line in page.lines)
        files = written(page, formats, contents, self._reader.options)
        if OVERLAY in formats:
            files[OVERLAY] = draw_overlay(page, scan.gray, self._review_below)
        return PageRead(files, len(page.lines), len(page.refused), to_review)


def written(
    page: Page, formats: tuple[str, ...], contents: Callable[[], bytes], options: ReadOptions | None = None
) -> dict[str, bytes]:
    """Return the page in each format but the overlay; ``contents`` gives the bytes of its file to those that hold it."""
    known = [FORMATS[name] for name in formats if name in FORMATS]
    scan = contents() if any(form.needs_scan for form in known) else b""
    return {form.name: form.write(page, scan, options) for form in known}


def open_pages(work: Work) -> PagesReader:
    """Return the page function of workers that read.

    Raises
    ------
    ModelError
        A model or language is missing or damaged.
    """
    return PagesReader(work)
