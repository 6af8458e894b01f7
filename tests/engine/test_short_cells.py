"""Cells of a letter and a number keep the space between them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from carrel.page import Writing
from carrel.recognizers.short_cells import part_short_cells
from carrel.recognizers.types import Reading, Recognition, WordSpan


def reading(text: str) -> Reading:
    words = (WordSpan(text, 0.9, 0.0, 100.0),)
    return Reading(Recognition(text, 0.9, words), "tesseract", Writing("printed", 0.99))


def cell(text: str) -> np.ndarray:
    font = ImageFont.load_default(30)
    image = Image.new("L", (int(font.getlength(text)) + 30, 46), 235)
    ImageDraw.Draw(image).text((15, 5), text, fill=30, font=font)
    return np.asarray(image)


@pytest.mark.parametrize("text", ["B 9", "A 41", "12 C", "C 1"])
def test_a_space_that_the_ink_has_is_put_in(text: str) -> None:
    (parted,) = part_short_cells([cell(text)], [reading(text.replace(" ", ""))])
    assert parted.recognition.text == text
    words = parted.recognition.words
    assert [word.text for word in words] == text.split()
    assert words[0].right_px < words[1].left_px


@pytest.mark.parametrize("text", ["B9", "A41", "12C", "411", "Ab", "C1"])
def test_close_characters_stay_together(text: str) -> None:
    given = reading(text)
    assert part_short_cells([cell(text)], [given]) == [given]


def test_numbers_and_words_with_white_in_them_stay_as_they_were_read() -> None:
    for shown, read in (("1 1", "11"), ("A b", "Ab"), ("B 9 C", "B9C"), ("The year 9", "Theyear9")):
        given = reading(read)
        assert part_short_cells([cell(shown)], [given]) == [given]
