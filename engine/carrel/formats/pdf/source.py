"""The scan inside a PDF that was read: its own JPEG where that is all the page shows, else a rendering of the page."""

from __future__ import annotations

import io
from typing import Any

from carrel.errors import InputError
from carrel.image.pdf import PDFIUM_LOCK, PdfRefusedError, open_pdf
from carrel.page import Page

_PDF_MARK_WITHIN = 1024  # bytes that may stand before %PDF-
_FULL_PAGE_POINTS = 1.0  # how far the picture may stop short of an edge


def is_pdf(scan: bytes) -> bool:
    """Whether the bytes are those of a PDF."""
    return b"%PDF-" in scan[:_PDF_MARK_WITHIN]


def page_picture(scan: bytes, page: Page) -> bytes:
    """The page that ``page`` was read from, as the bytes of a JPEG or PNG of its size.

    Raises
    ------
    InputError
        The PDF cannot be opened or has no such page.
    """
    try:
        document = open_pdf(io.BytesIO(scan))
    except PdfRefusedError as error:
        raise InputError(f"{error.what}; {error.remedy}") from error
    with PDFIUM_LOCK:
        try:
            if page.source.page_index >= len(document):
                raise InputError(f"the PDF has {len(document)} pages, not page {page.source.page_index + 1}")
            sheet = document[page.source.page_index]
            return _own_jpeg(sheet, page) or _rendered(sheet, page)
        finally:
            document.close()


def _own_jpeg(sheet: Any, page: Page) -> bytes | None:
    """The JPEG of a page that shows nothing but one picture, upright and from edge to edge."""
    from pypdfium2 import raw

    pictures = [item for item in sheet.get_objects(max_depth=1) if item.type != raw.FPDF_PAGEOBJ_TEXT]
    if len(pictures) != 1 or pictures[0].type != raw.FPDF_PAGEOBJ_IMAGE or sheet.get_rotation():
        return None
    (picture,) = pictures
    a, b, c, d, *_ = picture.get_matrix().get()
    left, bottom, right, top = picture.get_bounds()
    short = max(left, bottom, sheet.get_width() - right, sheet.get_height() - top)
    plain = a > 0 and d > 0 and abs(b) + abs(c) < 1e-6 and short <= _FULL_PAGE_POINTS
    same_size = picture.get_px_size() == (page.width_px, page.height_px)
    if not (plain and same_size and picture.get_filters() == ["DCTDecode"]):
        return None
    return bytes(picture.get_data(decode_simple=False))


def _rendered(sheet: Any, page: Page) -> bytes:
    """The page in colour, stretched by less than a pixel to the size that was read."""
    scale = max(page.width_px / sheet.get_width(), page.height_px / sheet.get_height())
    bitmap = sheet.render(scale=scale, may_draw_forms=False)
    image = bitmap.to_pil().convert("RGB")
    bitmap.close()
    if image.size != (page.width_px, page.height_px):
        image = image.resize((page.width_px, page.height_px))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
