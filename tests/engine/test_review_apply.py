"""Corrections from every kind of file into the stored page and all formats of a folder, as ``batch`` writes it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from carrel.errors import UsageError
from carrel.formats import FORMATS, read_page
from carrel.formats.read.folders import find_pages
from carrel.identity import with_ids
from carrel.page import Page, Source
from carrel.review.training_lines import read_packs, read_rows
from carrel_cli import apply, manifest, review
from oracle_formats import page_of

RIGHT, WRONG = "the keeper of tide tables", "thc kccper of tide tables"
ALONE = [name for name, kind in FORMATS.items() if not kind.needs_scan]


def scan_bytes(pages: int = 1, kind: str = "TIFF") -> bytes:
    """A scan of 1000 x 800 px a page: noise, so that every line's picture differs."""
    rng = np.random.default_rng(5)
    frames = [Image.fromarray(rng.integers(0, 255, (800, 1000)).astype(np.uint8)) for _ in range(pages)]
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if pages > 1 else {}
    frames[0].save(buffer, kind, **more)
    return buffer.getvalue()


def doubtful(source: Source) -> Page:
    page = page_of("all is well", WRONG, "a man", source=source)
    lines = tuple(replace(line, confidence=0.5 if line.text == WRONG else 0.99) for line in page.lines)
    return replace(page, regions=with_ids((replace(page.regions[0], lines=lines),)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``in`` with a picture, and in a subfolder a TIFF of two pages; ``out`` with the results of all in every format."""
    scans, out = tmp_path / "in", tmp_path / "out"
    (scans / "1902").mkdir(parents=True)
    (out / "1902").mkdir(parents=True)
    (out / ".carrel").mkdir()
    (scans / "letter.png").write_bytes(scan_bytes(kind="PNG"))
    (scans / "1902" / "deed.tif").write_bytes(scan_bytes(2))
    named = {"letter": Source("letter.png")} | {f"1902/deed-000{n + 1}": Source("deed.tif", n) for n in range(2)}
    for name, source in named.items():
        page = doubtful(source)
        scan = next(path for path in scans.rglob(source.file_name)).read_bytes()
        for kind in FORMATS.values():
            (out / f"{name}{kind.suffix}").write_bytes(kind.write(page, scan) if kind.needs_scan else kind.write(page))
    (out / "mets.xml").write_text("<mets/>")
    (out / "alone.tei.xml").write_text("<TEI/>")
    (out / "document.json").write_text('{"pages": 3}')
    (out / "index.html").write_text("<html><body>no page</body></html>")
    (out / "notes.txt").write_text("buy bread")
    return tmp_path


def run(place: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(review.command, [str(place / "out"), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def text_of_pdf(path: Path) -> str:
    document = pypdfium2.PdfDocument(path.read_bytes())
    text = " ".join(sheet.get_textpage().get_text_range() for sheet in document)
    document.close()
    return " ".join(text.split())


def worksheet(place: Path, name: str) -> Path:
    run(place, "--worksheet", str(place / "ws.tsv"))
    rows = (place / "ws.tsv").read_text("utf-8").splitlines(keepends=True)
    changed = [row.replace(WRONG, RIGHT) if row.startswith(f"{name}#") else row for row in rows]
    (place / "ws.tsv").write_text("".join(changed), "utf-8")
    return place / "ws.tsv"


def spreadsheet(place: Path, name: str) -> Path:
    import openpyxl

    file = place / "ws.xlsx"
    run(place, "--worksheet", str(file), "--images", str(place / "in"))
    book = openpyxl.load_workbook(file)
    sheet: Any = book.active
    assert len(sheet._images) == 3  # every page of the TIFF has its picture
    for cell in sheet["A"]:
        if str(cell.value).startswith(f"{name}#"):
            sheet.cell(cell.row, 4).value = RIGHT
    book.save(file)
    return file


def document(kind: str) -> Callable[[Path, str], Path]:
    def edit(place: Path, name: str) -> Path:
        """A copy of the page's file, edited as an editor would: what was read is replaced by what is right."""
        suffix = FORMATS[kind].suffix
        data = (place / "out" / f"{name}{suffix}").read_text("utf-8")
        for wrong, right in (("thc", "the"), ("kccper", "keeper")):
            assert wrong in data
            data = data.replace(wrong, right)
        target = place / "fixed" / f"{name}{suffix}"
        target.parent.mkdir(parents=True)
        target.write_text(data, "utf-8")
        return place / "fixed"

    return edit


EDITS = {"worksheet": worksheet, "spreadsheet": spreadsheet} | {
    kind: document(kind) for kind in ("alto", "page", "hocr", "text", "json")
}


@pytest.mark.parametrize("name", ["letter", "1902/deed-0002"])
@pytest.mark.parametrize("kind", EDITS)
def test_a_correction_comes_back_into_every_format(place: Path, kind: str, name: str) -> None:
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    edited = EDITS[kind](place, name)
    dry = run(place, "--corrected", str(edited), "--dry-run")
    assert dry.stdout.startswith("1 lines corrected, 3 of 25 characters; 0 lines confirmed")
    assert all(path.read_bytes() == data for path, data in before.items())
    result = run(place, "--corrected", str(edited), "--by", "Ann")
    assert result.exit_code == 0 and f"{len(FORMATS)} files written" in result.stdout, result.output
    base = place / "out" / name
    line = read_page(base.with_name(f"{base.name}.json")).lines[1]
    assert line.correction and (line.text, line.correction.text, line.correction.by) == (WRONG, RIGHT, "Ann")
    for form in FORMATS.values():
        path = base.with_name(f"{base.name}{form.suffix}")
        text = text_of_pdf(path) if form.name == "pdf" else path.read_text("utf-8")
        assert "keeper" in text and (form.name not in ("text", "pdf") or "kccper" not in text), form.name
    for form in ("alto", "page", "hocr"):
        assert read_page(base.with_name(f"{base.name}{FORMATS[form].suffix}")).lines[1].correction == line.correction
    untouched = {path for path in before if not path.relative_to(place / "out").as_posix().startswith(f"{name}.")}
    assert all(path.read_bytes() == before[path] for path in untouched)
    again = run(place, "--corrected", str(edited), "--by", "Ann")
    assert again.stdout.startswith("0 lines corrected") and "0 files written" in again.stdout
    listed = run(place)
    assert "2 of 8 lines to look at" in listed.stdout and "1 lines corrected before, 0 confirmed" in listed.stdout


def test_folders_are_walked_and_what_is_no_page_is_skipped(place: Path) -> None:
    assert list(find_pages(place / "out")) == ["1902/deed-0001", "1902/deed-0002", "letter", "notes"]
    listed = run(place)
    assert "3 of 9 lines to look at, 3 pages" in listed.stdout
    assert "  12.5  letter#r0l1  " + WRONG in listed.stdout
    assert run(place, "--all").stdout.count("#r0l") == 9


def test_rows_that_fit_nothing_exit_3_and_the_others_count(place: Path) -> None:
    sheet = worksheet(place, "letter")
    sheet.write_text(sheet.read_text("utf-8") + "nosuch#r0l9\t1\t\tx\n", "utf-8")
    result = run(place, "--corrected", str(sheet))
    assert result.exit_code == 3 and "fits no line: row 6: no line 'nosuch#r0l9'" in result.stderr
    assert read_page(place / "out/letter.json").lines[1].final_text == RIGHT


def test_an_empty_worksheet_changes_nothing(place: Path) -> None:
    sheet = place / "empty.tsv"
    run(place, "--below", "0", "--worksheet", str(sheet))
    assert run(place, "--corrected", str(sheet)).exit_code == 0


def test_files_edited_where_they_lie_are_taken_back_and_kept(place: Path) -> None:
    text = place / "out/letter.txt"
    mine = text.read_text("utf-8").replace(WRONG, RIGHT)
    text.write_text(mine, "utf-8")
    result = run(place, "--corrected", str(place / "out"))
    assert result.stdout.startswith("1 lines corrected") and result.exit_code == 0, result.output
    assert text.read_text("utf-8") == mine and read_page(place / "out/letter.json").lines[1].final_text == RIGHT


def test_what_somebody_changed_is_kept_aside(place: Path) -> None:
    text = place / "out/letter.txt"
    text.write_text("my own words\n", "utf-8")
    result = run(place, "--corrected", str(document("alto")(place, "letter")))
    kept = place / "out/letter.txt.kept-1"
    assert kept.read_text("utf-8") == "my own words\n" and f"{kept}: what had been changed" in result.stderr
    assert RIGHT in text.read_text("utf-8")
    assert "letter.txt" not in find_pages(place / "out")


def test_a_pdf_of_others_is_left_alone(place: Path) -> None:
    pdf = place / "out/letter.pdf"
    Image.new("L", (100, 80)).save(pdf, "PDF")
    theirs = pdf.read_bytes()
    result = run(place, "--corrected", str(document("alto")(place, "letter")))
    assert pdf.read_bytes() == theirs and "letter.pdf: not written by Carrel; left as it is" in result.stderr


def test_one_pdf_of_several_pages_is_written_anew(place: Path) -> None:
    out = place / "out/1902"
    names = ["deed-0001", "deed-0002"]
    scan = (place / "in/1902/deed.tif").read_bytes()
    made = FORMATS["pdf"].write_document([(read_page(out / f"{name}.json"), scan) for name in names])
    (out / "deed.pdf").write_bytes(made.data)
    for name in names:
        (out / f"{name}.pdf").unlink()
    run(place, "--corrected", str(document("text")(place, "1902/deed-0002")))
    assert text_of_pdf(out / "deed.pdf").count(RIGHT) == 1 and text_of_pdf(out / "deed.pdf").count(WRONG) == 1


def test_apply_writes_nothing_that_says_what_it_should_already(place: Path) -> None:
    assert run(place, "--corrected", str(document("alto")(place, "letter"))).exit_code == 0
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    result = CliRunner().invoke(apply.command, [str(place / "out")])
    assert "1 of 3 pages hold corrections\n0 files written" in result.output
    assert before == {path: path.read_bytes() for path in before}


def test_the_text_of_a_document_follows_its_pages(place: Path) -> None:
    assert "1 documents' texts" in CliRunner().invoke(manifest.command, [str(place / "out"), "--text"]).output
    whole = place / "out/1902/deed.txt"
    assert whole.read_text("utf-8").count(WRONG) == 2
    run(place, "--corrected", str(document("text")(place, "1902/deed-0002")))
    assert (whole.read_text("utf-8").count(WRONG), whole.read_text("utf-8").count(RIGHT)) == (1, 1)
    whole.write_text("mine", "utf-8")
    shutil.rmtree(place / "fixed")
    result = run(place, "--corrected", str(document("text")(place, "1902/deed-0001")))
    assert whole.read_text("utf-8") == "mine" and "deed.txt: not as Carrel wrote it; left as it is" in result.stderr


def test_corrections_of_text_that_is_the_pdfs_own_are_said_not_to_reach_it(place: Path) -> None:
    path = place / "out/letter.json"
    page = read_page(path)
    first, doubtful_line, last = page.lines
    own = replace(
        page, regions=(replace(page.regions[0], lines=(first, replace(doubtful_line, recognizer="pdf"), last)),)
    )
    path.write_bytes(FORMATS["json"].write(own))
    sheet = place / "ws.tsv"
    sheet.write_text(f"letter#{doubtful_line.id}\t1\t\t{RIGHT}\n", "utf-8")
    result = run(place, "--corrected", str(sheet))
    assert "letter.pdf: 1 corrected lines are the PDF's own text, which stays" in result.stderr
    assert RIGHT in (place / "out/letter.txt").read_text("utf-8")


def test_apply_writes_pages_that_were_corrected_elsewhere(place: Path) -> None:
    document("json")(place, "letter")
    fixed = run(place, "--corrected", str(place / "fixed"))
    assert fixed.exit_code == 0
    for kind in ALONE:
        if kind != "json":
            (place / f"out/letter{FORMATS[kind].suffix}").write_bytes(
                FORMATS[kind].write(doubtful(Source("letter.png")))
            )
    result = CliRunner().invoke(apply.command, [str(place / "out")])
    assert result.exit_code == 0 and result.stdout.startswith("1 of 3 pages hold corrections\n"), result.output
    written = {kind: (place / f"out/letter{FORMATS[kind].suffix}").read_text("utf-8") for kind in ALONE}
    assert all("keeper" in text for text in written.values())
    assert not list((place / "out").rglob("*.kept-*"))


def test_seen_lines_of_every_page_are_kept_as_a_pack(place: Path) -> None:
    sheet = worksheet(place, "1902/deed-0002")
    rows = sheet.read_text("utf-8").replace("letter#r0l1\t12.5\t\t", "letter#r0l1\t12.5\tok\t")
    sheet.write_text(rows, "utf-8")
    keep = ["--keep", str(place / "kept"), "--images", str(place / "in")]
    assert "2 lines kept" in run(place, "--corrected", str(sheet), *keep).stdout
    assert "2 lines kept" in run(place, *keep).stdout
    rows = read_rows(place / "kept/corrections.zip")
    assert [(row.image, row.text) for row in rows] == [("1902_deed-0002-r0l1.png", RIGHT), ("letter-r0l1.png", WRONG)]
    assert {row.split for row in rows} == {"train", "val"}
    lines = list(read_packs(place / "kept", ("train", "val")))
    assert all(line.gray.shape[0] == 64 and line.gray.std() > 1 for line in lines)
    assert not np.array_equal(lines[0].gray, lines[1].gray)


def test_pictures_of_every_page(place: Path) -> None:
    run(place, "--html", str(place / "r.html"), "--images", str(place / "in"))
    assert (place / "r.html").read_text("utf-8").count("data:image/jpeg") == 3


def test_keep_needs_pictures(place: Path) -> None:
    result = CliRunner().invoke(review.command, [str(place / "out"), "--keep", str(place / "kept")])
    assert isinstance(result.exception, UsageError)
