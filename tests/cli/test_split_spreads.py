"""``--split-spreads``: a picture of two pages becomes two pages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from carrel.image.source import open_scans
from command_line import exit_code_of

FRENCH = Path(__file__).parents[1] / "pages" / "french.jpg"


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    """Two pages of five lines side by side, of the sample's own paper."""
    gray = next(open_scans(FRENCH, 20)).gray
    page = np.full((900, 3300), 235, np.uint8)
    page[200:530, 80:1560] = gray[370:700, 170:1650]
    page[180:510, 1740:3220] = gray[700:1030, 170:1650]
    file = tmp_path / "opening.png"
    Image.fromarray(page).save(file)
    return file


def test_two_pages_in_every_format(spread: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    formats = "json,alto,page,text,pdf"
    assert exit_code_of("read", spread, "--lang", "fra", "--split-spreads", "-f", formats, "-o", out) == 0
    names = [f"opening.{name}" for name in ("alto.left.xml", "alto.right.xml", "json", "page.left.xml", "page.right.xml", "pdf", "txt")]  # fmt: skip
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == names
    left, right = (out / "opening.txt").read_text("utf-8").split("\f")
    assert "découvrir les pierres du vieux gué" in left
    assert "Barnabé, le jardinier" in right
    assert len(pypdfium2.PdfDocument(out / "opening.pdf")) == 2
    (x0, y0), (x1, y1) = json.loads((out / "opening.json").read_text("utf-8"))["gutter"]
    assert (y0, y1) == (0, 899)
    assert 1560 < x0 < 1740 and 1560 < x1 < 1740
    assert exit_code_of("manifest", out, "--base-url", "https://example.org/") == 0
    canvases = json.loads((out / "manifest.json").read_text("utf-8"))["items"]
    assert [canvas["label"]["none"][0] for canvas in canvases] == ["opening.png, left", "opening.png, right"]
    capsys.readouterr()


def test_without_the_option_it_is_one_page(spread: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("read", spread, "--lang", "fra", "-f", "alto,json", "-o", tmp_path / "out") == 0
    capsys.readouterr()
    assert (tmp_path / "out" / "opening.alto.xml").exists()
    page = json.loads((tmp_path / "out" / "opening.json").read_text("utf-8"))
    assert page["gutter"] is None
    assert len(page["regions"]) == 2
