"""What workers do with a page: read it, and write it out in every format that was asked for."""

from __future__ import annotations

from carrel.batch.settings import Settings
from carrel.formats import WRITERS
from carrel.image.source import Scan
from carrel.page import Page, needs_review
from carrel.reader import Reader
from carrel.workers.worker import PageResults


class PagesReader:
    """A reader with its recognizers loaded; see `PageFunction`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = Reader(settings.options)

    @property
    def identity(self) -> str:
        return " ".join(self._reader.models)

    def __call__(self, scan: Scan, /) -> PageResults:
        page = self._reader.read_scan(scan)
        files = {name: WRITERS[name](page) for name in self._settings.formats}
        return PageResults(files, len(page.lines), len(page.refused), self._to_review(page))

    def _to_review(self, page: Page) -> int:
        return sum(needs_review(line, self._settings.review_below) for line in page.lines)


def open_pages(settings: Settings) -> PagesReader:
    """The entry of workers that read.

    Raises
    ------
    ModelError
        A model or language is missing or damaged.
    """
    return PagesReader(settings)
