"""Pages of a PDF as gray pixels, at the resolution they were scanned in."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

POINTS_PER_INCH = 72.0
DEFAULT_DPI = 300.0
BYTES_PER_PX = 6
"""PDFium's memory for each pixel of a page: the scan in color, decoded, and the page in gray."""
_LOWEST_DPI, _HIGHEST_DPI = 100.0, 1200.0
_PAGE_SHARE = 0.5  # an image that covers this much of the page is the scan
_MOST_OBJECTS = 20_000
_JUST_BELOW = 1 - 1e-6  # sizes are rounded up; a rounding error must not add a pixel

PDFIUM_LOCK = threading.RLock()  # PDFium is not made for threads
"""Held around every call into PDFium."""


class PdfRefusedError(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def open_pdf(stream: BinaryIO) -> Any:
    """Open a document; the caller closes it.

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


def render(
    document: Any, page_index: int, max_px: int, admit: Callable[[int], None] = lambda pixels: None
) -> tuple[NDArray[np.uint8], float]:
    """Render one page in gray; ``admit`` is given its number of pixels before, and may refuse it by an exception.

    Returns
    -------
    gray : ndarray of uint8, (h, w)
        At the resolution of the image that covers the page, if there is one; else at 300 dpi, or less where the page
        would not fit into ``max_px``.
    dpi : float

    Raises
    ------
    PdfRefusedError
        The page or an image in it does not fit, or the page is damaged.
    """
    import pypdfium2 as pdfium

    try:
        with PDFIUM_LOCK:
            page = document[page_index]
            try:
                dpi = _resolution(page, max_px)
                admit(_pixels(page, dpi))
                bitmap = page.render(scale=dpi / POINTS_PER_INCH * _JUST_BELOW, grayscale=True, may_draw_forms=False)
                pixels = bitmap.to_numpy()
                gray = np.array(pixels.reshape(pixels.shape[:2]))
                bitmap.close()
            finally:
                page.close()
    except pdfium.PdfiumError as error:
        raise PdfRefusedError("the page is damaged", "save or scan it again") from error
    return gray, dpi


def pixels_of(document: Any, page_index: int, max_px: int) -> int:
    """How many pixels `render` would make of a page, 0 where it would refuse."""
    import pypdfium2 as pdfium

    with PDFIUM_LOCK, suppress(PdfRefusedError, pdfium.PdfiumError):
        page = document[page_index]
        try:
            return _pixels(page, _resolution(page, max_px))
        finally:
            page.close()
    return 0


def _pixels(page: Any, dpi: float) -> int:
    return round(dpi * dpi * math.prod(page.get_size()) / POINTS_PER_INCH**2)


def _resolution(page: Any, max_px: int) -> float:
    """Dots per inch to render the page at."""
    width, height = (side / POINTS_PER_INCH for side in page.get_size())
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise PdfRefusedError("the page has no size", "save or scan it again")
    scanned = max(_image_resolutions(page, max_px), default=0.0)
    if scanned and scanned * scanned * width * height > max_px * 1.001:
        raise _over_budget(scanned * width, scanned * height, max_px)
    dpi = scanned or min(DEFAULT_DPI, 0.999 * math.sqrt(max_px / (width * height)))
    if dpi < _LOWEST_DPI and not scanned:
        raise _over_budget(_LOWEST_DPI * width, _LOWEST_DPI * height, max_px)
    return dpi


def _image_resolutions(page: Any, max_px: int) -> Iterator[float]:
    """Resolutions of the images that cover most of the page."""
    from pypdfium2 import raw

    page_area = page.get_width() * page.get_height()
    images = (item for item in islice(page.get_objects(), _MOST_OBJECTS) if item.type == raw.FPDF_PAGEOBJ_IMAGE)
    for image in images:
        across, down = image.get_px_size()
        if across * down > max_px:
            raise _over_budget(across, down, max_px)
        left, bottom, right, top = image.get_bounds()
        area = (right - left) * (top - bottom)
        if area >= _PAGE_SHARE * page_area:
            dpi = math.sqrt(across * down / area) * POINTS_PER_INCH
            yield min(max(dpi, _LOWEST_DPI), _HIGHEST_DPI)


def _over_budget(width: float, height: float, max_px: int) -> PdfRefusedError:
    size = f"{width:,.0f} x {height:,.0f} px is above the limit of {max_px / 1e6:,.0f} megapixels"
    return PdfRefusedError(size, "raise the limit or scan at a lower resolution")
