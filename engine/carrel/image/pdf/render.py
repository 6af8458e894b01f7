"""Pages of a PDF: the text that they hold, and gray pixels at the resolution they were scanned in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.image.pdf.objects import hide, pictures, shrink_pictures, texts
from carrel.image.pdf.opened import PdfRefusedError, opened_page
from carrel.image.pdf.text import visible_regions
from carrel.options import OwnText
from carrel.page import Box, Region

POINTS_PER_INCH = 72.0
DEFAULT_DPI = 300.0
BYTES_PER_PX = 6
"""PDFium's memory for each pixel of a page: the scan in color, decoded, and the page in gray."""
_LOWEST_DPI, _HIGHEST_DPI = 100.0, 1200.0
_PAGE_SHARE = 0.5  # pictures that cover this much of the page are the scan
_SMALL_SHARE = 0.02  # pictures below this share of the page say nothing about its resolution
_STAMP_SHARE = 0.05  # text that covers less of a scanned page is a stamp, a number or a heading on it
JUST_BELOW = 1 - 1e-6  # sizes are rounded up; a rounding error must not add a pixel


class PdfPage(NamedTuple):
    """A page of a PDF.

    ``gray`` is uint8, (h, w), without the text of ``regions``, which the page itself holds; ``is_read`` tells that there
    is nothing else to read on it.
    """

    gray: NDArray[np.uint8]
    dpi: float
    regions: tuple[Region, ...]
    is_read: bool


def render(
    document: Any,
    page_index: int,
    max_px: int,
    admit: Callable[[int], None] = lambda pixels: None,
    own_text: OwnText = "keep",
) -> PdfPage:
    """Draw one page in gray, filled forms and annotations too; ``admit`` is given its number of pixels before, and may
    refuse it by an exception.

    The resolution is that of the pictures that cover the page, if there are any; else 300 dpi, or less where the page
    would not fit into ``max_px``.

    Raises
    ------
    PdfRefusedError
        The page or a picture in it does not fit, or the page is damaged.
    """
    with opened_page(document, page_index) as page:
        dpi, scanned = _resolution(page, max_px)
        admit(_pixels(page, dpi))
        shrink_pictures(page)
        shown = _drawn(page, dpi)
        own = [] if own_text == "force" else texts(page)
        if not own:
            return PdfPage(shown, round(dpi, 3), (), False)
        hide(own)
        bare = _drawn(page, dpi)
        regions = visible_regions(page, shown, bare)
    large = _share(regions, shown.size) > _STAMP_SHARE
    return PdfPage(bare, round(dpi, 3), regions, own_text == "keep" and bool(regions) and (large or not scanned))


def draw_in_color(document: Any, page_index: int, size: tuple[int, int]) -> Image.Image:
    """Draw one page, without annotations and forms, as RGB of ``size`` (width, height) px.

    Raises
    ------
    PdfRefusedError
        The page is damaged.
    """
    with opened_page(document, page_index, flat=False) as page:
        scale = max(size[0] / page.get_width(), size[1] / page.get_height())
        shrink_pictures(page)
        bitmap = page.render(scale=scale * JUST_BELOW, may_draw_forms=False, draw_annots=False)
        image = bitmap.to_pil().convert("RGB")
        bitmap.close()
    return image if image.size == size else image.resize(size)


def _drawn(page: Any, dpi: float) -> NDArray[np.uint8]:
    bitmap = page.render(scale=dpi / POINTS_PER_INCH * JUST_BELOW, grayscale=True, may_draw_forms=False)
    pixels = bitmap.to_numpy()
    gray = np.array(pixels.reshape(pixels.shape[:2]))
    bitmap.close()
    return gray


def _share(regions: Sequence[Region], page_px: int) -> float:
    boxes = (Box.around(line.polygon) for region in regions for line in region.lines)
    return sum((box.right - box.left) * (box.bottom - box.top) for box in boxes) / page_px


def pixels_of(document: Any, page_index: int, max_px: int) -> int:
    """Return how many pixels `render` would make of a page, 0 where it would refuse."""
    with suppress(PdfRefusedError), opened_page(document, page_index, flat=False) as page:
        return _pixels(page, _resolution(page, max_px)[0])
    return 0


def _pixels(page: Any, dpi: float) -> int:
    return round(dpi * dpi * math.prod(page.get_size()) / POINTS_PER_INCH**2)


def _resolution(page: Any, max_px: int) -> tuple[float, bool]:
    """Dots per inch to draw the page at, and whether it is a scan: pictures cover most of it."""
    width, height = (side / POINTS_PER_INCH for side in page.get_size())
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise PdfRefusedError("the page has no size", "save or scan it again")
    page_area = page.get_width() * page.get_height()
    placed = list(pictures(page))
    for picture in placed:
        if picture.across_px * picture.down_px > max_px:
            raise _over_budget(picture.across_px, picture.down_px, max_px)
    large = [picture for picture in placed if picture.area >= _SMALL_SHARE * page_area]
    scanned = sum(picture.area for picture in large) >= _PAGE_SHARE * page_area
    if scanned:
        dpi = min(max(_LOWEST_DPI, *(picture.points_per_inch for picture in large)), _HIGHEST_DPI)
        if dpi * dpi * width * height > max_px * 1.001:
            raise _over_budget(dpi * width, dpi * height, max_px)
        return dpi, True
    dpi = min(DEFAULT_DPI, 0.999 * math.sqrt(max_px / (width * height)))
    if dpi < _LOWEST_DPI:
        raise _over_budget(_LOWEST_DPI * width, _LOWEST_DPI * height, max_px)
    return dpi, False


def _over_budget(width: float, height: float, max_px: int) -> PdfRefusedError:
    size = f"{width:,.0f} x {height:,.0f} px is above the limit of {max_px / 1e6:,.0f} megapixels"
    return PdfRefusedError(size, "raise the limit or scan at a lower resolution")
