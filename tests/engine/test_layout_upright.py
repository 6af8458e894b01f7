"""Lines up and down an upright page are found, read the right way, and come after what they stand beside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.image.source import Scan
from carrel.layout import flipped, is_upright
from carrel.options import ReadOptions
from carrel.page import Page, Source
from carrel.reader import Reader
from drawn_pages import placed_line

TEXT = (
    "The keeper of the harbour had no instrument but a clock",
    "that lost several minutes every week of the whole year",
    "and a shelf of ledgers which were as old as her house",
    "Nobody could say who had written the first of them all",
    "but every evening she added a line about the weather",
)
UP, DOWN = "Copied from the register of the parish", "Returned to the owner in the spring"
SIZE = 34


def drawn(text: str) -> NDArray[np.uint8]:
    font = ImageFont.load_default(SIZE)
    image = Image.new("L", (int(font.getlength(text)) + 20, 50), 235)
    ImageDraw.Draw(image).text((10, 5), text, fill=30, font=font)
    return np.asarray(image)


def page(up: str = "", down: str = "") -> NDArray[np.uint8]:
    gray = np.full((1000, 1250), 235, np.uint8)
    for k in range(15):
        row = drawn(TEXT[k % len(TEXT)])
        gray[60 + 60 * k : 110 + 60 * k, 150 : 150 + row.shape[1]] = row
    for text, left, turns in ((up, 50, 1), (down, 1170, 3)):
        if text:
            note = np.rot90(drawn(text), turns)
            gray[150 : 150 + note.shape[0], left : left + 50] = note
    return gray


def read(gray: NDArray[np.uint8]) -> Page:
    with Reader(ReadOptions(languages=("eng",), threads=1)) as reader:
        return reader.read_scan(Scan(gray, None, Source("page.png")))


def test_notes_up_and_down_the_margins_are_read() -> None:
    found = read(page(UP, DOWN))
    margins = [region for region in found.regions if region.kind == "MarginTextZone"]
    assert [line.text for line in found.lines][:15] == [TEXT[k % len(TEXT)] for k in range(15)]
    assert {line.text for region in margins for line in region.lines} == {UP, DOWN}
    (up,) = (line for region in margins for line in region.lines if line.text == UP)
    assert up.baseline[0][1] > up.baseline[-1][1] + 400


def test_rulings_and_marks_down_a_margin_are_no_lines() -> None:
    gray = page()
    gray[100:900, 70:73] = 60
    for y in range(100, 900, 60):  # numbers of the lines
        gray[y + 20 : y + 36, 1190:1196] = 30
    assert [line.text for line in read(gray).lines] == [TEXT[k % len(TEXT)] for k in range(15)]


def test_numbers_of_rows_in_a_table_are_cells() -> None:
    rows, step = 16, 34
    image = Image.new("L", (1000, 200 + step * rows), 235)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(24)
    for x in (60, 130, 480, 700, 900):
        draw.line([(x, 80), (x, 80 + step * rows)], fill=60, width=2)
    for k in range(rows):
        for x, text in ((80, f"{k + 10}"), (150, TEXT[k % 5][:20]), (500, "the keeper"), (720, f"{1700 + 3 * k}")):
            draw.text((x, 83 + step * k), text, fill=30, font=font)
    found = read(np.asarray(image))
    assert [region.kind for region in found.regions] == ["TableZone"]
    assert len(found.lines) == 4 * rows


def test_a_line_that_is_flipped_twice_stands_where_it_stood() -> None:
    line = placed_line(100, 300, 50)
    assert not is_upright(line)
    other = flipped(line)
    assert other.baseline[0].tolist() == [300.0, 40.0]
    assert flipped(other).baseline.tolist() == line.baseline.tolist()
