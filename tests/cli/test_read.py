"""``carrel read`` in-process, on the pages that ship with the project and on files that are no pages."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pikepdf
import pytest
from PIL import Image

from carrel.batch.read_results import LIST_NAME
from carrel.evaluate import character_errors
from carrel.formats import FORMATS
from carrel.image.overlay import REFUSED
from carrel.options import REVIEW_BELOW
from carrel_cli.common.reading import READING_NAMES
from carrel_cli.main import cli
from command_line import exit_code_of
from drawn_pdfs import add_page, drawn, rendered, saved_pdf, text_of, words_at

PAGES = Path(__file__).parents[1] / "pages"


@pytest.fixture(scope="module")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of a printed page: quick to read."""
    path = tmp_path_factory.mktemp("scan") / "small.png"
    with Image.open(PAGES / "french.jpg") as image:
        image.crop((0, 0, image.width, 620)).save(path)
    return path


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: object, command: str = "read") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``carrel read`` or another command."""
    code = exit_code_of(command, *arguments)
    out, err = capfdbinary.readouterr()
    return code, out.decode("utf-8"), err.decode("utf-8")


def results_in(folder: Path) -> set[str]:
    """Names of the results in a folder, without the list of what Carrel wrote there."""
    return {path.name for path in folder.iterdir() if path.name != LIST_NAME}


def cer(ground_truth_file: Path, text: str) -> float:
    ground_truth = " ".join(ground_truth_file.read_text("utf-8").split())
    return character_errors(ground_truth, " ".join(text.split())) / len(ground_truth)


@pytest.mark.parametrize("name", ["french", "two-columns"])
def test_printed_page_is_read(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, PAGES / f"{name}.jpg")
    assert code == 0, err
    assert cer(PAGES / f"{name}.gt.txt", out) <= 0.015


def test_letter_is_read_by_both_recognizers(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    code, out, err = run(
        capfdbinary, PAGES / "letter.jpg", "-o", tmp_path, "-f", "json", "-f", "text", "-f", "alto", "--overlay"
    )
    assert (code, out) == (0, ""), err
    names = {f"letter{FORMATS[f].suffix}" for f in ("json", "text", "alto")} | {"letter.overlay.png"}
    assert results_in(tmp_path) == names
    with Image.open(tmp_path / "letter.overlay.png") as overlay:
        assert max(overlay.size) == 2000
    recognizers = {
        line["recognizer"]
        for region in json.loads((tmp_path / "letter.json").read_text("utf-8"))["regions"]
        for line in region["lines"]
    }
    assert {"ctc", "tesseract"} <= recognizers
    assert cer(PAGES / "letter.gt.txt", (tmp_path / "letter.txt").read_text("utf-8")) <= 0.35


def test_threads_do_not_change_the_result(capfdbinary: pytest.CaptureFixture[bytes], small_page: Path) -> None:
    backend = ("--backend", "onnxruntime")  # others, where installed, may be chosen by the number of threads
    results = [run(capfdbinary, small_page, "-f", "json", "--threads", n, "-q", *backend) for n in (1, 3)]
    assert results[0] == results[1]
    assert results[0][2] == ""


def _password_pdf() -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page()
    out = io.BytesIO()
    pdf.save(out, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    return out.getvalue()


def _image(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 255).save(out, "PNG")
    return out.getvalue()


BAD_INPUT = {
    "empty.png": b"",
    "truncated.jpg": (PAGES / "letter.jpg").read_bytes()[:20_000],
    "notes.png": b"these are notes, not a picture",
    "dot.png": _image(1, 1),
    "wide.png": _image(60_000, 40),
    "huge.png": _image(17_000, 17_000),
    "locked.pdf": _password_pdf(),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_gives_one_line_and_its_exit_code(
    name: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / name).write_bytes(BAD_INPUT[name])
    code, out, err = run(capfdbinary, tmp_path / name, "-o", tmp_path / "out")
    assert (code, out) == (3, "")
    assert err.startswith(f"carrel: {tmp_path / name}")
    assert err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_as_input(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capfdbinary, tmp_path)
    assert (code, err.count("\n")) == (3, 1)
    assert "folder" in err


def test_missing_file(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capfdbinary, tmp_path / "gone.png")
    assert (code, err.count("\n")) == (3, 1)
    assert "gone.png" in err


def test_the_others_are_still_read(tmp_path: Path, small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    code, _, err = run(capfdbinary, tmp_path / "empty.png", small_page, "-o", tmp_path / "out")
    assert code == 3
    assert results_in(tmp_path / "out") == {"small.txt"}
    assert f"1 of 2 files not read: {tmp_path / 'empty.png'}" in err


def test_files_of_one_name_keep_apart(
    tmp_path: Path, small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with Image.open(small_page) as image:
        image.crop((0, 0, 600, 250)).save(tmp_path / "small.tif")
    code, _, err = run(capfdbinary, small_page, tmp_path / "small.tif", "-o", tmp_path / "out", "-q")
    assert code == 0, err
    assert results_in(tmp_path / "out") == {"small.txt", "small.tif.txt"}


def test_searchable_pdf_holds_all_pages_of_a_file(
    tmp_path: Path, small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    import pypdfium2

    with Image.open(small_page) as page:
        page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    code, out, err = run(capfdbinary, tmp_path / "two.tif", "-f", "pdf", "-o", tmp_path / "out", "-q")
    assert (code, out) == (0, ""), err
    assert results_in(tmp_path / "out") == {"two.pdf"}
    with pypdfium2.PdfDocument(tmp_path / "out" / "two.pdf") as document:
        texts = [document[i].get_textpage().get_text_range() for i in range(len(document))]
    assert len(texts) == 2
    assert "retrouva dans la vase" in " ".join(texts[1].split())


def test_pages_of_one_file_are_numbered(
    tmp_path: Path, small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with Image.open(small_page) as image:
        page = image.crop((0, 0, 600, 250))
        page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    code, _, err = run(capfdbinary, tmp_path / "two.tif", "-o", tmp_path / "out", "-q")
    assert code == 0, err
    assert results_in(tmp_path / "out") == {"two-0001.txt", "two-0002.txt"}


def test_output_that_cannot_be_written(small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, small_page, "-o", "/proc/self/results")
    assert (code, out, err.count("\n")) == (5, "", 1)


def test_damaged_model(tmp_path: Path, small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    import carrel_models

    model = shutil.copytree(Path(carrel_models.__file__).parent / "handwriting-fast", tmp_path / "model")
    for file in model.glob("*.onnx"):
        file.write_bytes(file.read_bytes()[:-7])
    code, out, err = run(capfdbinary, small_page, "--model", model)
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "damaged" in err


def test_language_without_data(small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, small_page, "--lang", "eng+tlh")
    assert (code, out, err.count("\n")) == (4, "", 1)
    installed = re.search(r"no data for tlh; installed: ([a-z_+]+); tlh is no language that is known here; or set", err)
    assert installed is not None and "eng" in installed[1].split("+")
    assert "/usr/share" in err


def test_several_formats_need_a_folder(small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capfdbinary, small_page, "-f", "text", "-f", "alto")
    assert code == 2
    assert "add -o DIR" in err


def test_unsure_lines_are_marked(capfdbinary: pytest.CaptureFixture[bytes], small_page: Path, tmp_path: Path) -> None:
    _, _, told = run(capfdbinary, small_page, "-o", tmp_path / "all", "--overlay", "--review-below", "1")
    assert "review" not in told  # good print is nothing to look at, whatever is marked
    _, _, told = run(capfdbinary, small_page, "-o", tmp_path / "none", "--overlay")
    assert "review" not in told
    marked, plain = (np.asarray(Image.open(tmp_path / name / "small.overlay.png")) for name in ("all", "none"))
    red = [int((image == REFUSED).all(axis=-1).sum()) for image in (marked, plain)]
    assert red[0] > red[1] + 500


def test_inspect_draws_what_was_found_and_what_was_not(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    scan = np.asarray(Image.open(PAGES / "french.jpg").convert("L"))[:620].copy()
    Image.fromarray(scan).save(tmp_path / "scan.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    code, told, wrong = run(capfdbinary, tmp_path / "scan.png", bad, "-o", tmp_path / "out", command="inspect")
    assert code == 3 and "bad.png" in wrong
    assert "MainZone" in told and "of the ink in no line" in told
    with Image.open(tmp_path / "out" / "scan.inspect.png") as picture:
        assert picture.size == (scan.shape[1], scan.shape[0])


def test_stdin_is_a_file_like_any_other(
    small_page: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = [str(Path(sys.executable).with_name("carrel")), "read", "-", "-f", "json"]
    with small_page.open("rb") as scan:
        done = subprocess.run(command, stdin=scan, capture_output=True, check=False)
    page = json.loads(done.stdout)
    assert page["source"]["file_name"] == "stdin", done.stderr
    assert len(page["regions"][0]["lines"]) > 2
    failed = subprocess.run(command, input=b"no scan", capture_output=True, check=False)
    assert (failed.returncode, failed.stderr[:14]) == (3, b"carrel: stdin:")


def test_formats_by_commas_aliases_and_case(
    small_page: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, _, err = run(capfdbinary, small_page, "-o", tmp_path, "-f", "TXT, alto", "-f", "text", "-f", "overlay")
    assert code == 0, err
    assert results_in(tmp_path) == {"small.txt", "small.alto.xml", "small.overlay.png"}


def test_unknown_format_and_folder_point_to_what_was_meant(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, _, err = run(capfdbinary, tmp_path / "a.png", "-f", "jsn")
    assert (code, "did you mean json?" in err) == (2, True), err
    code, _, err = run(capfdbinary, tmp_path)
    assert (code, f"carrel batch {tmp_path} -o OUT" in err) == (3, True), err


def test_large_pages_are_refused_by_option(small_page: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capfdbinary, small_page, "--max-megapixels", "0.05")
    assert (code, "above the limit" in err) == (3, True), err


def test_commands_that_read_take_the_same_options_with_the_same_defaults() -> None:
    found = {name: cli.get_command(click.Context(cli), name) for name in ("read", "batch", "watch", "inspect", "eval")}
    defaults = [{p.name: p.default for p in c.params if p.name in READING_NAMES} for c in found.values() if c]
    assert len(defaults) == len(found)
    assert set(defaults[0]) == set(READING_NAMES)
    assert all(others == defaults[0] for others in defaults)
    review = [p.default for c in found.values() if c for p in c.params if p.name == "review_below"]
    assert review == [REVIEW_BELOW] * 4


def test_text_of_a_pdf_is_kept_unless_asked(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    """Born digital: its own text to the letter, and the same page; ``--force-text`` reads what it shows."""
    pdf, text = pikepdf.new(), "O0O1lI1 Größe Received with many thanks"
    add_page(pdf, None, words_at(20, 60, "O0O1lI1 Größe", 18) + words_at(20, 20, "Received with many thanks", 14))
    (tmp_path / "bill.pdf").write_bytes(saved_pdf(pdf))
    code, out, err = run(capfdbinary, tmp_path / "bill.pdf", "-f", "text,pdf", "-o", tmp_path / "out", "--lang", "eng")
    assert (code, out) == (0, ""), err
    assert (tmp_path / "out" / "bill.txt").read_text().split() == text.split()
    result = (tmp_path / "out" / "bill.pdf").read_bytes()
    assert text_of(result).split() == text.split()
    assert np.array_equal(rendered(result), rendered((tmp_path / "bill.pdf").read_bytes()))
    assert "plain PDF, not PDF/A" in err
    code, out, err = run(capfdbinary, tmp_path / "bill.pdf", "--force-text", "--lang", "eng", "--writing", "printed")
    assert code == 0 and "Received with many thanks" in out and "ß" not in out


def test_pages_on_their_side_stand_up(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    page = drawn("The keeper of the", "harbour wrote of", "seven old boats", size=(700, 330))
    page.rotate(90, expand=True).save(tmp_path / "lying.png", dpi=(200, 200))
    for option, expected in (([], 90), (["--keep-rotation"], 0)):
        arguments = [tmp_path / "lying.png", "-f", "pdf", "-o", tmp_path, "--writing", "printed", *option]
        code, _, err = run(capfdbinary, *arguments)
        assert code == 0, err
        with pikepdf.open(tmp_path / "lying.pdf") as pdf:
            assert int(pdf.pages[0].obj.get("/Rotate", 0)) == expected
    assert "harbour" in text_of((tmp_path / "lying.pdf").read_bytes())


@pytest.fixture
def three_pages(tmp_path: Path) -> Path:
    """A PDF whose second page is a leftover of 3 x 3 points."""
    pdf = pikepdf.new()
    add_page(pdf, drawn("The first page"))
    add_page(pdf, None, points=(3, 3))
    add_page(pdf, drawn("The third page"))
    (tmp_path / "deed.pdf").write_bytes(saved_pdf(pdf))
    return tmp_path / "deed.pdf"


def test_a_bad_page_costs_itself_alone(
    capfdbinary: pytest.CaptureFixture[bytes], three_pages: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, _, err = run(capfdbinary, three_pages, "-o", out, "-f", "text,pdf", "--writing", "printed")
    assert code == 3
    assert "deed.pdf, page 2: 13 x 13 px holds no line of text" in err
    texts = {path.name: path.read_text().strip() for path in out.glob("*.txt")}
    assert texts == {"deed-0001.txt": "The first page", "deed-0003.txt": "The third page"}
    data = (out / "deed.pdf").read_bytes()
    assert [text_of(data, index) for index in range(3)] == ["The first page", "", "The third page"]


def test_pages_may_be_chosen(capfdbinary: pytest.CaptureFixture[bytes], three_pages: Path, tmp_path: Path) -> None:
    printed = ("--writing", "printed")
    assert run(capfdbinary, three_pages, "--pages", "3-", *printed)[:2] == (0, "The third page\n")
    assert run(capfdbinary, three_pages, "--pages", "1,3", *printed)[1] == "The first page\n\fThe third page\n"
    code, _, err = run(capfdbinary, three_pages, "--pages", "1", "-f", "pdf", "-o", tmp_path / "out", *printed)
    assert code == 0, err
    data = (tmp_path / "out" / "deed.pdf").read_bytes()
    assert [text_of(data, index) for index in range(3)] == ["The first page", "", ""]
    code, _, err = run(capfdbinary, three_pages, "--pages", "7-9")
    assert (code, "has 3 pages, none of 7-9" in err) == (3, True)
    for wrong in ("x", "3-1", "0", "1,,2", "-"):
        assert run(capfdbinary, three_pages, "--pages", wrong)[0] == 2


CARREL = str(Path(sys.executable).with_name("carrel"))


@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
def test_stdout_that_takes_nothing_is_an_exit_code(small_page: Path, to: str) -> None:
    done = subprocess.run(["sh", "-c", f'"$0" read "$1" -q {to}', CARREL, small_page], capture_output=True, check=False)
    told = done.stderr.splitlines()
    assert (done.returncode, told[-1].startswith(b"carrel: stdout ")) == (5, True), done.stderr
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr


def test_names_reach_no_terminal_raw(
    small_page: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "a\x1b]0;owned\x07b.png"
    shutil.copy(small_page, path)
    for arguments in ((path, "-o", tmp_path / "out"), (path, tmp_path / "\x1bgone.png"), (path, "-f", "\x1b[2J")):
        _, _, err = run(capfdbinary, *arguments)
        assert err and all(c.isprintable() for line in err.splitlines() for c in line), err
