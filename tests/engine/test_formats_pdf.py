"""Searchable PDFs: the scan unchanged, every word findable, in order and on its ink, PDF/A-2b by pikepdf's validator."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pikepdf import pdfa
from PIL import Image

from carrel.direction import clusters
from carrel.errors import InputError, OutputError
from carrel.formats import FORMATS
from carrel.formats.pdf.document import write_document
from carrel.formats.pdf.font import true_type
from carrel.formats.write.interchange import interchange
from carrel.page import Line, Page, Provenance, Region, Writing
from oracle_formats import page_of, pages, sample_page

write = FORMATS["pdf"].write
NAMES = ("letter", "french", "two-columns")


def scan_of(page: Page, mode: str = "L", kind: str = "PNG", **options: object) -> bytes:
    """A scan of the page's size with a pattern in it."""
    rows, columns = np.indices((page.height_px, page.width_px))
    pattern = Image.fromarray(((rows * 7 + columns * 3) % 251).astype(np.uint8))
    image = pattern.convert(mode) if mode != "P" else pattern.convert("RGB").quantize(16)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture_of(pdf: pikepdf.Pdf) -> pikepdf.Stream:
    """The image on the first page."""
    picture = pdf.pages[0].obj.Resources.XObject.Im0
    assert isinstance(picture, pikepdf.Stream)
    return picture


def text_of(data: bytes) -> list[str]:
    """The words that PDFium finds."""
    return " ".join(sheet.get_textpage().get_text_range() for sheet in pypdfium2.PdfDocument(data)).split()


