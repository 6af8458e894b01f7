"""A PDF opened by PDFium, one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, BinaryIO

PDFIUM_LOCK = threading.RLock()  # PDFium is not made for threads
"""Held around every call into PDFium."""


class PdfRefusedError(Exception):
    """A PDF or page that cannot be read: what is wrong, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def open_pdf(stream: BinaryIO) -> Any:
    """Open a document; the caller closes it by `close_pdf`.

    Raises
    ------
    PdfRefusedError
        A password is needed, or the document is damaged.
    """
    import pypdfium2 as pdfium

    try:
        with PDFIUM_LOCK:
            document = pdfium.PdfDocument(stream)
            if len(document) > 0:
                return document
            document.close()
    except pdfium.PdfiumError as error:
        if error.err_code == pdfium.raw.FPDF_ERR_PASSWORD:
            raise PdfRefusedError("the PDF is protected by a password", "save it without one") from error
        if error.err_code == pdfium.raw.FPDF_ERR_SECURITY:
            raise PdfRefusedError("the PDF is protected in an unknown way", "save it unprotected") from error
        raise PdfRefusedError("the PDF is damaged", "save or scan it again") from error
    raise PdfRefusedError("the PDF has no pages", "save or scan it again")


def close_pdf(document: Any) -> None:
    """Close what `open_pdf` opened."""
    with PDFIUM_LOCK:
        document.close()


@contextmanager
def opened_page(document: Any, page_index: int, *, flat: bool = True) -> Generator[Any]:
    """Open a page, closed afterwards; ``flat`` draws filled forms and annotations into it, in memory alone.

    Raises
    ------
    PdfRefusedError
        The page is damaged.
    """
    import pypdfium2 as pdfium

    try:
        with PDFIUM_LOCK:
            page = document[page_index]
            if flat and pdfium.raw.FPDFPage_Flatten(page, pdfium.raw.FLAT_NORMALDISPLAY) == pdfium.raw.FLATTEN_SUCCESS:
                page.close()
                page = document[page_index]
            try:
                yield page
            finally:
                page.close()
    except pdfium.PdfiumError as error:
        raise PdfRefusedError("the page is damaged", "save or scan it again") from error
