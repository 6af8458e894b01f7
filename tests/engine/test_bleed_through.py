"""Writing of the other side of the paper, on a real page: marked, kept, and not read as text."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import carrel
from carrel.formats import FORMATS, read_page
from carrel.page import BLEED_THROUGH, Line, Page, Region, Source, Writing
from carrel.recognizers.bleed_through import refuse_printed_bleed_through
from carrel.recognizers.printed import TesseractRecognizer
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import Reading, Recognition
from drawn_lines import draw_line

PACK = Path(__file__).parents[2].parent / "shared/data/layout/pages.zip"
FORMER = "DefaultLine:ShowThrough"
THIN_PAPER = "hooker-d2c18c9429.webp"


@pytest.mark.skipif(not PACK.exists(), reason="real pages are not here")
def test_mirrored_lines_of_thin_paper_are_marked(tmp_path: Path) -> None:
    with zipfile.ZipFile(PACK) as pack:
        pack.extract(THIN_PAPER, tmp_path)
    page = carrel.read(tmp_path / THIN_PAPER)
    marked = [line for line in page.lines if line.line_type == BLEED_THROUGH]
    assert len(marked) >= 3
    assert len(page.lines) - len(marked) >= 11  # what is written on this side
    assert all(line.text == "" and line.alternatives[0].text for line in marked)
    for name in ("alto", "page", "hocr", "json"):
        again = read_page(FORMATS[name].write(page))
        assert [line.line_type for line in again.lines] == [line.line_type for line in page.lines]


WORDS = (
    "The ferry left the north bank",
    "with eleven passengers and apples",
    "nobody had expected the water",
)


def printed_crops(count: int, *, mirrored: bool) -> list[NDArray[np.uint8]]:
    crops = [np.asarray(draw_line(WORDS[k % len(WORDS)]).convert("L"), np.uint8) for k in range(count)]
    return [np.ascontiguousarray(crop[:, ::-1]) if mirrored else crop for crop in crops]


class Counted:
    """The recognizer of print, and how many lines it was given."""

    name = "tesseract"

    def __init__(self) -> None:
        self.count = 0
        self._tesseract = TesseractRecognizer(("eng",), 5.0)

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        self.count += len(crops)
        return self._tesseract.read(crops, spread)


def of_print(crops: Sequence[NDArray[np.uint8]], recognizer: Counted) -> list[Reading]:
    """Readings in which another recognizer is surer of what it made up."""
    own = recognizer.read(crops)
    made_up = Recognition("fluent prose of no meaning", 0.85)
    return [Reading(made_up, "ctc", Writing("printed", 0.95), (("tesseract", read),)) for read in own]


def test_print_of_the_other_side_is_refused_whoever_was_sure_of_it() -> None:
    crops, recognizer = printed_crops(5, mirrored=True), Counted()
    checked = refuse_printed_bleed_through(crops, of_print(crops, recognizer), recognizer, ONE_AFTER_THE_OTHER)
    assert [(r.recognition.text, r.bleed_through) for r in checked] == [("", True)] * 5
    assert all(("ctc", Recognition("fluent prose of no meaning", 0.85)) in r.others for r in checked)


def test_print_of_this_side_stays_and_costs_no_second_reading() -> None:
    crops, recognizer = printed_crops(5, mirrored=False), Counted()
    readings = of_print(crops, recognizer)
    assert refuse_printed_bleed_through(crops, readings, recognizer, ONE_AFTER_THE_OTHER) == readings
    assert recognizer.count == 5


def test_of_poor_print_a_few_mirror_images_are_read() -> None:
    blurred = [cv2.GaussianBlur(crop, (0, 0), 4.0).astype(np.uint8) for crop in printed_crops(9, mirrored=False)]
    recognizer = Counted()
    readings = of_print(blurred, recognizer)
    assert refuse_printed_bleed_through(blurred, readings, recognizer, ONE_AFTER_THE_OTHER) == readings
    assert recognizer.count <= 9 + 3


def test_the_former_name_of_the_type_is_still_read() -> None:
    old = Line(((0, 9), (9, 9)), ((0, 0), (9, 0), (9, 9)), Writing("handwritten", 0.9), "", 0.0, line_type=FORMER)
    assert old.line_type == BLEED_THROUGH
    page = Page(10, 10, None, (Region("MainZone", old.polygon, (old,)),), Source("a.png"))
    for name in ("alto", "page", "hocr", "json"):
        written = FORMATS[name].write(page)
        assert BLEED_THROUGH.encode() in written
        again = read_page(written.replace(BLEED_THROUGH.encode(), FORMER.encode()))
        assert [line.line_type for line in again.lines] == [BLEED_THROUGH]
