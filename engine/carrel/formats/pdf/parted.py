"""Spreads in a PDF: one sheet becomes two that show a page each; what is drawn on them stays one picture."""

from __future__ import annotations

import pikepdf
from pikepdf import Array, Name, Pdf

from carrel.formats.halves import box_of, cut_out, sides_of
from carrel.formats.pdf.layer import Sheet, sheet_of
from carrel.page import Box, Page

_Placed = tuple[Page, pikepdf.Page]


def parted(pdf: Pdf, page: Page, sheet: pikepdf.Page) -> list[_Placed]:
    """Return a page with its sheet; of a spread both pages, each with a sheet that is cropped to it, the second one inserted after the first."""
    sides = sides_of(page)
    if not sides:
        return [(page, sheet)]
    shown = sheet_of(sheet)
    place = next(index for index, other in enumerate(pdf.pages) if other.objgen == sheet.objgen)
    pdf.pages.insert(place + 1, sheet)  # a copy, since it has its place already
    found: list[_Placed] = []
    for index, side in enumerate(sides):
        half = pdf.pages[place + index]
        half.obj[Name.CropBox] = _crop_box(shown, box_of(page, side), page)
        found.append((cut_out(page, side), half))
    return found


def _crop_box(shown: Sheet, box: Box, page: Page) -> Array:
    """The box in px of the page, in the sheet's own space."""
    left, bottom, right, top = shown.box
    height = right - left if shown.rotation % 180 else top - bottom
    across, down = shown.width / page.width_px, height / page.height_px
    a, b, c, d, e, f = shown.matrix
    corners = [
        (a * x + c * y + e, b * x + d * y + f)
        for x, y in (
            (box.left * across, height - box.bottom * down),
            (box.right * across, height - box.top * down),
        )
    ]
    (x0, y0), (x1, y1) = corners
    return Array([round(value, 4) for value in (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))])
