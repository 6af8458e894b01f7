"""Parts of a PDF's page: pictures with their resolution and place, and text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

_MOST_OBJECTS = 20_000
_DEEPEST_FORM = 15
_SQUARE = 1.1  # sides of a pixel that differ by less are equal
_SHRUNK_SHARE = 1e-5  # of a side: 0.04 px of a page of A4 at 300 dpi, a hundred times a rounding error


class PlacedPicture(NamedTuple):
    """Pixels of a picture, and its sides on the page in points."""

    across_px: int
    down_px: int
    width: float
    height: float

    @property
    def area(self) -> float:
        """In square points."""
        return self.width * self.height

    @property
    def points_per_inch(self) -> float:
        """Dots per inch, if a point is 1/72: their mean, or the finer where pixels are not square."""
        across, down = self.across_px / self.width * 72.0, self.down_px / self.height * 72.0
        return math.sqrt(across * down) if max(across, down) <= _SQUARE * min(across, down) else max(across, down)


def pictures(page: Any) -> Iterator[PlacedPicture]:
    """Return the pictures of a page that have a size, those in forms too."""
    for item in _images(page):
        across, down = item.get_px_size()
        a, b, c, d = _matrix(item)
        width, height = math.hypot(a, b), math.hypot(c, d)
        if min(across, down) > 0 and 0 < width < math.inf and 0 < height < math.inf:
            yield PlacedPicture(across, down, width, height)


def shrink_pictures(page: Any) -> None:
    """Make pictures smaller by far less than a pixel, about their centers.

    PDFium draws a picture over all pixels that it touches. One that covers a page whose size in pixels is a rounding
    error too small would be stretched by a pixel, and blurred; this way every pixel of a scan stays as it is.
    """
    from pypdfium2 import PdfMatrix

    kept, inset = 1.0 - _SHRUNK_SHARE, _SHRUNK_SHARE / 2
    smaller = PdfMatrix().scale(kept, kept).translate(inset, inset)
    for item in _images(page):
        item.set_matrix(smaller.multiply(item.get_matrix()))


def _images(page: Any) -> Iterator[Any]:
    from pypdfium2 import raw

    return islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEPEST_FORM), _MOST_OBJECTS)


def _matrix(item: Any) -> tuple[float, float, float, float]:
    """The linear part of an object's place on the page, through the forms that hold it."""
    a, b, c, d, *_ = item.get_matrix().get()
    form = item.container
    while form is not None:
        e, f, g, h, *_ = form.get_matrix().get()
        a, b, c, d = a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
        form = form.container
    return a, b, c, d


def texts(page: Any) -> list[Any]:
    """Return the text objects of a page that are not invisible by their own mode."""
    from pypdfium2 import raw

    kinds = [raw.FPDF_PAGEOBJ_TEXT]
    found = islice(page.get_objects(filter=kinds, max_depth=_DEEPEST_FORM), _MOST_OBJECTS)
    return [item for item in found if raw.FPDFTextObj_GetTextRenderMode(item) != raw.FPDF_TEXTRENDERMODE_INVISIBLE]


def hide(items: list[Any]) -> None:
    """Draw text objects no more; the page has to be drawn again."""
    from pypdfium2 import raw

    for item in items:
        raw.FPDFTextObj_SetTextRenderMode(item, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
