"""``carrel batch`` reads for real and writes every format, on the device that was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image
from pypdfium2 import PdfDocument

PAGES = Path(__file__).parents[1] / "pages"


def test_one_searchable_pdf_of_a_document_and_an_overlay_of_every_page(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with Image.open(PAGES / "french.jpg") as page:
        head = page.crop((0, 0, page.width, 300))
        head.save(tmp_path / "in" / "two.tif", save_all=True, append_images=[page.crop((0, 300, page.width, 600))])
    carrel, chosen = (
        str(Path(sys.executable).with_name("carrel")),
        "--workers 1 --threads 1 --device cpu --precision int8",
    )
    command = [carrel, "batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-f", "PDF,txt", "--overlay"]
    done = subprocess.run([*command, *chosen.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert names == {"two.pdf", *(f"two-000{n}{suffix}" for n in (1, 2) for suffix in (".txt", ".overlay.png"))}
    with PdfDocument(tmp_path / "out" / "two.pdf") as pdf:
        assert len(pdf) == 2
        for number, sheet in enumerate(pdf, 1):
            text = (tmp_path / "out" / f"two-000{number}.txt").read_text("utf-8").split()
            assert abs(sheet.get_width() / sheet.get_height() - head.width / 300) < 0.01
            assert sheet.get_textpage().get_text_range().split() == text
            assert text
