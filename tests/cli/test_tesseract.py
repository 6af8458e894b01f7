"""``carrel tesseract`` as a stand-in for ``tesseract``: called as that is, and by pytesseract."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from carrel.evaluate import character_errors
from carrel.formats import read_page
from carrel_cli.tesseract.tables import TSV_COLUMNS
from command_line import exit_code_of

PAGES = Path(__file__).parents[1] / "pages"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of a printed page, English: quick to read."""
    path = tmp_path_factory.mktemp("scan") / "small.png"
    with Image.open(PAGES / "two-columns.jpg") as image:
        image.crop((0, 120, image.width, 520)).save(path, dpi=(220, 220))
    return path


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One handwritten line of the letter."""
    path = tmp_path_factory.mktemp("scan") / "line.png"
    with Image.open(PAGES / "letter.jpg") as image:
        image.crop((70, 742, 1160, 828)).save(path)
    return path


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, str, str]:
    code = exit_code_of("tesseract", *arguments)
    out, err = capfdbinary.readouterr()
    return code, out.decode("utf-8"), err.decode("utf-8")


def shown_text(pdf: Path) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return " ".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def test_outputs_have_tesseracts_names_and_columns(
    small: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    base = tmp_path / "out"
    asked = ("txt", "hocr", "alto", "page", "tsv", "pdf", "makebox", "quiet")
    code, out, err = run(capfdbinary, small, base, "-l", "eng+osd", "--psm", "6", "--oem", "1", "--dpi", "220", *asked)
    assert (code, out, err) == (0, "", "")
    text = (tmp_path / "out.txt").read_text("utf-8")
    assert text.count("\n") > 3
    for name in ("out.hocr", "out.xml", "out.page.xml"):
        assert read_page(tmp_path / name).text.split() == text.split()
    assert "".join(shown_text(tmp_path / "out.pdf").split()) == "".join(text.split())
    rows = [row.split("\t") for row in (tmp_path / "out.tsv").read_text("utf-8").splitlines()]
    assert tuple(rows[0]) == TSV_COLUMNS
    words = [row for row in rows[1:] if row[0] == "5"]
    assert [row[11] for row in words] == text.split()
    assert all(0 <= float(row[10]) <= 100 for row in words)
    assert {row[10] for row in rows[1:] if row[0] != "5"} == {"-1"}
    with Image.open(small) as image:
        assert rows[1][6:10] == ["0", "0", str(image.width), str(image.height)]
        for row in rows[1:]:
            left, top, width, height = map(int, row[6:10])
            assert 0 <= left < left + width <= image.width
            assert 0 <= top < top + height <= image.height
    boxes = (tmp_path / "out.box").read_text("utf-8").splitlines()
    assert "".join(box.split()[0] for box in boxes) == "".join(text.split())


def test_a_document_of_two_pages_goes_to_stdout_in_one_piece(
    line: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with Image.open(line) as image:
        image.save(tmp_path / "two.tif", save_all=True, append_images=[image])
    code, text, _ = run(capfdbinary, tmp_path / "two.tif", "-", "--psm", "7", "-c", "page_separator=[new page]")
    assert code == 0
    first, second = text.split("[new page]")
    assert first == second != ""
    code, hocr, _ = run(capfdbinary, tmp_path / "two.tif", "stdout", "--psm", "7", "-c", "tessedit_create_hocr=1")
    assert (code, hocr.count('class="ocr_page"'), hocr.count(first.split()[0])) == (0, 2, 2)
    ids = [part.partition('"')[0] for part in hocr.split(' id="')[1:]]
    assert len(ids) == len(set(ids)) > 4
    code, alto, _ = run(capfdbinary, tmp_path / "two.tif", "stdout", "--psm", "7", "alto")
    assert (code, alto.count("<Page ")) == (0, 2)
    ids = [part.partition('"')[0] for part in alto.split(' ID="')[1:]]
    assert len(ids) == len(set(ids)) > 4
    listed = tmp_path / "list.txt"
    listed.write_text(f"{line}\n{line}\n", "utf-8")
    code, told, _ = run(capfdbinary, listed, "-", "--psm", "7", "-c", "page_separator=[new page]")
    assert (code, told) == (0, text)


def test_an_image_that_is_one_line_is_read_whole(line: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, text, _ = run(capfdbinary, line, "-", "--psm", "7")
    ground_truth = "came on Tuesday without a single bruise."
    assert code == 0
    assert text.count("\n") == 1
    assert character_errors(ground_truth, text.strip()) <= 2, text


def test_orientation_and_skew(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    degrees = 90
    with Image.open(PAGES / "two-columns.jpg") as image:  # its lines fall to the right by 1.3 degrees
        image.crop((0, 340, 920, 620)).rotate(degrees, expand=True).save(tmp_path / "turned.png")
        image.save(tmp_path / "skewed.png")
    code, _, _ = run(capfdbinary, tmp_path / "turned.png", tmp_path / "out", "-l", "osd", "--psm", "0")
    told = dict(line.split(": ") for line in (tmp_path / "out.osd").read_text("ascii").splitlines())
    assert (code, told["Orientation in degrees"], told["Rotate"]) == (0, str(360 - degrees), str(degrees))
    assert float(told["Orientation confidence"]) > 15
    code, out, _ = run(capfdbinary, tmp_path / "skewed.png", "stdout", "--psm", "2")
    assert code == 0
    assert np.degrees(float(out.rpartition(": ")[2])) == pytest.approx(1.3, abs=0.15)


def test_a_text_only_pdf_shows_nothing(line: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    config = tmp_path / "config"
    config.write_text("textonly_pdf 1\nclassify_enable_learning 0\n", "ascii")
    code, _, err = run(capfdbinary, line, tmp_path / "layer", "--psm", "7", "--dpi", "300", config, "pdf", "txt")
    assert (code, err) == (0, "carrel: parameter classify_enable_learning has no effect\n")
    text = (tmp_path / "layer.txt").read_text("utf-8")
    assert shown_text(tmp_path / "layer.pdf").split() == text.split() != []
    with pikepdf.open(tmp_path / "layer.pdf") as pdf, Image.open(line) as image:
        assert [float(x) for x in pdf.pages[0].mediabox.as_list()[2:]] == pytest.approx([s * 0.24 for s in image.size])
        assert not pdf.pages[0].get_images()
    document = pypdfium2.PdfDocument(tmp_path / "layer.pdf")
    assert document[0].render().to_numpy().min() == 255
    document.close()


def test_what_is_asked_wrongly_is_said(line: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary)[0] == 2
    assert run(capfdbinary, line, "-", "-c", "nothing") == (
        2,
        "",
        "carrel: -c nothing: a parameter needs a value, like -c nothing=1\n",
    )
    code, _, err = run(capfdbinary, tmp_path / "none.png", "-")
    assert (code, "none.png" in err) == (3, True)
    listed = tmp_path / "list.txt"
    listed.write_text(f"{line}\n{tmp_path / 'gone.png'}\n", "utf-8")
    code, _, err = run(capfdbinary, listed, "-", "--psm", "7")
    assert (code, "gone.png: no such file" in err) == (3, True), err
    code, _, err = run(capfdbinary, line, "-", "-l", "xyz")
    assert (code, "Tesseract has no data for xyz" in err) == (4, True)
    before = line.read_bytes()
    link = tmp_path / "line.txt"
    link.symlink_to(line)
    code, _, err = run(capfdbinary, line, tmp_path / "line", "--psm", "7")
    assert (code, "is the image that is read" in err, line.read_bytes() == before) == (5, True, True)


def test_lists(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, _ = run(capfdbinary, "--list-langs")
    header, *names = out.splitlines()
    assert (code, header[:20]) == (0, "List of available la")
    assert {"eng", "osd"} <= set(names)
    code, out, _ = run(capfdbinary, "--print-parameters")
    assert (code, "textonly_pdf\t0\t" in out) == (0, True)
    code, out, _ = run(capfdbinary, "--version")
    assert (code, out.split()[0], out.splitlines()[-1].split()[0]) == (0, "tesseract", "carrel")


@pytest.fixture(scope="module")
def pytesseract(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The program that wraps ``tesseract``, calling Carrel's instead."""
    if find_spec("pytesseract") is None:
        pytest.skip("pytesseract is not installed")
    import pytesseract as module

    command = tmp_path_factory.mktemp("bin") / "carrel-tesseract"
    start = "import sys; sys.argv[0] = 'carrel-tesseract'; from carrel_cli.main import tesseract; tesseract()"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n', "utf-8")
    command.chmod(0o755)
    module.pytesseract.tesseract_cmd = str(command)
    return module


