"""Spreads that are parted: two pages in every format, and back."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from carrel.batch.journal import Journal
from carrel.batch.results import PageKey, Written
from carrel.formats import FORMATS, SIDE_FORMATS, formats_of, read_page
from carrel.formats.check.any_format import check
from carrel.formats.halves import Side, box_of, cut_out, half_of, sides_of, single_pages
from carrel.formats.read.folders import find_pages
from carrel.page import Box, Correction, Line, Page, Point, Region, Source, Word, Writing
from carrel.review.apply import apply_page
from carrel.workers.files import SeenFile

W, H = 400, 300


def line(text: str, x: int, y: int) -> Line:
    end = (x + 80, y)
    box = Box(x - 2, y - 12, end[0] + 2, y + 4)
    ring = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
    words = (Word(text, box, 0.9),)
    return Line(((x, y), end), ring, Writing("printed", 0.9), text, 0.9, words, recognizer="tesseract", id=f"l_{text}")


def region(text: str, x: int, y: int) -> Region:
    found = line(text, x, y)
    return Region("MainZone", found.polygon, (found,), f"r_{text}")


def spread(gutter: tuple[Point, Point] = ((200, 0), (200, H - 1))) -> Page:
    regions = (region("one", 40, 100), region("two", 60, 200), region("three", 250, 100))
    return Page(W, H, 100.0, regions, Source("deed.png"), gutter=gutter)


def texts(page: Page) -> list[str]:
    return [found.text for found in page.lines]


def test_regions_go_to_their_sides() -> None:
    page = spread()
    assert sides_of(page) == ("left", "right")
    assert texts(half_of(page, "left")) == ["one", "two"]
    assert texts(half_of(page, "right")) == ["three"]
    assert half_of(page, "right").gutter is None


def test_right_to_left_begins_at_the_right() -> None:
    page = spread()
    page = replace(page, regions=page.regions[::-1])
    assert sides_of(page) == ("right", "left")
    assert [texts(half) for half in single_pages(page)] == [["three"], ["two", "one"]]


@pytest.mark.parametrize(
    ("gutter", "side", "box"),
    [
        (((200, 0), (200, 299)), "left", (0, 0, 201, 300)),
        (((200, 0), (200, 299)), "right", (200, 0, 400, 300)),
        (((190, 0), (210, 299)), "left", (0, 0, 211, 300)),  # aslant: nothing is cut off
        (((190, 0), (210, 299)), "right", (190, 0, 400, 300)),
        (((200, 299), (200, 0)), "left", (200, 0, 400, 300)),  # upside down
        (((0, 150), (399, 150)), "left", (0, 150, 400, 300)),  # the head at the left: a reader's left is below
        (((399, 150), (0, 150)), "left", (0, 0, 400, 151)),
    ],
)
def test_boxes_in_every_orientation(gutter: tuple[Point, Point], side: Side, box: tuple[int, ...]) -> None:
    page = spread(gutter)
    assert box_of(page, side) == Box(*box)
    left = half_of(page, "left")
    assert all(box_of(page, "left").left <= x < box_of(page, "left").right for li in left.lines for x, _ in li.polygon)


def test_a_page_is_cut_out_with_all_its_places() -> None:
    half = cut_out(spread(), "right")
    assert (half.width_px, half.height_px) == (200, 300)
    found = half.lines[0]
    assert found.baseline == ((50, 100), (130, 100))
    assert found.words[0].box == Box(48, 88, 132, 104)
    assert single_pages(replace(spread(), gutter=None)) == (replace(spread(), gutter=None),)


def test_json_holds_the_gutter() -> None:
    page = spread()
    assert read_page(FORMATS["json"].write(page)).gutter == page.gutter
    assert formats_of(page, "json") == (FORMATS["json"],)


@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_two_files_of_what_holds_one_page(name: str) -> None:
    left, right = formats_of(spread(), name)
    assert (left.name, right.name) == (f"{name}-left", f"{name}-right")
    for form, wanted in ((left, ["one", "two"]), (right, ["three"])):
        data = form.write(spread())
        assert not check(data), form.name
        found = read_page(data)
        assert texts(found) == wanted
        assert (found.width_px, found.height_px) == (W, H)  # places are those of the scan
    assert formats_of(replace(spread(), gutter=None), name) == (FORMATS[name],)


def test_the_border_is_the_page() -> None:
    border = b"".join(part.strip() for part in SIDE_FORMATS["page-right"].write(spread()).splitlines())
    assert b'<Border><Coords points="200,0 399,0 399,299 200,299"' in border
    assert b'<PrintSpace HPOS="200" VPOS="0" WIDTH="200" HEIGHT="300"' in SIDE_FORMATS["alto-right"].write(spread())


def test_text_has_a_page_break_and_tei_two_surfaces() -> None:
    assert FORMATS["text"].write(spread()) == b"one\n\ntwo\n\fthree\n"
    tei = FORMATS["tei"].write(spread())
    assert tei.count(b"<pb ") == tei.count(b"<surface ") == 2
    assert b'ulx="200" uly="0" lrx="400" lry="300"' in tei


def pdf_texts(data: bytes) -> list[tuple[list[str], tuple[float, float]]]:
    document = pypdfium2.PdfDocument(data)
    return [(sheet.get_textpage().get_text_range().split(), sheet.get_size()) for sheet in document]


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.arange(W) % 200, (H, 1)).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_pdf_has_two_pages() -> None:
    (left, size), (right, other) = pdf_texts(FORMATS["pdf"].write(spread(), picture()))
    assert (left, right) == (["one", "two"], ["three"])
    assert size == pytest.approx((201 * 0.72, 300 * 0.72), abs=0.1)
    assert other == pytest.approx((200 * 0.72, 300 * 0.72), abs=0.1)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_pdf_page_becomes_two_however_it_is_turned(rotation: int) -> None:
    with pikepdf.Pdf.new() as pdf:
        for _ in range(3):
            sheet = pdf.add_blank_page(page_size=(288, 216) if rotation % 180 == 0 else (216, 288))
            sheet.obj[pikepdf.Name.Rotate] = rotation
        buffer = io.BytesIO()
        pdf.save(buffer)
    page = replace(spread(), source=Source("deed.pdf", 1))
    found = pdf_texts(FORMATS["pdf"].write_document([(page, buffer.getvalue())]).data)
    assert [words for words, _ in found] == [[], ["one", "two"], ["three"], []]
    assert found[1][1] == pytest.approx((201 * 0.72, 216), abs=0.1)


def test_every_spread_of_a_pdf_becomes_two_pages() -> None:
    with pikepdf.Pdf.new() as pdf:
        for _ in range(2):
            pdf.add_blank_page(page_size=(288, 216))
        buffer = io.BytesIO()
        pdf.save(buffer)
    pages = [(replace(spread(), source=Source("deed.pdf", index)), buffer.getvalue()) for index in (0, 1)]
    found = pdf_texts(FORMATS["pdf"].write_document(pages).data)
    assert [words for words, _ in found] == [["one", "two"], ["three"]] * 2


def test_corrections_reach_both_files_and_the_pdf(tmp_path: Path) -> None:
    page = spread()
    for form in (FORMATS["json"], FORMATS["text"], *formats_of(page, "alto")):
        (tmp_path / f"deed{form.suffix}").write_bytes(form.write(page))
    (tmp_path / "deed.pdf").write_bytes(FORMATS["pdf"].write(page, picture()))
    files = find_pages(tmp_path)
    assert list(files) == ["deed"]
    third = page.regions[2]
    seen = replace(third.lines[0], correction=Correction("drei", "me", "2026-01-31T12:00:00Z", "corrected"))
    corrected = replace(page, regions=(*page.regions[:2], replace(third, lines=(seen,))))
    done = apply_page(files["deed"], page, corrected)
    assert not done.left and not done.aside
    assert {path.name for path in done.written} == {"deed.json", "deed.txt", "deed.alto.right.xml", "deed.pdf"}
    assert b"drei" in (tmp_path / "deed.alto.right.xml").read_bytes()
    assert [words for words, _ in pdf_texts((tmp_path / "deed.pdf").read_bytes())] == [["one", "two"], ["drei"]]


def test_without_json_the_files_are_pages(tmp_path: Path) -> None:
    for form in formats_of(spread(), "alto"):
        (tmp_path / f"deed{form.suffix}").write_bytes(form.write(spread()))
    assert list(find_pages(tmp_path)) == ["deed.left", "deed.right"]


def test_the_journal_takes_both_files_for_the_format(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.use_settings("s", ("alto",))
    file = SeenFile(Path("/in/deed.png"), 1, 1)
    journal.add_files([file])
    assert journal.take_file() == file
    journal.opened(file, "a" * 64, 1, lambda _: [["deed"]])
    task = journal.take_page()
    assert task is not None and task.formats == ("alto",)
    key = PageKey("a" * 64, 0)
    both = journal.deliveries(key, ["alto-left", "alto-right"])
    assert [delivery.path for delivery in both] == ["deed.alto.left.xml", "deed.alto.right.xml"]
    stored = FORMATS["json"].write(spread())
    journal.page_done(key, stored, (3, 0, 0), [Written(delivery, "d") for delivery in both])
    assert journal.queue_missing() == 0
    assert journal.forget_lost(lambda path: "left" not in path) == 1
    assert journal.queue_missing() == 1
    again = journal.take_page()
    assert again is not None and again.formats == ("alto",)
    journal.close()
