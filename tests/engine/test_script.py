"""Pages in a script that a recognizer does not know are not read by it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import carrel
from carrel.page import Writing
from carrel.recognizers.routing import ROUTES, routes_for
from carrel.recognizers.script import detect_script, refuse_unknown_script, scripts_of_languages
from carrel.recognizers.types import Reading, Recognition

LINES = {
    "GREEK": ("ὅτι τῇδε κείμεθα τοῖς κείνων", "ῥήμασι πειθόμενοι καὶ ταῦτα", "ἄνδρα μοι ἔννεπε Μοῦσα"),
    "CYRILLIC": ("Все счастливые семьи похожи", "друг на друга каждая семья", "несчастлива по своему"),
    "LATIN": ("The keeper of the harbour wrote", "every evening how many boats", "had come home before the storm"),
}


def _font(size: int) -> ImageFont.FreeTypeFont:
    matplotlib = pytest.importorskip(
        "matplotlib", reason="matplotlib, which brings a font with these letters, is missing"
    )
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def _page(script: str) -> Image.Image:
    image = Image.new("L", (1100, 90 * len(LINES[script]) + 120), 255)
    for row, text in enumerate(LINES[script]):
        ImageDraw.Draw(image).text((60, 60 + 90 * row), text, 0, _font(44))
    return image


@pytest.mark.parametrize("script", LINES)
def test_script_of_lines(script: str) -> None:
    page = np.asarray(_page(script))
    crops = [page[50 + 90 * row : 50 + 90 * (row + 1)] for row in range(3)]
    found, sure = detect_script(crops)
    assert found == script and (sure > 0 or script == "LATIN")


def test_greek_is_no_french(caplog: pytest.LogCaptureFixture) -> None:
    """The languages are English and French: no line has a text, and a word says why."""
    with caplog.at_level(logging.WARNING), carrel.Reader(carrel.ReadOptions(threads=1)) as reader:
        page = reader.read(_page("GREEK"))
    assert len(page.lines) == 3 and not any(line.text or line.alternatives for line in page.lines)
    assert "3 lines in Greek script" in caplog.text


def _reading(confidence: float, recognizer: str = "ctc", text: str = "some words") -> Reading:
    return Reading(Recognition(text, confidence), recognizer, Writing("handwritten", 1.0))


KNOWN = {"ctc": frozenset({"LATIN"}), "tesseract": frozenset({"LATIN", "ARABIC"})}
CROP = np.full((40, 300), 255, np.uint8)


@pytest.mark.parametrize(
    ("readings", "found", "kept"),
    [
        ([_reading(0.7)] * 2, ("ARABIC", 9.0), [False, False]),
        ([_reading(0.7)] * 2, ("ARABIC", 1.0), [True, True]),  # hands are taken for Arabic, but never surely
        ([_reading(0.7)] * 2, ("LATIN", 9.0), [True, True]),
        ([_reading(0.7)] * 2, ("", 0.0), [True, True]),
        ([_reading(0.84)] * 2, ("ARABIC", 3.0), [True, True]),
        ([_reading(0.9)] * 2, ("ARABIC", 90.0), [True, True]),  # read well: not even asked
        ([_reading(0.7), _reading(0.7, "tesseract")], ("ARABIC", 9.0), [False, True]),
        ([_reading(0.6), _reading(0.95), _reading(0.6)], ("ARABIC", 9.0), [False, True, False]),  # a Latin heading
    ],
)
def test_what_is_refused(readings: list[Reading], found: tuple[str, float], kept: list[bool]) -> None:
    after = refuse_unknown_script([CROP] * len(readings), readings, KNOWN, lambda _: found)
    assert [bool(reading.recognition.text) for reading in after] == kept
    assert all("Arabic script" in r.recognition.reason for r in after if not r.recognition.text)


@pytest.mark.parametrize(
    "halves", [[("LATIN", 1.1), ("ARABIC", 6.0)], [("ARABIC", 6.0), ("ARABIC", 0.0)], [("", 0.0), ("ARABIC", 6.0)]]
)
def test_a_script_that_half_the_lines_do_not_show_is_not_believed(halves: list[tuple[str, float]]) -> None:
    readings = [_reading(0.7)] * 4
    crops = [CROP.copy() for _ in readings]

    def detect(lines: Sequence[NDArray[np.uint8]]) -> tuple[str, float]:
        first = lines[0]
        return ("ARABIC", 20.0) if len(lines) == 4 else halves[0 if first is crops[0] else 1]

    assert refuse_unknown_script(crops, readings, KNOWN, detect) == readings


def test_nothing_is_asked_of_a_page_without_text() -> None:
    empty = [_reading(0.0, text="")]
    assert refuse_unknown_script([CROP], empty, KNOWN, lambda _: 1 / 0) == empty  # type: ignore[arg-type,return-value]


def test_hands_are_not_read_by_a_network_of_another_script() -> None:
    latin = frozenset({"LATIN"})
    assert routes_for({"ctc": latin, "tesseract": scripts_of_languages(["eng", "heb"])}) is ROUTES
    routes = routes_for({"ctc": latin, "tesseract": scripts_of_languages(["heb", "yid"])})
    assert {route.recognizers for route in routes.values()} == {("tesseract",)}
