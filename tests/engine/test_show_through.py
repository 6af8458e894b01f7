"""Writing of the other side of the paper, on a real page: marked, kept, and not read as text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import carrel
from carrel.formats import FORMATS, read_page
from carrel.page import SHOWS_THROUGH

PACK = Path(__file__).parents[2].parent / "shared/data/layout/pages.zip"
THIN_PAPER = "hooker-d2c18c9429.webp"


@pytest.mark.skipif(not PACK.exists(), reason="real pages are not here")
def test_mirrored_lines_of_thin_paper_are_marked(tmp_path: Path) -> None:
    with zipfile.ZipFile(PACK) as pack:
        pack.extract(THIN_PAPER, tmp_path)
    page = carrel.read(tmp_path / THIN_PAPER)
    marked = [line for line in page.lines if line.line_type == SHOWS_THROUGH]
    assert len(marked) >= 3
    assert len(page.lines) - len(marked) >= 11  # what is written on this side
    assert all(line.text == "" and line.alternatives[0].text for line in marked)
    for name in ("alto", "page", "hocr", "json"):
        again = read_page(FORMATS[name].write(page))
        assert [line.line_type for line in again.lines] == [line.line_type for line in page.lines]
