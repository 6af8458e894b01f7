"""Photographs of a sample page are read nearly as well as the flat page, and nothing beside the sheet is read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from carrel.evaluate.distance import character_errors
from carrel.image.outline import beside_the_sheet
from carrel.image.source import Scan, open_scans
from carrel.options import ReadOptions
from carrel.page import Page, Source
from carrel.reader import Reader
from photographs import Gray, photograph

PAGES = Path(__file__).parents[1] / "pages"
LINES = 11
MOST_ERRORS, MOST_IN_SHADOW = 0.005, 0.015
"""Shares of the characters: of the flat page none is wrong. The edge of a hard shadow is read as a character now and then."""
VIEWS = {
    "5 degrees": {"degrees": 5.0},
    "15 degrees": {"degrees": 15.0},
    "25 degrees": {"degrees": 25.0},
    "curl": {"degrees": 8.0, "curl_px": 45.0},
    "shadow": {"degrees": 10.0, "shadow": True},
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(ReadOptions(languages=("fra",), threads=1))


@pytest.fixture(scope="module")
def flat() -> Gray:
    """The head of the page, with a margin below."""
    gray = next(open_scans(PAGES / "french.jpg", 20)).gray
    return np.concatenate((gray[150:1000], gray[30:150][::-1]))


def truth() -> str:
    return "\n".join((PAGES / "french.gt.txt").read_text("utf-8").splitlines()[:LINES])


def read(reader: Reader, gray: Gray) -> Page:
    return reader.read_scan(Scan(gray, None, Source("photograph.jpg")))


def errors(page: Page) -> int:
    return character_errors(truth(), "\n".join(line.text for line in page.lines))


@pytest.fixture(scope="module")
def flat_errors(reader: Reader, flat: Gray) -> int:
    return errors(read(reader, flat))


@pytest.mark.parametrize("view", VIEWS)
def test_photographs_are_read_as_the_flat_page(view: str, reader: Reader, flat: Gray, flat_errors: int) -> None:
    page = read(reader, photograph(flat, **VIEWS[view]))  # pyright: ignore[reportArgumentType]
    assert len(page.lines) == LINES
    share = MOST_IN_SHADOW if view == "shadow" else MOST_ERRORS
    assert errors(page) <= max(1.5 * flat_errors, share * len(truth()))


def boxes(*places: tuple[int, int, int, int]) -> list[np.ndarray]:
    return [np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32) for x0, y0, x1, y1 in places]


def on_table(table: int = 90) -> Gray:
    gray = np.full((1200, 1000), table, np.uint8)
    cv2.fillPoly(gray, [np.array([(200, 150), (850, 170), (880, 1050), (180, 1080)])], (230,))
    return gray


def test_short_lines_on_the_table_are_known() -> None:
    lines = boxes((5, 30, 100, 60), *((250, y, 800, y + 30) for y in range(250, 1000, 60)), (260, 1000, 330, 1030))
    assert beside_the_sheet(on_table(), lines).tolist() == [True] + [False] * (len(lines) - 1)


def test_short_lines_in_shadow_are_kept() -> None:
    gray = on_table()
    gray[600:, :] //= 2
    lines = boxes(*((250, y, 800, y + 30) for y in range(250, 600, 60)), *((250, y, 420, y + 30) for y in (620, 800)))
    assert not beside_the_sheet(gray, lines).any()


def test_long_lines_and_pages_without_a_table_keep_all() -> None:
    lines = boxes((5, 30, 900, 60), *((250, y, 800, y + 30) for y in range(250, 1000, 60)))
    assert not beside_the_sheet(on_table(), lines).any()
    stray = boxes((5, 30, 100, 60), *((250, y, 800, y + 30) for y in range(250, 1000, 60)))
    assert not beside_the_sheet(on_table(table=225), stray).any()
    assert not beside_the_sheet(on_table(), stray[:2]).any()
