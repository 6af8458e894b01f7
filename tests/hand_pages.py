"""A page function for tests of learning at the desk: it knows where the lines of `drawn_lines.handwritten_page` stand, and misreads all."""

from __future__ import annotations

from carrel.image.source import Scan
from carrel.page import Page
from carrel.workers.messages import Work
from desk_pages import Drawn
from drawn_lines import handwritten_page

ENTRY = "hand_pages:open_pages"
MISREAD = "misread"


class Hand(Drawn):
    """A reader to which every line says the same."""

    def page(self, scan: Scan) -> Page:
        return handwritten_page(MISREAD)[1]


def open_pages(work: Work) -> Hand:
    """Return the page function."""
    return Hand()