def test_pytesseract_gets_text_and_data(pytesseract: Any, small: Path) -> None:
    with Image.open(small) as image:
        text = pytesseract.image_to_string(image, lang="eng")
        data = pytesseract.image_to_data(image, config="--psm 3", output_type=pytesseract.Output.DICT)
    assert [word for word in data["text"] if word] == text.split() != []
    assert tuple(data) == TSV_COLUMNS
    assert all(-1 <= confidence <= 100 for confidence in data["conf"])
    assert max(data["conf"]) > 80


def test_its_own_command_is_called_by_its_name(pytesseract: Any) -> None:
    done = subprocess.run([pytesseract.pytesseract.tesseract_cmd], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0][:24]) == (2, "Usage: carrel tesseract ")


def test_pytesseract_gets_the_rest(pytesseract: Any, line: Path) -> None:
    assert "eng" in pytesseract.get_languages()
    assert str(pytesseract.get_tesseract_version()).startswith("5.")
    boxes = pytesseract.image_to_boxes(str(line), config="--psm 7", output_type=pytesseract.Output.DICT)
    assert len(boxes["char"]) > 20
    assert b"ocrx_word" in pytesseract.image_to_pdf_or_hocr(str(line), extension="hocr", config="--psm 7")
    with pytest.raises(pytesseract.TesseractError, match="Tesseract has no data for xyz"):
        pytesseract.image_to_string(str(line), lang="xyz")
