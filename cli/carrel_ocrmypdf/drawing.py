"""Pages of a PDF as pictures for OCRmyPDF, where every pixel of a scan stays as it is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from ocrmypdf.helpers import Resolution
from PIL import Image

from carrel.image.pdf.objects import shrink_pictures
from carrel.image.pdf.opened import PDFIUM_LOCK
from carrel.image.pdf.render import JUST_BELOW, POINTS_PER_INCH

MODES = {
    "pngmono": "1",
    "pngmonod": "1",
    "pnggray": "L",
    "jpeggray": "L",
    "png256": "P",
    "png16m": "RGB",
    "jpeg": "RGB",
}
"""Ghostscript's names of kinds of pictures, by which OCRmyPDF asks, and Pillow's modes."""


def draw_page(
    source: Path,
    page_number: int,
    target: Path,
    kind: str,
    *,
    dpi: Resolution[float],
    told_dpi: Resolution[float],
    rotation: int,
    crop: bool,
) -> None:
    """Draw a page, counted from 1, into a file, as OCRmyPDF does by PDFium, but for two rounding errors.

    OCRmyPDF rounds the size up, which may add a pixel, and PDFium draws a picture over every pixel that it touches: over
    each of these a scan would be stretched by a pixel, and blurred.

    Parameters
    ----------
    kind
        One of `MODES`.
    dpi, told_dpi
        The resolution to draw at, and what the file says.
    rotation
        Degrees by which the page is rotated counterclockwise.
    crop
        Draw the crop box alone, not the media box.
    """
    import pypdfium2 as pdfium

    mode = MODES[kind]
    with PDFIUM_LOCK, closing(pdfium.PdfDocument(source)) as document, closing(document[page_number - 1]) as opened:
        page: Any = opened
        page.set_rotation((page.get_rotation() - rotation) % 360)
        if not crop:
            page.set_cropbox(*page.get_mediabox())
        shrink_pictures(page)
        width, height = (
            round(side * k / POINTS_PER_INCH) for side, k in zip(page.get_size(), (dpi.x, dpi.y), strict=True)
        )
        scale = dpi.to_scalar() / POINTS_PER_INCH * JUST_BELOW
        with closing(page.render(scale=scale, grayscale=mode in ("1", "L"))) as bitmap:
            picture = bitmap.to_pil().convert("L" if mode in ("1", "L") else "RGB")
    if picture.size != (width, height):
        fitted = Image.new(picture.mode, (width, height), "white")
        fitted.paste(picture)
        picture = fitted
    picture = picture.quantize(256) if mode == "P" else picture.convert(mode)
    picture.save(target, "JPEG" if kind.startswith("jpeg") else "PNG", dpi=(float(told_dpi.x), float(told_dpi.y)))
