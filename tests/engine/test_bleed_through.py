"""Writing of the other side of the paper, on a real page: marked, kept, and not read as text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import carrel
from carrel.formats import FORMATS, read_page
from carrel.page import BLEED_THROUGH, Line, Page, Region, Source, Writing

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


def test_the_former_name_of_the_type_is_still_read() -> None:
    old = Line(((0, 9), (9, 9)), ((0, 0), (9, 0), (9, 9)), Writing("handwritten", 0.9), "", 0.0, line_type=FORMER)
    assert old.line_type == BLEED_THROUGH
    page = Page(10, 10, None, (Region("MainZone", old.polygon, (old,)),), Source("a.png"))
    for name in ("alto", "page", "hocr", "json"):
        written = FORMATS[name].write(page)
        assert BLEED_THROUGH.encode() in written
        again = read_page(written.replace(BLEED_THROUGH.encode(), FORMER.encode()))
        assert [line.line_type for line in again.lines] == [BLEED_THROUGH]