@pytest.mark.parametrize("name", NAMES)
def test_text_comes_out_in_order(name: str, tmp_path: Path) -> None:
    page, scan = sample_page(name)
    data = write(page, scan)
    expected = [word for line in page.lines for word in line.text.split()]
    assert text_of(data) == expected
    assert pdfa.validate_written(io.BytesIO(data), "2b").passed
    if shutil.which("pdftotext"):
        (tmp_path / "a.pdf").write_bytes(data)
        found = subprocess.run(["pdftotext", "-raw", tmp_path / "a.pdf", "-"], capture_output=True, check=True)
        assert found.stdout.decode().split() == expected
    if shutil.which("qpdf"):
        assert subprocess.run(["qpdf", "--check", tmp_path / "a.pdf"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_words_lie_on_their_line(name: str) -> None:
    """Each letter's box, as a viewer marks it, holds the baseline below it, but for an eighth, within its line's ends."""
    page, scan = sample_page(name)
    sheet = pypdfium2.PdfDocument(write(page, scan))[0]
    letters, points_per_px = sheet.get_textpage(), 72 / (page.dpi or 300)
    position = 0
    for line in interchange(page).lines:
        for letter in "".join(line.text.split()):
            while letters.get_text_range(position, 1).isspace():
                position += 1
            left, bottom, right, top = (value / points_per_px for value in letters.get_charbox(position))
            assert letters.get_text_range(position, 1) == letter, line.text
            middle, xs, ys = (left + right) / 2, *zip(*sorted(line.baseline), strict=True)
            baseline = page.height_px - np.interp(middle, xs, ys)
            assert bottom - (top - bottom) / 8 <= baseline <= top, line.text
            assert xs[0] - 15 <= left and right <= xs[-1] + 15, line.text
            position += 1


def poppler_text(data: bytes, folder: Path, *options: str) -> list[str]:
    """The words that poppler finds."""
    if not shutil.which("pdftotext"):
        pytest.skip("poppler is not installed")
    (folder / "a.pdf").write_bytes(data)
    found = subprocess.run(["pdftotext", *options, folder / "a.pdf", "-"], capture_output=True, check=True)
    return found.stdout.decode().split()


def cell(text: str, left: int, baseline: int, right: int, fall: int = 0, height: int = 40) -> Line:
    """A line whose words share its width; it falls by ``fall`` px towards the right."""
    ends = ((left, baseline), (right, baseline + fall))
    above = tuple((x, y - height * 3 // 4) for x, y in ends)
    below = tuple((x, y + height // 4) for x, y in reversed(ends))
    return Line(ends, above + below, Writing("printed", 1.0), text, 0.9)


def page_with(*lines: Line) -> Page:
    page = page_of("", width_px=1000, height_px=1400)
    return replace(page, regions=(Region("MainZone", (), lines),))


TABLES = {
    "next cell to the left": (cell("far right", 700, 100, 900), cell("left", 50, 104, 200), cell("below", 50, 200, 180)),
    "cells that touch": (cell("avignon.", 50, 100, 300), cell("dito", 300, 100, 400), cell("12", 402, 100, 440)),
    "cells that overlap": (cell("avignon.", 50, 100, 320), cell("dito", 300, 100, 400), cell("12", 398, 99, 440)),
    "strokes": (cell("|", 50, 100, 53), cell("|", 55, 100, 58), cell("x", 59, 100, 62)),
    "columns": tuple(cell(f"{name} {row}", x, 100 + 60 * row, x + 180) for name, x in (("b", 600), ("a", 50)) for row in range(9)),
    "line within a line": (cell("one two three four", 50, 100, 900), cell("de de", 300, 90, 360, height=30)),
    "a dash across": (cell("—", 50, 100, 900), cell("next line", 50, 150, 900)),
    "hyphens": (cell("a quit-", 50, 100, 300), cell("tance - so-", 50, 160, 300), cell("me soft\u00ad", 50, 220, 300), cell("one -", 50, 280, 300), cell("end", 50, 340, 200)),
    "close letters": (cell("a b c d e f g h", 50, 100, 82), cell("i j", 50, 140, 58)),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_cells_come_out_in_order(name: str, tmp_path: Path) -> None:
    page = page_with(*TABLES[name])
    data = write(page, scan_of(page))
    assert text_of(data) == page.text.split()
    assert poppler_text(data, tmp_path, "-raw") == page.text.split()


@pytest.mark.parametrize("fall", [-30, -12, 0, 12, 30])
def test_slanted_page_reads_the_same_without_asking_for_order(fall: int, tmp_path: Path) -> None:
    page = page_with(
        *(cell(f"the line numbered {row} of a page", 60, 200 + 70 * row, 940, fall, 48) for row in range(12))
    )
    data = write(page, scan_of(page))
    for found in (text_of(data), poppler_text(data, tmp_path), poppler_text(data, tmp_path, "-raw")):
        assert found == page.text.split()


def test_words_of_a_very_slanted_line_are_turned() -> None:
    page = page_with(cell("uphill", 100, 900, 700, -500))
    letters = pypdfium2.PdfDocument(write(page, scan_of(page)))[0].get_textpage()
    first, last = letters.get_charbox(0), letters.get_charbox(5)
    assert last[1] - first[1] > 0.7 * 500 * 72 / 150


@settings(deadline=None, max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(
        st.tuples(st.integers(0, 800), st.integers(60, 1300), st.integers(30, 400), st.integers(-40, 40)),
        min_size=2,
        max_size=12,
    )
)
def test_lines_anywhere_come_out_in_order(places: list[tuple[int, int, int, int]]) -> None:
    lines = [cell(f"n{i} of {len(places)}", x, y, x + width, fall) for i, (x, y, width, fall) in enumerate(places)]
    page = interchange(page_with(*lines))
    assert text_of(write(page, scan_of(page))) == page.text.split()


def test_jpeg_is_embedded_as_it_is() -> None:
    page, scan = sample_page("letter")
    with pikepdf.open(io.BytesIO(write(page, scan))) as pdf:
        picture = picture_of(pdf)
        assert picture.read_raw_bytes() == scan


@pytest.mark.parametrize(
    ("mode", "kind", "options", "expected", "filter_name"),
    [
        ("1", "TIFF", {"compression": "group4"}, "1", "/FlateDecode"),
        ("1", "PNG", {}, "1", "/FlateDecode"),
        ("L", "PNG", {}, "L", "/FlateDecode"),
        ("RGB", "PNG", {}, "RGB", "/FlateDecode"),
        ("P", "PNG", {}, "RGB", "/FlateDecode"),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}, "RGB", "/FlateDecode"),
        ("L", "WEBP", {"lossless": True}, "L", "/FlateDecode"),
        ("RGB", "JPEG2000", {"irreversible": False}, "RGB", "/JPXDecode"),
        ("L", "JPEG2000", {"no_jp2": True}, "L", "/JPXDecode"),
        ("L", "BMP", {}, "L", "/FlateDecode"),
        ("P", "GIF", {}, "RGB", "/FlateDecode"),
        ("L", "PPM", {}, "L", "/FlateDecode"),
        ("RGBA", "PNG", {}, "RGB", "/FlateDecode"),
        ("CMYK", "TIFF", {}, "RGB", "/FlateDecode"),
    ],
)  # fmt: skip
def test_every_pixel_survives(
    mode: str, kind: str, options: dict[str, object], expected: str, filter_name: str
) -> None:
    page = page_of("word", width_px=203, height_px=101)
    scan = scan_of(page, mode, kind, **options)
    with pikepdf.open(io.BytesIO(write(page, scan))) as pdf:
        picture = picture_of(pdf)
        assert str(picture.Filter) == filter_name
        found = pikepdf.PdfImage(picture).as_pil_image().convert(expected)
    original = Image.open(io.BytesIO(scan)).convert(expected)
    assert np.array_equal(np.asarray(found), np.asarray(original))


def test_deep_gray_survives() -> None:
    page = page_of("word", width_px=40, height_px=30)
    deep = (np.arange(1200, dtype=np.uint32) * 53 % 65536).astype(np.uint16).reshape(30, 40)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    with pikepdf.open(io.BytesIO(write(page, buffer.getvalue()))) as pdf:
        picture = picture_of(pdf)
        assert picture.BitsPerComponent == 16
        assert np.array_equal(np.frombuffer(picture.read_bytes(), ">u2").reshape(30, 40), deep)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_scans_stand_upright(orientation: int) -> None:
    upright = Image.new("L", (300, 200), 255)
    upright.paste(0, (20, 30, 120, 60))  # a black bar in the upper left
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation -> Pillow's transpose that undoes it
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", quality=95, exif=exif)
    page = page_of("word", width_px=300, height_px=200, dpi=72.0)
    shown = pypdfium2.PdfDocument(write(page, buffer.getvalue()))[0].render(scale=1, grayscale=True).to_numpy()
    assert shown.shape[:2] == (200, 300)
    assert np.abs(shown.reshape(200, 300).astype(int) - np.asarray(upright).astype(int)).mean() < 3


def test_right_to_left_and_all_of_unicode() -> None:
    texts = (
        "שלום לכולם (כן) 1984",
        "مرحبا بالعالم",
        "e\u0301a\u0308\u0323 𝔘nicode 😀",
        "क्षत्रिय भाषा",
        "漢字 ſtraße ꝑ ᵭ",
    )
    page = page_of(*texts, provenance=Provenance("", languages=("heb",)))
    data = write(page, scan_of(page))
    assert text_of(data) == " ".join(texts).split()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert str(pdf.Root.Lang) == "he"


def test_same_input_gives_the_same_bytes() -> None:
    page, scan = sample_page("french")
    assert write(page, scan) == write(page, scan)


def test_several_pages_with_their_structure() -> None:
    page, scan = sample_page("letter")
    other = replace(page_of("one", "", "two"), provenance=page.provenance)
    data = write_document([(page, scan), (other, scan_of(other, "1"))]).data
    assert text_of(data) == [*(word for line in page.lines for word in line.text.split()), "one", "two"]
    assert pdfa.validate_written(io.BytesIO(data), "2b").passed
    with pikepdf.open(io.BytesIO(data)) as pdf:
        document = pdf.Root.StructTreeRoot.K
        assert [str(element.S) for element in document.K] == ["/P", "/P"]
        assert [len(element.K) for element in document.K] == [len(page.lines), 2]
        assert len(pdf.Root.StructTreeRoot.ParentTree.Nums) == 4
        marked = [instruction.operands[1].MCID for instruction in _marks(pdf.pages[1])]
        assert marked == [0, 1]


def _marks(sheet: pikepdf.Page) -> list[pikepdf.ContentStreamInstruction]:
    instructions = pikepdf.parse_content_stream(sheet)
    return [
        item
        for item in instructions
        if isinstance(item, pikepdf.ContentStreamInstruction) and str(item.operator) == "BDC"
    ]


def test_scan_of_another_page_is_refused() -> None:
    page = page_of("word")
    with pytest.raises(InputError, match="203 x 101 px, the page 1000 x 800"):
        write(page, scan_of(replace(page, width_px=203, height_px=101)))
    with pytest.raises(InputError, match="cannot be decoded"):
        write(page, b"no image")
    with pytest.raises(InputError, match="cannot be decoded"):
        write(page, scan_of(page, kind="JPEG", mode="RGB")[:60])
    with pytest.raises(OutputError, match="without pages"):
        write_document([])


def test_page_of_a_tiff() -> None:
    page = page_of("word", width_px=50, height_px=40)
    frames = [Image.new("L", (50, 40), shade) for shade in (10, 20, 30)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    page = replace(page, source=replace(page.source, page_index=2))
    with pikepdf.open(io.BytesIO(write(page, buffer.getvalue()))) as pdf:
        picture = picture_of(pdf)
        assert set(picture.read_bytes()) == {30}


def test_layer_of_a_pdf_is_replaced() -> None:
    page, scan = sample_page("letter")
    first = write(page, scan)
    other = replace(page_of("other words"), width_px=page.width_px, height_px=page.height_px, dpi=page.dpi)
    second = write(other, first)
    assert text_of(second) == ["other", "words"]
    assert pdfa.validate_written(io.BytesIO(second), "2b").passed
    with pikepdf.open(io.BytesIO(second)) as pdf:
        assert picture_of(pdf).read_raw_bytes() == scan
        assert len(pdf.Root.StructTreeRoot.K.K) == 1
    with pytest.raises(InputError, match="has 1 pages, not page 4"):
        write(replace(page, source=replace(page.source, page_index=3)), first)


def test_font_is_sound() -> None:
    font = TTFont(io.BytesIO(true_type()), checkChecksums=2)
    assert font["maxp"].numGlyphs == 2 and font["hmtx"].metrics[font.getGlyphName(1)] == (500, 0)
    glyph = font["glyf"][font.getGlyphName(1)]
    assert (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax) == (0, -200, 500, 800)


def test_marks_stay_with_their_letters() -> None:
    assert clusters("ae\u0301\u0323\u200dx") == ["a", "e\u0301\u0323\u200dx"]


@settings(
    deadline=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(pages)
def test_any_page_becomes_pdf_a(page: Page) -> None:
    source = replace(page.source, page_index=0)
    page = replace(page, source=source, width_px=max(page.width_px, 16), height_px=max(page.height_px, 16))
    data = write(page, scan_of(page))
    assert pdfa.validate_written(io.BytesIO(data), "2b").passed
