"""The work on a page: reading it, and writing it out in every format that was asked for."""

from __future__ import annotations

from collections.abc import Callable

from carrel.formats import FORMATS, formats_of
from carrel.formats.json_page import parse
from carrel.identity import carry_over
from carrel.image.overlay import OVERLAY, draw_overlay
from carrel.image.source import Scan
from carrel.page import Page, page_needs_review
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
        return self._outcome(self._reader.read_scan(scan), scan, formats, contents)

    def again(self, earlier: bytes, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        """Read a page again; ids and corrections of the earlier reading are carried over.

        Where a corrected line would be lost, there are no results, and ``lost`` says how many would be.
        """
        carried = carry_over(parse(earlier), self._reader.read_scan(scan))
        if carried.lost:
            return PageRead({}, 0, 0, 0, len(carried.lost))
        return self._outcome(carried.page, scan, formats, contents)

    def _outcome(self, page: Page, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes]) -> PageRead:
        files = self._written(page, formats, lambda: scan, contents)
        return PageRead(files, len(page.lines), len(page.refused), int(page_needs_review(page)))

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        """Return a page that was read before in these formats."""
        return self._written(parse(stored), formats, scan, contents)

    def _written(
        self, page: Page, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes]
    ) -> dict[str, bytes]:
        known = [form for name in formats if name in FORMATS for form in formats_of(page, name)]
        held = contents() if any(form.needs_scan for form in known) else b""
        files = {form.name: form.write(page, held, self._reader.options) for form in known}
        return files | ({OVERLAY: draw_overlay(page, scan().gray, self._review_below)} if OVERLAY in formats else {})


def open_pages(work: Work) -> PagesReader:
    """Return the page function of workers that read.

    Raises
    ------
    ModelError
        A model or language is missing or damaged.
    """
    return PagesReader(work)
