"""Photographs of the sample pages are read nearly as well as the flat pages, and nothing beside the sheet is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from carrel.evaluate.distance import character_errors
from carrel.image.outline import beside_the_sheet
from carrel.image.prepare import prepare
from carrel.image.sheet import find_sheet, lies_on_table
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
    "25 degrees from a corner": {"degrees": 25.0, "azimuth": -50.0, "turn": 6.0},
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


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("french", {"degrees": 15.0}),
        ("letter", {"degrees": 20.0, "azimuth": 35.0, "turn": -5.0}),
        ("two-columns", {"degrees": 25.0, "azimuth": 35.0, "turn": -5.0}),
    ],
)
def test_whole_pages_keep_their_lines_and_order(name: str, view: dict[str, Any]) -> None:
    """Wood grain below the French page was read as lines, and lines of the two columns changed places."""
    gray = next(open_scans(PAGES / f"{name}.jpg", 20)).gray
    wanted = (PAGES / f"{name}.gt.txt").read_text("utf-8").splitlines()
    language = "eng" if name == "two-columns" else "fra"
    with Reader(ReadOptions(languages=(language,), threads=1)) as reader:
        flat, page = (read(reader, picture) for picture in (gray, photograph(gray, **view)))
    texts = ["\n".join(line.text for line in each.lines) for each in (flat, page)]
    flat_errors, errors = (character_errors("\n".join(wanted), text) for text in texts)
    assert len(page.lines) == len(wanted)
    assert errors <= max(1.5 * flat_errors, MOST_ERRORS * len(" ".join(wanted)))


def sheet_on_table(corners: list[tuple[float, float]], size: tuple[int, int] = (300, 400), table: int = 90) -> Gray:
    """A sheet with lines of writing, one px each eight px of a photograph."""
    width, height = size
    gray = np.full((height, width), table, np.uint8)
    flat = np.full((200, 150), 225, np.uint8)
    flat[20:180:8, 20:130] = 170
    source = np.array([(0, 0), (150, 0), (150, 200), (0, 200)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    inside = cv2.warpPerspective(np.full_like(flat, 255), matrix, size) > 127
    gray[inside] = cv2.warpPerspective(flat, matrix, size)[inside]
    return gray


CORNERS = [(70.0, 60.0), (220.0, 50.0), (260.0, 350.0), (40.0, 340.0)]


def test_the_corners_of_a_sheet_are_found() -> None:
    found = find_sheet(sheet_on_table(CORNERS))
    assert found is not None
    np.testing.assert_allclose(found, CORNERS, atol=2.0)


def test_the_sheet_seen_from_above_leads_back_to_the_photograph() -> None:
    gray = sheet_on_table([(8 * x, 8 * y) for x, y in CORNERS], (2400, 3200))
    seen = prepare(gray)
    height, width = seen.gray.shape
    assert height * width <= gray.size
    corners = seen.geometry.to_scan([(0, 0), (width, 0), (width, height), (0, height)])
    np.testing.assert_allclose(corners, 8 * np.array(CORNERS), atol=24)
    assert np.median(seen.gray) > 230
    flat = prepare(gray, perspective=False)
    assert flat.gray.shape != seen.gray.shape


def test_lines_askew_on_their_sheet_tell_that_it_is_not_flat() -> None:
    """Corners of a curled sheet may be those of a flat one; rectified, its lines fell by 8 degrees and were cut."""
    flat = np.full((1600, 1200), 225, np.uint8)
    for y in range(300, 1300, 64):
        cv2.line(flat, (160, y), (1040, y + 124), (60,), 12)
    matrix = cv2.getPerspectiveTransform(
        np.array([(0, 0), (1200, 0), (1200, 1600), (0, 1600)], np.float32), 8 * np.array(CORNERS, np.float32)
    )
    gray = np.full((3200, 2400), 90, np.uint8)
    cv2.warpPerspective(flat, matrix, (2400, 3200), dst=gray, borderMode=cv2.BORDER_TRANSPARENT)
    assert find_sheet(gray[::8, ::8]) is not None
    taken = prepare(gray)
    np.testing.assert_array_equal(taken.gray, prepare(gray, perspective=False).gray)


def test_flat_scans_are_no_photographs() -> None:
    straight = [(40.0, 30.0), (240.0, 30.0), (240.0, 360.0), (40.0, 360.0)]
    askew = [(60.0, 30.0), (260.0, 50.0), (230.0, 360.0), (30.0, 340.0)]
    assert find_sheet(sheet_on_table(straight)) is None
    assert find_sheet(sheet_on_table(askew)) is None
    assert find_sheet(sheet_on_table(CORNERS, table=215)) is None
    cut = sheet_on_table(CORNERS)[:320]
    assert find_sheet(cut) is None


def test_a_light_rim_is_no_table() -> None:
    assert lies_on_table(sheet_on_table(CORNERS))
    assert not lies_on_table(sheet_on_table(CORNERS, table=215))


def test_a_second_sheet_or_a_bent_edge_is_no_sheet() -> None:
    two = sheet_on_table(CORNERS)
    two[100:300, 275:298] = 225
    assert find_sheet(two) is None
    bent = sheet_on_table(CORNERS)
    cv2.ellipse(bent, (150, 355), (110, 40), 0, 180, 360, (90,), -1)
    assert find_sheet(bent) is None


def test_the_edge_of_a_shadow_is_none_of_the_sheet() -> None:
    """The lit part alone has four straight sides, and writing in the shadow would be lost."""
    gray = sheet_on_table(CORNERS, table=70)
    lines = np.arange(400)[:, None] > 220 + 0.2 * np.arange(300)[None, :]
    gray[lines] = (0.3 * gray[lines]).astype(np.uint8)
    assert find_sheet(gray) is None


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
