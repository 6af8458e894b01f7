"""Text that a page of a PDF holds and shows, as lines of the page model."""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.page import Box, Line, Region, Word, Writing

RECOGNIZER = "pdf"
"""What "read" the lines that a PDF holds itself."""
_SEEN_STEP = 12  # gray levels by which a letter changes what lies under it
_BREAKS = "\r\n"
_HYPHENS = {"\x02": "-", "\ufffe": "-"}  # what PDFium makes of a hyphen at a line's end
_NEW_REGION = 1.8  # of a line's height from one line's top to the next
_MOST_LETTERS = 200_000
_UNITS = 1 << 14  # whole numbers that PDFium divides the page into


class _Letter(NamedTuple):
    """A character, its box in px and where its foot stands."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    foot: tuple[float, float]


def visible_regions(page: Any, shown: NDArray[np.uint8], bare: NDArray[np.uint8]) -> tuple[Region, ...]:
    """Return the text that is to be seen on a page.

    Parameters
    ----------
    page
        Of PDFium.
    shown, bare
        uint8, (h, w): the page drawn with and without its text. Words that make no difference are not seen: invisible,
        white on white, below a picture, in a layer that is switched off.
    """
    textpage = page.get_textpage()
    try:
        lines = [_seen(line, shown, bare) for line in _lines(_letters(page, textpage, shown.shape))]
    finally:
        textpage.close()
    placed = [_line(words, shown.shape) for words in lines if words]
    return tuple(_region(group) for group in _groups(placed))


def merged(read: Sequence[Region], own: Sequence[Region]) -> tuple[Region, ...]:
    """Merge regions that were read and those that the file holds: each of the latter before the first that begins below it."""
    regions = list(read)
    for region in own:
        bottom = max(y for _, y in region.polygon)
        tops = [min(y for line in other.lines for _, y in line.polygon) if other.lines else bottom for other in regions]
        at = next((index for index, top in enumerate(tops) if top > bottom), len(regions))
        regions.insert(at, region)
    return tuple(regions)


def _letters(page: Any, textpage: Any, shape: tuple[int, ...]) -> Iterator[_Letter | None]:
    """The characters of a page in order, None where a line ends."""
    from pypdfium2 import raw

    to_px = _to_px(page, shape)
    box, (x, y) = raw.FS_RECTF(), (ctypes.c_double(), ctypes.c_double())
    high = 0
    for index in range(min(textpage.count_chars(), _MOST_LETTERS)):
        code = raw.FPDFText_GetUnicode(textpage, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
        high = 0
        text = _HYPHENS.get(chr(code), chr(code)) if 0 < code < 0x110000 else "\ufffd"
        if text in _BREAKS:
            yield None
            continue
        raw.FPDFText_GetLooseCharBox(textpage, index, box)
        raw.FPDFText_GetCharOrigin(textpage, index, x, y)
        corners = to_px @ np.array([[box.left, box.right, x.value], [box.bottom, box.top, y.value], [1, 1, 1]])
        (x0, x1, foot_x), (y0, y1, foot_y) = corners.tolist()
        yield _Letter(text, min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), (foot_x, foot_y))


def _to_px(page: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(2, 3): from the page's own space to px of its upright picture."""
    from pypdfium2 import raw

    columns: list[tuple[float, float]] = []
    left, bottom, right, top = page.get_bbox()
    for x, y in ((left, bottom), (right, bottom), (left, top)):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, _UNITS, _UNITS, 0, x, y, across, down)
        columns.append((across.value * shape[1] / _UNITS, down.value * shape[0] / _UNITS))
    (x0, y0), (x1, y1), (x2, y2) = columns
    width, height = max(right - left, 1e-6), max(top - bottom, 1e-6)
    linear = np.array([[(x1 - x0) / width, (x2 - x0) / height], [(y1 - y0) / width, (y2 - y0) / height]])
    offset = np.array([x0, y0]) - linear @ np.array([left, bottom])
    return np.column_stack([linear, offset])


def _lines(letters: Iterator[_Letter | None]) -> Iterator[list[list[_Letter]]]:
    """Words of each line."""
    line: list[list[_Letter]] = [[]]
    for letter in letters:
        if letter is None:
            yield [word for word in line if word]
            line = [[]]
        elif letter.text.isspace():
            line.append([])
        elif unicodedata.category(letter.text) not in ("Cc", "Cs", "Cn"):
            line[-1].append(letter)
    yield [word for word in line if word]


def _seen(line: list[list[_Letter]], shown: NDArray[np.uint8], bare: NDArray[np.uint8]) -> list[list[_Letter]]:
    def is_seen(word: list[_Letter]) -> bool:
        left, top, right, bottom = _box(word, shown.shape)
        with_text, without = shown[top:bottom, left:right], bare[top:bottom, left:right]
        return bool(with_text.size and int(np.abs(with_text.astype(np.int16) - without).max()) > _SEEN_STEP)

    return [word for word in line if is_seen(word)]


def _box(letters: Sequence[_Letter], shape: tuple[int, ...]) -> Box:
    """Around ``letters``, inside the page, at least a pixel wide and high."""
    left = min(max(int(min(letter.left for letter in letters)), 0), shape[1] - 1)
    top = min(max(int(min(letter.top for letter in letters)), 0), shape[0] - 1)
    right = min(max(int(np.ceil(max(letter.right for letter in letters))), left + 1), shape[1])
    bottom = min(max(int(np.ceil(max(letter.bottom for letter in letters))), top + 1), shape[0])
    return Box(left, top, right, bottom)


def _line(words: list[list[_Letter]], shape: tuple[int, ...]) -> Line:
    letters = [letter for word in words for letter in word]
    left, top, right, bottom = _box(letters, shape)
    feet = np.clip(np.rint([letter.foot for letter in letters]), 0, (shape[1] - 1, shape[0] - 1)).astype(int)
    first, last = feet[0].tolist(), feet[-1].tolist()
    if abs(last[1] - first[1]) > abs(last[0] - first[0]):  # it runs up or down
        baseline = ((first[0], first[1]), (last[0], last[1]))
    else:
        baseline = ((left, first[1]), (max(right - 1, left + 1), last[1]))
    return Line(
        baseline=baseline,
        polygon=((left, top), (right - 1, top), (right - 1, bottom - 1), (left, bottom - 1)),
        writing=Writing("printed", 1.0),
        text=" ".join("".join(letter.text for letter in word) for word in words),
        confidence=1.0,
        words=tuple(Word("".join(letter.text for letter in word), _box(word, shape), 1.0) for word in words),
        recognizer=RECOGNIZER,
    )


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that follow each other closely downwards."""
    group: list[Line] = []
    for line in lines:
        if group:
            before, here = Box.around(group[-1].polygon), Box.around(line.polygon)
            height = max(before.bottom - before.top, here.bottom - here.top)
            beside = here.left >= before.right or here.right <= before.left
            if not 0 <= here.top - before.top <= _NEW_REGION * height or (beside and here.top >= before.bottom):
                yield group
                group = []
        group.append(line)
    if group:
        yield group


def _region(lines: list[Line]) -> Region:
    left, top, right, bottom = Box.around(tuple(point for line in lines for point in line.polygon))
    return Region(
        "MainZone", ((left, top), (right - 1, top), (right - 1, bottom - 1), (left, bottom - 1)), tuple(lines)
    )
