"""The text of a page as an invisible layer: operators in the space of the sheet it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import pikepdf
from pikepdf import Dictionary, Name, Pdf

from carrel.formats.pdf.font import Codes, font_dictionary
from carrel.formats.pdf.text import text_operators
from carrel.page import Page

FONT = "CarrelText"
"""A name that no other font of a page has."""
_LETTER = (0.0, 0.0, 612.0, 792.0)  # what PDFium takes for a page without a size


class Sheet(NamedTuple):
    """The part of a sheet that is shown: lower left and upper right corner in the sheet's own units, and the
    clockwise turn in degrees that it is shown with, 0, 90, 180 or 270."""

    box: tuple[float, float, float, float]
    rotation: int

    @property
    def width(self) -> float:
        """Width as shown, in the sheet's units."""
        left, bottom, right, top = self.box
        return top - bottom if self.rotation % 180 else right - left

    @property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """From the shown sheet, origin at its lower left, to the sheet's own space."""
        left, bottom, right, top = self.box
        return {
            0: (1, 0, 0, 1, left, bottom),
            90: (0, 1, -1, 0, right, bottom),
            180: (-1, 0, 0, -1, right, top),
            270: (0, -1, 1, 0, left, top),
        }[self.rotation]


def sheet_of(page: pikepdf.Page) -> Sheet:
    """Return the part of an existing page that is shown, as PDFium takes it: the CropBox within the MediaBox."""
    media = media_box(page)
    crop = _box(page.cropbox) or media
    shown = (*map(max, media[:2], crop[:2]), *map(min, media[2:], crop[2:]))
    box = shown if shown[2] > shown[0] and shown[3] > shown[1] else media
    rotation = page.obj.get(Name.Rotate, 0) if Name.Rotate in page.obj else _inherited(page, Name.Rotate)
    degrees = float(rotation) if isinstance(rotation, int | float | Decimal) else 0.0
    return Sheet((box[0], box[1], box[2], box[3]), round(degrees / 90) * 90 % 360)


def media_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of the whole page."""
    left, bottom, right, top = _box(page.mediabox) or _LETTER
    return left, bottom, right, top


def _box(corners: pikepdf.Object) -> tuple[float, ...] | None:
    """Left, bottom, right and top; None where these are not four numbers."""
    sides = [
        float(value)
        for value in (corners.as_list() if isinstance(corners, pikepdf.Array) else ())[:4]
        if isinstance(value, int | float | Decimal)
    ]
    if len(sides) < 4:
        return None
    x0, y0, x1, y1 = sides
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _inherited(page: pikepdf.Page, key: Name, most: int = 50) -> pikepdf.Object | int:
    node = page.obj
    for _ in range(most):
        if key in node:
            return node[key]
        if Name.Parent not in node:
            break
        node = node[Name.Parent]
    return 0


class Layers:
    """The layers of a document, which share one font; `finish` writes it under the name that is given."""

    def __init__(self, pdf: Pdf, font: str = FONT) -> None:
        self._pdf, self._codes, self._name = pdf, Codes(), font
        self._font = pdf.make_indirect(Dictionary(Type=Name.Font))

    def operators(self, page: Page, sheet: Sheet, marks: Sequence[int] | None) -> bytes:
        """Return what writes the text of ``page`` unseen; each line tagged with one of ``marks``, if any."""
        scale = sheet.width / page.width_px
        operators = ["q", " ".join(f"{value:.4f}" for value in sheet.matrix) + " cm", "BT", "3 Tr"]
        lines = list(text_operators(page, scale, self._codes))
        for mark, line in zip(marks if marks is not None else [None] * len(lines), lines, strict=True):
            line[0] = line[0].replace("/F1 ", f"/{self._name} ")
            operators += line if mark is None else [f"/Span << /MCID {mark} >> BDC", *line, "EMC"]
        return "\n".join([*operators, "ET", "Q"]).encode() + b"\n"

    def add_font(self, page: pikepdf.Object) -> None:
        """Name the layers' font in the resources of ``page``, which may share them with other pages."""
        resources = _copied(page.get(Name.Resources))
        fonts = _copied(resources.get(Name.Font))
        fonts[f"/{self._name}"] = self._font
        resources[Name.Font] = fonts
        page[Name.Resources] = resources

    def finish(self) -> None:
        """Write the font, once the text of all pages is known."""
        for key, value in font_dictionary(self._pdf, self._codes).items():
            self._font[key] = value


def _copied(dictionary: pikepdf.Object | None) -> Dictionary:
    """A dictionary of its own with the same values; an empty one for none, and for what is no dictionary."""
    copy = Dictionary()
    for key, value in dictionary.items() if isinstance(dictionary, Dictionary) else ():
        copy[key] = value
    return copy
