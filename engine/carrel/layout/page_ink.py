"""Ink of a page, made once for all steps that need it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # loads OpenCV
    from carrel.layout.ink import Ink


class PageInk:
    """A flattened page ``gray``, ``(h, w)`` uint8, with its copy at working size and its ink, made when asked for and kept."""

    def __init__(self, gray: NDArray[np.uint8]) -> None:
        self.gray = gray

    @cached_property
    def small(self) -> tuple[NDArray[np.uint8], float]:
        """The page at working size; see `carrel.layout.ink.at_working_size`."""
        from carrel.layout.ink import at_working_size

        return at_working_size(self.gray)

    @cached_property
    def ink(self) -> Ink:
        """Ink of the page; see `carrel.layout.ink.find_ink`."""
        from carrel.layout.ink import find_ink

        gray, scale = self.small
        return replace(find_ink(gray), scale=scale)

    @cached_property
    def rulings(self) -> NDArray[np.uint8]:
        """Long thin upright strokes, working px; see `carrel.layout.tables.rulings.upright_rulings`."""
        from carrel.layout.tables.rulings import upright_rulings

        connected = upright_rulings(self.small[0], self.ink.x_height_px)
        return connected if self.ink.broken is None else connected | self.ink.broken.drawn

    @cached_property
    def without_broken_rulings(self) -> NDArray[np.uint8]:
        """The page without the rows of dots and dashes between columns, which join lines on both their sides."""
        return self.gray if self.ink.broken is None else self.ink.broken.erased(self.gray, self.ink.scale)

    @cached_property
    def gutter_px(self) -> float | None:
        """Place of the gutter of a spread, px from the left; see `carrel.layout.spreads.find_gutter`."""
        from carrel.layout.spreads import find_gutter, is_wide

        return find_gutter(self.small[0], self.ink, lambda: self.rulings) if is_wide(self.gray) else None
