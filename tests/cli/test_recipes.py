"""The scripts of docs/other-programs.md, as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image

PAGES = Path(__file__).parents[1] / "pages"
GUIDE = Path(__file__).parents[2] / "docs" / "other-programs.md"


def script(named: str, folder: Path) -> Path:
    """Write the script whose comment begins so, and a ``carrel`` for it to call."""
    blocks = [block.partition("\n```")[0] for block in GUIDE.read_text("utf-8").split("```sh\n")[1:]]
    (found,) = [block for block in blocks if f"\n# {named}:" in block]
    path = folder / named
    path.write_text(found + "\n", "utf-8")
    carrel = folder / "carrel"
    carrel.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from carrel_cli.main import main; main()" "$@"\n', "utf-8"
    )
    for file in (path, carrel):
        file.chmod(0o755)
    return path


def run(path: Path, **variables: str) -> int:
    environment = {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", **variables}
    return subprocess.run([path], env=environment, check=False).returncode


def test_a_pdf_is_searchable_before_it_is_consumed(tmp_path: Path) -> None:
    path = script("pre-consume", tmp_path)
    with Image.open(PAGES / "two-columns.jpg") as image:
        image.crop((0, 180, image.width, 420)).save(tmp_path / "scan.pdf", resolution=220)
    assert run(path, DOCUMENT_WORKING_PATH=str(tmp_path / "scan.pdf")) == 0
    document = pypdfium2.PdfDocument(tmp_path / "scan.pdf")
    assert "Tide Tables" in document[0].get_textpage().get_text_bounded()
    document.close()
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(b"%PDF-1.7 no more")
    assert run(path, DOCUMENT_WORKING_PATH=str(damaged)) == 0
    assert damaged.read_bytes() == b"%PDF-1.7 no more"


def test_plugins_are_taken_from_python_as_from_the_command_line(tmp_path: Path) -> None:
    ocrmypdf = pytest.importorskip("ocrmypdf", reason="ocrmypdf is not installed: uv sync --extra ocrmypdf")
    with pikepdf.Pdf.new() as pdf:
        pdf.add_blank_page(page_size=(200, 100))
        pdf.save(tmp_path / "blank.pdf")
    code = "import ocrmypdf; ocrmypdf.ocr('blank.pdf', 'out.pdf', plugins=['carrel_ocrmypdf'], progress_bar=False, force_ocr=True)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with pikepdf.open(tmp_path / "out.pdf") as pdf, pdf.open_metadata() as metadata:
        assert "Carrel" in str(metadata["xmp:CreatorTool"])
    assert ocrmypdf is not None


@pytest.mark.skipif(shutil.which("scanimage") is None, reason="there is no scanimage")
def test_a_button_scans_into_the_folder(tmp_path: Path) -> None:
    path = script("button", tmp_path)
    folder = tmp_path / "scans"
    folder.mkdir()
    assert run(path, SCANS=str(folder), SCANBD_DEVICE="test") == 0
    (scan,) = folder.iterdir()
    with Image.open(scan) as image:
        assert (scan.suffix, image.format, min(image.size) > 100) == (".tif", "TIFF", True)
