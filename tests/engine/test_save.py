"""Pages saved and written by the names of formats and files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

import carrel
from carrel.formats import FORMATS
from oracle_formats import page_of

PAGE = page_of("all is well", "a man")


def scan() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (PAGE.width_px, PAGE.height_px), 255).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_the_end_of_the_name_tells_the_format(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    source = scan() if form.needs_scan else b""
    path = PAGE.save(tmp_path / f"letter{form.suffix.upper()}", scan=source or None)
    assert path.read_bytes() == (form.write(PAGE, source) if form.needs_scan else form.write(PAGE))


def test_a_named_format_goes_before_the_name_of_the_file(tmp_path: Path) -> None:
    assert PAGE.save(str(tmp_path / "letter.xml"), "ALTO").read_bytes() == FORMATS["alto"].write(PAGE)


def test_the_scan_may_be_a_path(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(scan())
    saved = PAGE.save(tmp_path / "a.pdf", scan=tmp_path / "scan.png").read_bytes()
    assert saved == carrel.write(PAGE, "pdf", scan()) == FORMATS["pdf"].write(PAGE, scan())


def test_documents_of_several_pages() -> None:
    text = FORMATS["text"].write(PAGE)
    assert carrel.write([PAGE, PAGE], "text") == text + b"\f" + text
    with pikepdf.open(io.BytesIO(carrel.write([PAGE, PAGE], "pdf", [scan(), scan()]))) as pdf:
        assert len(pdf.pages) == 2


REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: PAGE.save(folder / "letter.xml"), "ends in none of .txt, .json, .alto.xml"),
    (lambda folder: PAGE.save(folder / "letter"), "ends in none of"),
    (lambda folder: PAGE.save(folder / "letter.pdf"), "give scan, the file that it was read from"),
    (lambda folder: carrel.write(PAGE, "altoo"), "no format is named altoo; did you mean alto?"),
    (lambda folder: carrel.write(PAGE, "%"), "choose from text, json, alto"),
    (lambda folder: carrel.write([PAGE, PAGE], "alto"), "alto holds one page a file, not 2"),
    (lambda folder: carrel.write([PAGE, PAGE], "pdf", [scan()]), "1 files for 2 pages"),
]


@pytest.mark.parametrize(("refused", "told"), REFUSED)
def test_what_cannot_be_written_is_refused_by_name(
    refused: Callable[[Path], object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(carrel.UsageError, match=told.replace("?", r"\?")):
        refused(tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_pages_and_missing_scans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(carrel.OutputError, match="no pages"):
        carrel.write([])
    with pytest.raises(carrel.InputError, match="no such file"):
        PAGE.save(tmp_path / "a.pdf", scan=tmp_path / "none.png")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(carrel.OutputError, match="cannot be written"):
        PAGE.save(tmp_path / "none" / "letter.txt")
