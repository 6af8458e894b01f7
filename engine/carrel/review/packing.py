"""Lines of pages cut out of their scans, as line packs hold them: those that people have seen, or all that have text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.page import Line, Page
from carrel.review.scans import Decode, scan_of
from carrel.review.training_lines import LineRow, line_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SIDE_PX = 4
"""A line's polygon that is smaller in height or width shows no text."""


def seen_with_text(line: Line) -> bool:
    """Tell whether a person has corrected or confirmed ``line``, and it has text."""
    return line.correction is not None and bool(line.final_text.strip())


def with_text(line: Line) -> bool:
    """Tell whether ``line`` has text, of whatever origin."""
    return bool(line.final_text.strip())


def cut_lines(
    pages: Mapping[str, Page],
    images: Path,
    wanted: Callable[[Line], bool],
    say: Callable[[str], None],
    decode: Decode,
) -> Iterator[tuple[LineRow, NDArray[np.uint8]]]:
    """Cut the wanted lines of ``pages`` out of the scans below ``images``, one page after the other.

    Parameters
    ----------
    pages
        Pages by the names of their results.
    images
        Folder of the scans; see `carrel.review.scans.find_scan`.
    wanted
        Which lines.
    say
        Called with what a person should know: pages without a scan, lines that cannot be cut.
    decode
        See `carrel.review.scans.Decode`.

    Yields
    ------
    LineRow, ndarray
        The row, without a split, and the picture, uint8 ``(64, width)``.
    """
    for name, page in pages.items():
        lines = [line for line in page.lines if wanted(line)]
        if not lines:
            continue
        scan = scan_of(images, name, page, decode)
        if scan is None:
            say(f"{name}: no scan of {page.width_px} x {page.height_px} px in {images}")
            continue
        for line in lines:
            if not _can_be_cut(line):
                say(f"{name}#{line.id}: no baseline, or a polygon too small to be cut")
                continue
            image = f"{name.replace('/', '_')}-{line.id}.png"
            row = LineRow(image, " ".join(line.final_text.split()), name, "", line.final_text)
            yield row, line_picture(scan, line)


def _can_be_cut(line: Line) -> bool:
    if len(line.baseline) < 2 or len(line.polygon) < 3:
        return False
    xs, ys = zip(*line.polygon, strict=True)
    return max(xs) - min(xs) >= LEAST_SIDE_PX and max(ys) - min(ys) >= LEAST_SIDE_PX
