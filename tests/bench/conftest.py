"""What the tests of benches draw."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from carrel_bench.peers.print_pages import OWN_PAGES
from drawn_lines import write_pack


@pytest.fixture
def short_page(tmp_path: Path) -> Path:
    """Return a folder with the first lines of the French page."""
    folder = tmp_path / "short"
    folder.mkdir()
    with Image.open(OWN_PAGES / "french.jpg") as scan:
        scan.crop((0, 0, scan.width, 640)).save(folder / "short.png")
    lines = (OWN_PAGES / "french.gt.txt").read_text("utf-8").splitlines()[:5]
    (folder / "short.gt.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Return a folder with a pack of six drawn lines of ``val``."""
    folder = tmp_path / "packs"
    folder.mkdir()
    write_pack(folder / "drawn.zip", 0, 6)
    return folder
