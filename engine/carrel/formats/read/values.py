"""Numbers and points out of other programs' attributes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from carrel.errors import InputError
from carrel.page import Box, Line, Points

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MAX_PIXELS = 10_000_000
MAX_POINTS = 10_000
"""Of one polygon or baseline: outlines of handwriting traced pixel by pixel have a few thousand."""
_LONGEST_INDEX = 9  # digits


def number(text: str, name: str) -> float:
    """Return ``text`` as a finite number of at most ten million.

    Raises
    ------
    InputError
        ``text`` is no such number; the message calls it ``name``.
    """
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{name} is {text[:40]!r}, not a number") from None
    if not abs(value) <= MAX_PIXELS:
        raise InputError(f"{name} is {text[:40]!r}; at most {MAX_PIXELS} is accepted")
    return value


def whole(text: str, name: str) -> int:
    """Return ``text`` as the nearest whole number; raises as ``number`` does."""
    return round(number(text, name))


def points(text: str, name: str) -> Points:
    """Return all numbers in ``text``, two by two, whatever stands between them."""
    found = _NUMBER.findall(text)
    if len(found) > 2 * MAX_POINTS:
        raise InputError(f"{name} has {len(found) // 2:,} points; at most {MAX_POINTS:,} are accepted")
    if len(found) % 2 or (text.strip() and not found):
        raise InputError(f"{name} is {text[:40]!r}, not pairs of numbers")
    numbers = [whole(match, name) for match in found]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def index_number(text: str) -> int | None:
    """Return ``text`` as a whole number of at most nine digits; None where it is none."""
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_INDEX else None


def probability(text: str | None) -> float | None:
    """Return ``text`` as a number in [0, 1]; None where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def positioned_box(attributes: Mapping[str, str], name: str) -> Box | None:
    """Return the box of ALTO's HPOS, VPOS, WIDTH and HEIGHT; None where one is missing."""
    keys = ("HPOS", "VPOS", "WIDTH", "HEIGHT")
    if any(key not in attributes for key in keys):
        return None
    left, top, width, height = (number(attributes[key], f"{name} {key}") for key in keys)
    return Box(round(left), round(top), round(left + width), round(top + height))


def corners(box: Box) -> Points:
    """Return the outermost pixels of ``box``, clockwise from the top left."""
    right, bottom = max(box.right - 1, box.left), max(box.bottom - 1, box.top)
    return (box.left, box.top), (right, box.top), (right, bottom), (box.left, bottom)


def mean(values: list[float]) -> float | None:
    """Return the mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def extent(lines: list[Line]) -> tuple[int, int]:
    """Return width and height that hold all lines, for files that do not state the page's size."""
    seen = [point for line in lines for point in (*line.polygon, *line.baseline)]
    if not seen:
        raise InputError("no page size, and no line to tell it from")
    box = Box.around(tuple(seen))
    return max(box.right, 1), max(box.bottom, 1)


def page_size(width: float, height: float) -> tuple[int, int]:
    """Return the size in px, rounded up.

    Raises
    ------
    InputError
        Not positive.
    """
    if width <= 0 or height <= 0:
        raise InputError(f"a page of {width:g} x {height:g} px")
    return math.ceil(width), math.ceil(height)
