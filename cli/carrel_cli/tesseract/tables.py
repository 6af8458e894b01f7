"""Tesseract's own outputs of pages that were read: TSV, boxes of characters, orientation, skew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from math import radians

from carrel.page import Box, Line, Page, Word

TSV_COLUMNS: tuple[str, ...] = (
    "level", "page_num", "block_num", "par_num", "line_num", "word_num", "left", "top", "width", "height", "conf", "text",
)  # fmt: skip


def tsv(pages: Sequence[Page]) -> bytes:
    """Return a row for each page, block, paragraph, line and word; only words have a confidence, in percent, and text."""
    rows = [TSV_COLUMNS]
    for number, page in enumerate(pages, 1):
        rows.append(_row(1, (number, 0, 0, 0, 0), Box(0, 0, page.width_px, page.height_px)))
        rows += _rows_of(number, page)
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def _rows_of(number: int, page: Page) -> Iterator[tuple[str, ...]]:
    blocks = count(1)
    for region in page.regions:
        lines = [line for line in region.lines if line.final_text]
        if not lines:
            continue
        block, box = next(blocks), Box.around(region.polygon)
        yield _row(2, (number, block, 0, 0, 0), box)
        yield _row(3, (number, block, 1, 0, 0), box)
        for n, line in enumerate(lines, 1):
            yield _row(4, (number, block, 1, n, 0), Box.around(line.polygon))
            for k, word in enumerate(_words(line), 1):
                yield _row(5, (number, block, 1, n, k), word.box, f"{100 * word.confidence:.6f}", word.text)


def _row(level: int, numbers: tuple[int, ...], box: Box, confidence: str = "-1", text: str = "") -> tuple[str, ...]:
    sides = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return (str(level), *map(str, numbers), *map(str, sides), confidence, text)


def _words(line: Line) -> Sequence[Word]:
    """The words of a line; the line as one word where it was not read word by word."""
    return line.words or (Word(" ".join(line.final_text.split()), Box.around(line.polygon), line.confidence),)


def boxes(pages: Sequence[Page]) -> bytes:
    """Return a line for each character: itself, left, bottom, right, top in px from the lower left corner, page from 0.

    Where a recognizer gives no places of characters, a word is shared out evenly.
    """
    found: list[str] = []
    for number, page in enumerate(pages):
        for word in (word for line in page.lines if line.final_text for word in _words(line)):
            for text, (left, top, right, bottom) in _characters(word):
                sides = (left, page.height_px - bottom, right, page.height_px - top)
                found.append(f"{text} {' '.join(map(str, sides))} {number}\n")
    return "".join(found).encode()


def _characters(word: Word) -> list[tuple[str, Box]]:
    if word.characters:
        return [(character.text, character.box) for character in word.characters]
    left, top, right, bottom = word.box
    edges = [left + (right - left) * k // len(word.text) for k in range(len(word.text) + 1)]
    return [(text, Box(a, top, b, bottom)) for text, a, b in zip(word.text, edges, edges[1:], strict=False)]


def orientation(number: int, degrees: int, confidence: float) -> bytes:
    """Return what ``--psm 0`` tells of a page, counted from 0, that must be rotated counterclockwise by ``degrees``."""
    return (
        f"Page number: {number}\nOrientation in degrees: {degrees}\nRotate: {-degrees % 360}\n"
        f"Orientation confidence: {confidence:.2f}\n"
    ).encode()


def skew(degrees: float) -> bytes:
    """Return what ``--psm 2`` tells of a page whose lines fall to the right by so many degrees."""
    return f"Orientation: 0\nWritingDirection: 0\nTextlineOrder: 2\nDeskew angle: {radians(degrees):.4f}\n".encode()
