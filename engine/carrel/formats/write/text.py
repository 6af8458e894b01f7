"""Plain text: UTF-8, a line break after each line, an empty line between regions, a form feed between pages."""

from __future__ import annotations

from collections.abc import Sequence

from carrel.formats.halves import single_pages
from carrel.formats.write.interchange import clean_text
from carrel.page import Page


def write(page: Page) -> bytes:
    """Write the text of ``page`` in reading order; a page without text gives no bytes, two pages of a spread a form feed between them."""
    return b"\f".join(map(_single, single_pages(page)))


def _single(page: Page) -> bytes:
    blocks = (
        "\n".join(filter(None, (clean_text(line.final_text) for line in region.lines))) for region in page.regions
    )
    text = "\n\n".join(block for block in blocks if block)
    return (text + "\n").encode() if text else b""


def write_document(pages: Sequence[Page]) -> bytes:
    """Write the text of several pages as one, a form feed between them."""
    return b"\f".join(map(write, pages))
