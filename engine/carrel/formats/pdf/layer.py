"""The text of a page as an invisible layer: operators in the space of the sheet it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pikepdf
from pikepdf import Dictionary, Name, Pdf

from carrel.formats.pdf.font import Codes, font_dictionary
from carrel.formats.pdf.text import text_operators
from carrel.page import Page

FONT = "CarrelText"
"""A name that no other font of a page has."""


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
    media, crop = _box(page.mediabox), _box(page.cropbox)
    shown = (*map(max, media[:2], crop[:2]), *map(min, media[2:], crop[2:]))
    box = shown if shown[2] > shown[0] and shown[3] > shown[1] else media
    rotation = page.obj.get(Name.Rotate, 0) if Name.Rotate in page.obj else _inherited(page, Name.Rotate)
    return Sheet((box[0], box[1], box[2], box[3]), round(float(rotation or 0) / 90) * 90 % 360)


def _box(corners: pikepdf.Array) -> tuple[float, ...]:
    x0, y0, x1, y1 = (float(value) for value in corners.as_list()[:4])
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
    """A dictionary of its own with the same values; an empty one for none."""
    copy = Dictionary()
    for key, value in dictionary.items() if dictionary is not None else ():
        copy[key] = value
    return copy
