"""Negatives are read as what they show; pages are left alone, whatever lies around them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import carrel
from carrel.evaluate import character_errors
from carrel.image.polarity import is_light_writing, is_negative, negative_regions, positive
from carrel.image.source import open_scans
from carrel.layout.coverage import mark_uncovered
from carrel.layout.light_ink import uncovered_light_ink

Gray = NDArray[np.uint8]
PAGES = Path(__file__).parents[1] / "pages"
NAMES = ["letter", "french", "two-columns"]


def page(name: str) -> Gray:
    return np.array(Image.open(PAGES / f"{name}.jpg").convert("L"))


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_becomes_the_page(name: str) -> None:
    gray = page(name)
    assert np.array_equal(positive(255 - gray), gray)


def test_files_of_negatives_are_opened_as_pages(tmp_path: Path) -> None:
    gray = page("letter")
    Image.fromarray(255 - gray).save(tmp_path / "film.png")
    Image.fromarray(255 - gray).save(tmp_path / "film.pdf", resolution=150)
    (film,) = open_scans(tmp_path / "film.png", 30.0)
    assert np.array_equal(film.gray, gray)
    (film,) = open_scans(tmp_path / "film.pdf", 30.0)
    assert np.median(film.gray) > 200


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ground", [0, 40])
def test_a_page_on_a_dark_table_is_no_negative(name: str, ground: int) -> None:
    gray = page(name)
    height, width = (side // 2 for side in gray.shape)
    framed = np.pad(gray, [(height, height), (width, width)], constant_values=ground)
    assert np.median(framed) == ground
    assert not is_negative(framed)


@pytest.mark.parametrize("name", NAMES)
def test_faint_writing_on_dark_paper_with_white_holes_is_no_negative(name: str) -> None:
    faint = np.clip(80 + page(name) * 0.15, 0, 255).astype(np.uint8)
    for x in (200, 500, 800):
        cv2.circle(faint, (x, 90), 25, (255,), -1)
    assert np.median(faint) < 128
    assert not is_negative(faint)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_empty_sheets_are_left_alone(level: int) -> None:
    assert not is_negative(np.full((1200, 900), level, np.uint8))


def test_single_words_on_film_are_seen() -> None:
    film = np.full((1400, 1000), 20, np.uint8)
    cv2.putText(film, "Inventaire 1892", (120, 400), cv2.FONT_HERSHEY_DUPLEX, 2.0, (200,), 4)
    assert is_negative(film)
    assert not is_negative(255 - film)


PARTS = {
    "lower half": (slice(1200, None), slice(None)),
    "box": (slice(700, 1500), slice(200, 1500)),
    "left half": (slice(None), slice(0, 900)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", PARTS)
def test_dark_parts_with_light_writing_become_the_page(name: str, part: str) -> None:
    gray = page(name)
    mixed = gray.copy()
    mixed[PARTS[part]] = 255 - mixed[PARTS[part]]
    assert (np.abs(mixed.astype(int) - gray) > 60).mean() > 0.2
    assert (np.abs(positive(mixed).astype(int) - gray) > 60).mean() <= 0.011  # the edge of the part


@pytest.mark.parametrize("name", NAMES)
def test_pages_tables_and_photographs_have_no_negative_regions(name: str) -> None:
    gray = page(name)
    assert negative_regions(gray) == []
    height, width = (side // 4 for side in gray.shape)
    assert negative_regions(np.pad(gray, [(height, height), (width, width)], constant_values=20)) == []
    gray[300:900, 300:1100] = np.clip(np.random.default_rng(1).normal(60, 30, (600, 800)), 0, 255)
    assert negative_regions(gray) == []


def test_light_lines_on_a_dark_part_are_read() -> None:
    gray = page("letter")
    expected = carrel.read(gray).text
    gray[1240:] = 255 - gray[1240:]
    assert character_errors(expected, carrel.read(gray).text) < 0.05 * len(expected)


def film_of(gray: Gray, rim_level: int, grain: float) -> Gray:
    """A negative on film: dull, grainy, with bare film around."""
    film = np.full((gray.shape[0] + 200, gray.shape[1] + 200), float(rim_level), np.float32)
    film[100:-100, 100:-100] = 40 + (255.0 - gray) * 0.72
    noise = np.random.default_rng(7).normal(0.0, 1.0, film.shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 0.9)
    return np.clip(film + smooth / smooth.std() * grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rim_level", [12, 238])
def test_grainy_film_with_a_rim_is_a_negative(name: str, rim_level: int) -> None:
    film = film_of(page(name), rim_level, 11.0)
    assert np.median(positive(film)[300:-300, 300:-300]) > 150


def test_grainy_paper_is_no_negative() -> None:
    grain = np.random.default_rng(3).normal(0.0, 14.0, (1400, 1000))
    assert not is_negative(np.clip(100 + grain, 0, 255).astype(np.uint8))
    assert not is_negative(255 - film_of(page("letter"), 12, 11.0))


def barred(angle_degrees: float, letters: str, height_px: int) -> tuple[Gray, Gray]:
    """A page with a dark bar, and where the bar is."""
    sheet, mask = np.full((900, 1200), 232, np.uint8), np.zeros((900, 1200), np.uint8)
    bar = (slice(400, 400 + height_px), slice(150, 1050))
    sheet[bar], mask[bar] = 28, 1
    cv2.putText(sheet, letters, (180, 400 + height_px * 3 // 4), cv2.FONT_HERSHEY_DUPLEX, height_px / 45, (238,), 2)
    for y in range(100, 380, 50):
        cv2.putText(sheet, "Words on the paper around", (150, y), cv2.FONT_HERSHEY_DUPLEX, 1.0, (40,), 2)
    turn = cv2.getRotationMatrix2D((600, 450), angle_degrees, 1.0)
    turned = [cv2.warpAffine(part, turn, (1200, 900), borderValue=(fill,)) for part, fill in ((sheet, 232), (mask, 0))]
    return turned[0].astype(np.uint8), turned[1].astype(np.uint8)


@pytest.mark.parametrize("angle", [-4.0, 0.0, 2.0])
@pytest.mark.parametrize("height_px", [40, 70])
def test_light_letters_on_a_bar_become_dark(angle: float, height_px: int) -> None:
    sheet, bar = barred(angle, "Article    Shelf    Price", height_px)
    lightened = positive(sheet.copy())
    inside = cv2.erode(bar, np.ones((9, 9), np.uint8)) > 0
    assert np.array_equal(lightened[inside], 255 - sheet[inside])
    outside = cv2.dilate(bar, np.ones((15, 15), np.uint8)) == 0
    assert np.array_equal(lightened[outside], sheet[outside])
    assert lightened[bar > 0].min() >= 15
    assert (lightened[bar > 0] < 100).mean() < 0.2


@pytest.mark.parametrize("letters", ["", "I"])
def test_a_bar_without_words_stays_dark(letters: str) -> None:
    sheet, _ = barred(0.0, letters, 60)
    assert np.array_equal(positive(sheet.copy()), sheet)


def light_page(words: list[str], ground: int, ink: int) -> Gray:
    gray = np.full((1100, 800), ground, np.uint8)
    for row, text in enumerate(words):
        cv2.putText(gray, text, (120, 300 + 60 * row), cv2.FONT_HERSHEY_COMPLEX, 1.0, (ink,), 2, cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, 2, gray.shape)
    return np.clip(gray + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ground", "ink"), [(30, 90), (90, 160), (140, 220), (180, 250)])
def test_light_lines_are_read_whatever_their_ground(ground: int, ink: int) -> None:
    words = ["the keeper of the harbour", "wrote how many boats came", "home before the storm"]
    text = "\n".join(line.final_text for line in carrel.read(light_page(words, ground, ink)).lines)
    assert character_errors("\n".join(words), text) < 10


@pytest.mark.parametrize("words", [["harbour"], ["the storm came", "in winter"]])
@pytest.mark.parametrize(("ground", "ink"), [(140, 165), (180, 205), (220, 245)])
def test_light_ink_in_no_line_is_counted(words: list[str], ground: int, ink: int) -> None:
    gray = light_page(words, ground, ink)
    assert uncovered_light_ink(gray, ()) > 0.9
    assert mark_uncovered(gray, ()).any()
    page = carrel.read(gray)
    assert len(page.lines) == len(words) or (page.uncovered_ink or 0) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_dark_ink_hold_no_light_ink(name: str) -> None:
    assert uncovered_light_ink(page(name), ()) == 0
    punched = page(name)
    for y in (200, 700):
        cv2.circle(punched, (60, y), 15, (255,), -1)
    assert uncovered_light_ink(punched, ()) == 0
    blank = np.clip(np.random.default_rng(2).normal(150, 6, (1100, 800)), 0, 255).astype(np.uint8)
    for y in (200, 700):
        cv2.circle(blank, (60, y), 12, (255,), -1)
    assert uncovered_light_ink(blank, ()) == 0


def counts_of(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.bincount(gray.ravel(), minlength=256).astype(np.float64)


def test_only_light_writing_is_skewed_to_the_light() -> None:
    gray = page("letter")[400:460]
    assert not is_light_writing(counts_of(gray))
    assert is_light_writing(counts_of(255 - gray))
    assert not is_light_writing(counts_of(np.zeros(0, np.uint8)))
    assert not is_light_writing(counts_of(np.full(100, 7, np.uint8)))
