"""The two pages of a spread: as parts of its scan, and cut out of it.

The gutter runs from the head of the pages to their foot; left and right are those of a reader, however the scan lies. A
region belongs to the side that its middle lies on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from carrel.page import Box, Line, Page, Points, Region, Word

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


def sides_of(page: Page) -> tuple[Side, ...]:
    """Return the sides of a spread in reading order: the right one first where its regions come first; empty for a single page."""
    if page.gutter is None:
        return ()
    found = [_side(page, region) for region in page.regions]
    return ("right", "left") if "left" in found and found[0] == "right" else SIDES


def box_of(page: Page, side: Side) -> Box:
    """Return the part of the scan that holds one page of a spread, to the far end of a gutter that stands aslant.

    Raises
    ------
    ValueError
        The page is no spread.
    """
    (x0, y0), (x1, y1) = _gutter(page)
    whole = Box(0, 0, page.width_px, page.height_px)
    if abs(y1 - y0) >= abs(x1 - x0):  # upright
        first = (side == "left") == (y1 > y0)
        return whole._replace(right=max(x0, x1) + 1) if first else whole._replace(left=min(x0, x1))
    first = (side == "left") == (x1 < x0)
    return whole._replace(bottom=max(y0, y1) + 1) if first else whole._replace(top=min(y0, y1))


def half_of(page: Page, side: Side) -> Page:
    """Return one page of a spread, in px of the whole scan.

    Raises
    ------
    ValueError
        The page is no spread.
    """
    _gutter(page)
    regions = tuple(region for region in page.regions if _side(page, region) == side)
    return replace(page, regions=regions, gutter=None)


def cut_out(page: Page, side: Side) -> Page:
    """Return one page of a spread, in px of its own `box_of`.

    Raises
    ------
    ValueError
        The page is no spread.
    """
    box, half = box_of(page, side), half_of(page, side)
    regions = tuple(
        Region(
            region.kind,
            _moved(region.polygon, box),
            tuple(_moved_line(line, box) for line in region.lines),
            region.id,
        )
        for region in half.regions
    )
    return replace(half, width_px=box.right - box.left, height_px=box.bottom - box.top, regions=regions)


def single_pages(page: Page) -> tuple[Page, ...]:
    """Return the page, or the two pages of a spread in reading order, each in px of its own part of the scan."""
    return tuple(cut_out(page, side) for side in sides_of(page)) or (page,)


def _gutter(page: Page) -> tuple[tuple[int, int], tuple[int, int]]:
    if page.gutter is None:
        raise ValueError(f"{page.source.file_name}: expected a spread with its gutter")
    return page.gutter


def _side(page: Page, region: Region) -> Side:
    (x0, y0), (x1, y1) = _gutter(page)
    left, top, right, bottom = Box.around(region.polygon)
    cross = (x1 - x0) * ((top + bottom) / 2 - y0) - (y1 - y0) * ((left + right) / 2 - x0)
    return "left" if cross > 0 else "right"


def _moved(points: Points, box: Box) -> Points:
    return tuple((x - box.left, y - box.top) for x, y in points)


def _moved_line(line: Line, box: Box) -> Line:
    words = tuple(_moved_word(word, box) for word in line.words)
    return replace(line, baseline=_moved(line.baseline, box), polygon=_moved(line.polygon, box), words=words)


def _moved_word(word: Word, box: Box) -> Word:
    characters = tuple(replace(c, box=_moved_box(c.box, box)) for c in word.characters)
    return replace(word, box=_moved_box(word.box, box), characters=characters)


def _moved_box(inner: Box, box: Box) -> Box:
    return Box(inner.left - box.left, inner.top - box.top, inner.right - box.left, inner.bottom - box.top)
