"""A searchable PDF of a PDF is that PDF, plus text: nothing is drawn anew, nothing goes missing, old layers go."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, OutlineItem, Pdf, Stream
from PIL import Image

from carrel.errors import InputError
from carrel.formats import FORMATS, WrittenDocument
from carrel.formats.pdf.document import write_document
from carrel.formats.write.interchange import interchange
from carrel.image.source import Scan, open_scans
from carrel.options import ReadOptions
from carrel.page import Page, Source
from drawn_pdfs import (
    SIZE_POINTS,
    SIZE_PX,
    add_page,
    drawn,
    form,
    helvetica,
    letter_boxes,
    picture,
    rendered,
    saved,
    saved_pdf,
    text_of,
    words_at,
)
from oracle_formats import page_of

WORDS = ("Harbour", "of Ostend")


def stamped(pdf: Pdf) -> None:
    add_page(pdf, drawn(), words_at(140, 8, "HBR-000417", 10))


def filled_form(pdf: Pdf) -> None:
    page = add_page(pdf, drawn())
    look = form(pdf, b"/Tx BMC q BT /F1 16 Tf 2 6 Td (Margaret Hollis) Tj ET Q EMC", 160, 20)
    field = Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=pikepdf.String("witness"), F=4)
    field[Name.V], field[Name.Rect] = pikepdf.String("Margaret Hollis"), Array([30, 4, 190, 24])
    field[Name.DA], field[Name.AP] = pikepdf.String("/F1 16 Tf 0 g"), Dictionary(N=look)
    page.obj[Name.Annots] = Array([pdf.make_indirect(field)])
    fonts = Dictionary(Font=Dictionary(F1=helvetica(pdf)))
    pdf.Root[Name.AcroForm] = Dictionary(Fields=page.obj.Annots, DR=fonts, DA=field.DA)


def annotated(pdf: Pdf) -> None:
    page = add_page(pdf, drawn())
    look = form(pdf, b"0.8 0 0 RG 1 1 158 18 re S BT 0.8 0 0 rg /F1 12 Tf 8 6 Td (COPY FOR THE COURT) Tj ET", 160, 20)
    stamp = Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=Array([30, 4, 190, 24]), F=4, AP=Dictionary(N=look))
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([20, 80, 90, 99]))
    note = Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=Array([190, 80, 210, 100]))
    page.obj[Name.Annots] = Array([pdf.make_indirect(item) for item in (stamp, link, note)])


def boxed(pdf: Pdf) -> None:
    add_page(pdf, drawn(), CropBox=Array([10, 8, 200, 100]))
    add_page(pdf, drawn(), UserUnit=2)
    for rotation in (90, 180, 270):
        turned = drawn().rotate(rotation, expand=True)
        points = SIZE_POINTS if rotation == 180 else (SIZE_POINTS[1], SIZE_POINTS[0])
        add_page(pdf, turned, points=points, Rotate=rotation)


def from_the_middle(pdf: Pdf) -> None:
    """The lower left corner is not the origin, and Rotate and resources come from the parent."""
    page = add_page(pdf, drawn(), points=SIZE_POINTS)
    width, height = SIZE_POINTS
    page.obj[Name.MediaBox] = Array([-50, -20, width - 50, height - 20])
    page.obj[Name.Contents] = pdf.make_indirect(Stream(pdf, b"q %f 0 0 %f -50 -20 cm /Im0 Do Q" % SIZE_POINTS))
    pdf.Root.Pages[Name.Rotate] = 180
    pdf.Root.Pages[Name.Resources] = page.obj.Resources
    del page.obj[Name.Resources]


def strips(pdf: Pdf) -> None:
    page, whole = add_page(pdf, None), drawn()
    operators = b""
    page.obj.Resources[Name.XObject] = Dictionary()
    for row in range(4):
        part = whole.crop((0, 75 * row, SIZE_PX[0], 75 * row + 75))
        page.obj.Resources.XObject[f"/Im{row}"] = picture(pdf, part)
        operators += b"q 216 0 0 27 0 %.2f cm /Im%d Do Q\n" % (108 - 27 * (row + 1), row)
    page.obj[Name.Contents] = pdf.make_indirect(Stream(pdf, operators))


def black_and_white(pdf: Pdf, stencil: bool = False) -> None:
    image = Image.fromarray(np.asarray(drawn()) > 128)
    data = saved(image, "TIFF", compression="group4", tiffinfo={278: image.height})
    tags = Image.open(io.BytesIO(data)).tag_v2  # pyright: ignore[reportAttributeAccessIssue]
    page = add_page(pdf, None, b"q 216 0 0 108 0 0 cm /Im0 Do Q")
    stream = Stream(pdf, b"")
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height)
    strip = data[tags[273][0] : tags[273][0] + tags[279][0]]
    stream.write(strip, filter=Name.CCITTFaxDecode, decode_parms=parameters)
    stream[Name.Type], stream[Name.Subtype] = Name.XObject, Name.Image
    stream[Name.Width], stream[Name.Height] = image.size
    if stencil:
        stream[Name.ImageMask], stream[Name.Decode] = True, Array([1, 0])
    else:
        stream[Name.BitsPerComponent], stream[Name.ColorSpace] = 1, Name.DeviceGray
        stream[Name.Decode] = Array([1, 0])
    page.obj.Resources[Name.XObject] = Dictionary(Im0=pdf.make_indirect(stream))


def black_stencil(pdf: Pdf) -> None:
    black_and_white(pdf, stencil=True)


def jpeg_2000(pdf: Pdf) -> None:
    page = add_page(pdf, None, b"q 216 0 0 108 0 0 cm /Im0 Do Q")
    stream = Stream(pdf, b"")
    stream.write(saved(drawn(mode="RGB"), "JPEG2000", quality_mode="rates", quality_layers=[15]), filter=Name.JPXDecode)
    stream[Name.Type], stream[Name.Subtype], stream[Name.BitsPerComponent] = Name.XObject, Name.Image, 8
    stream[Name.Width], stream[Name.Height] = SIZE_PX
    stream[Name.ColorSpace] = Name.DeviceRGB
    page.obj.Resources[Name.XObject] = Dictionary(Im0=pdf.make_indirect(stream))


def layered(pdf: Pdf) -> None:
    """A remark on a layer that is switched off."""
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=pikepdf.String("Remarks")))
    page = add_page(pdf, drawn(), b"/OC /L0 BDC\n" + words_at(30, 30, "COMPARE COPY B", 20) + b"EMC\n")
    page.obj.Resources[Name.Properties] = Dictionary(L0=layer)
    pdf.Root[Name.OCProperties] = Dictionary(
        OCGs=Array([layer]), D=Dictionary(OFF=Array([layer]), Order=Array([layer]))
    )


def unbalanced(pdf: Pdf) -> None:
    """Contents in two streams that leave a scaled, clipped space behind."""
    page = add_page(pdf, drawn())
    rest = pdf.make_indirect(Stream(pdf, b"q 0 0 5 5 re W n 0.1 0 0 0.1 20 20 cm"))
    page.obj[Name.Contents] = Array([page.obj.Contents, rest])


def navigated(pdf: Pdf) -> None:
    add_page(pdf, drawn())
    add_page(pdf, drawn("The mill"))
    with pdf.open_outline() as outline:
        outline.root.extend([OutlineItem("The harbour", 0), OutlineItem("The mill", 1)])
    pdf.Root[Name.PageLabels] = Dictionary(Nums=Array([0, Dictionary(S=Name.r), 1, Dictionary(S=Name.D, St=5)]))
    pdf.docinfo[Name.Title] = pikepdf.String("Harbour book, volume 3")
    pdf.docinfo[Name.Author] = pikepdf.String("The keeper")
    pdf.attachments["list.txt"] = pikepdf.AttachedFileSpec(  # pyright: ignore[reportCallIssue]
        pdf, b"boats: 7\n", filename="list.txt"
    )


KINDS = (
    stamped, filled_form, annotated, boxed, from_the_middle, strips, black_and_white, black_stencil, jpeg_2000, layered,
    unbalanced, navigated,
)  # fmt: skip


def made(draw: Callable[[Pdf], None]) -> bytes:
    pdf = Pdf.new()
    draw(pdf)
    return saved_pdf(pdf)


def scans_of(data: bytes, folder: Path, own_text: str = "keep") -> list[Scan]:
    (folder / "in.pdf").write_bytes(data)
    return list(open_scans(folder / "in.pdf", 30.0, own_text=own_text))  # pyright: ignore[reportArgumentType]


def page_for(scan: Scan, *words: str) -> Page:
    """The two lines of `drawn` where they stand on an upright scan, as a reader would find them."""
    height_px, width_px = scan.gray.shape
    page = page_of(*(words or WORDS), width_px=width_px, height_px=height_px, dpi=scan.dpi)
    return replace(page, source=scan.source)


def searchable(data: bytes, folder: Path) -> WrittenDocument:
    return write_document([(page_for(scan), data) for scan in scans_of(data, folder)])


@pytest.mark.parametrize("draw", KINDS, ids=lambda draw: draw.__name__)
def test_pdf_shows_what_it_showed(draw: Callable[[Pdf], None], tmp_path: Path) -> None:
    before = made(draw)
    document = searchable(before, tmp_path)
    with pikepdf.open(io.BytesIO(before)) as old, pikepdf.open(io.BytesIO(document.data)) as new:
        assert len(old.pages) == len(new.pages)
        assert new.check_pdf_syntax() == []
        for index, (was, is_) in enumerate(zip(old.pages, new.pages, strict=True)):
            assert np.array_equal(rendered(before, index), rendered(document.data, index))
            assert text_of(document.data, index).startswith(" ".join(WORDS))
            for key in ("/MediaBox", "/CropBox", "/Rotate", "/UserUnit"):
                assert was.obj.get(key) == is_.obj.get(key)
            assert len(was.obj.get("/Annots", ())) == len(is_.obj.get("/Annots", ()))
            assert _pictures(was) == _pictures(is_)
    assert len(document.data) <= 1.6 * len(before) + 2_000  # the layer's font alone takes 2 kB of these small files
    if shutil.which("qpdf"):
        (tmp_path / "out.pdf").write_bytes(document.data)
        assert subprocess.run(["qpdf", "--check", tmp_path / "out.pdf"], check=False).returncode == 0


def _pictures(page: pikepdf.Page) -> list[bytes]:
    return [item.read_raw_bytes() for item in page.obj.Resources.get(Name.XObject, Dictionary()).values()]


@pytest.mark.parametrize("draw", [boxed, from_the_middle, stamped], ids=lambda draw: draw.__name__)
def test_layer_lies_on_the_ink(draw: Callable[[Pdf], None], tmp_path: Path) -> None:
    """A word marked by a viewer is the word that was found: its box, in px of the rendered page, holds that of the page."""
    before = made(draw)
    for scan in scans_of(before, tmp_path):
        page = page_for(scan, "alpha")
        data = write_document([(page, before)]).data
        boxes = letter_boxes(data, scan.source.page_index, "alpha", scan.gray.shape)
        word = interchange(page).lines[0].words[0].box
        assert abs(boxes[:, 0].min() - word.left) < 4 and abs(boxes[:, 2].max() - word.right) < 4
        assert word.top - 15 < boxes[:, 1].min() < boxes[:, 3].max() < word.bottom + 20


def test_navigation_is_kept(tmp_path: Path) -> None:
    document = searchable(made(navigated), tmp_path)
    with pikepdf.open(io.BytesIO(document.data)) as pdf, pdf.open_outline() as outline:
        assert [item.title for item in outline.root] == ["The harbour", "The mill"]
        assert [page.label for page in pdf.pages] == ["i", "5"]
        assert str(pdf.docinfo[Name.Title]) == "Harbour book, volume 3"
        assert str(pdf.docinfo[Name.Author]) == "The keeper"
        assert pdf.attachments["list.txt"].get_file().read_bytes() == b"boats: 7\n"
    assert any("plain PDF, not PDF/A" in note for note in document.notes)


@pytest.mark.parametrize("place", ["contents", "form"])
def test_old_layer_is_replaced_and_visible_text_stays(place: str, tmp_path: Path) -> None:
    pdf = Pdf.new()
    old = words_at(30, 60, "wrong words of long ago", 14, mode=3)
    page = add_page(pdf, drawn(), words_at(140, 8, "HBR-7", 10) + (old if place == "contents" else b"/Old Do\n"))
    if place == "form":
        page.obj.Resources.XObject[Name.Old] = form(pdf, old, *SIZE_POINTS)
    before = saved_pdf(pdf)
    data = searchable(before, tmp_path).data
    assert text_of(data) == "Harbour of Ostend HBR-7"
    assert np.array_equal(rendered(before), rendered(data))


def own_lines(scan: Scan) -> list[str]:
    return [line.text for region in scan.regions for line in region.lines]


def test_born_digital_text_is_the_pages_text(tmp_path: Path) -> None:
    lines = ("Die Größe der Flöße, geprüft am Fluß", "Bill no. O0O1lI1-5S8B for £12 3s. 4d.")
    pdf = Pdf.new()
    add_page(pdf, None, b"".join(words_at(10, 80 - 30 * i, text, 11) for i, text in enumerate(lines)))
    before = saved_pdf(pdf)
    (scan,) = scans_of(before, tmp_path)
    assert scan.is_read and own_lines(scan) == list(lines)
    page = replace(page_for(scan), regions=scan.regions)
    data = write_document([(page, before)]).data
    assert text_of(data) == " ".join(lines)
    assert np.array_equal(rendered(before), rendered(data))
    (redone,) = scans_of(before, tmp_path, "redo")
    assert not redone.is_read and own_lines(redone) == list(lines) and redone.gray.min() == 255
    (forced,) = scans_of(before, tmp_path, "force")
    assert not forced.is_read and not forced.regions and forced.gray.min() < 64


def test_stamp_on_a_scan_is_text_of_its_own(tmp_path: Path) -> None:
    (scan,) = scans_of(made(stamped), tmp_path)
    assert own_lines(scan) == ["HBR-000417"] and not scan.is_read
    (line,) = scan.regions[0].lines
    assert line.words[0].box.top > 245 and 380 < line.words[0].box.left < 400
    plain = np.asarray(drawn())
    assert np.abs(scan.gray[250:].astype(int) - plain[250:]).max() < 40  # the number is not in the picture to be read


@pytest.mark.parametrize(("draw", "text"), [(filled_form, "Margaret Hollis"), (annotated, "COPY FOR THE COURT")])
def test_what_is_filled_in_is_text(draw: Callable[[Pdf], None], text: str, tmp_path: Path) -> None:
    (scan,) = scans_of(made(draw), tmp_path)
    assert own_lines(scan) == [text]


def test_hidden_text_is_no_text(tmp_path: Path) -> None:
    hidden = {
        "a layer that is off": made(layered),
        "white on white": made(lambda pdf: _with(pdf, None, b"1 g " + words_at(30, 30, "secret", 20))),
        "invisible": made(lambda pdf: _with(pdf, drawn(), words_at(30, 30, "secret", 20, mode=3))),
        "outside": made(lambda pdf: _with(pdf, drawn(), words_at(300, 300, "secret", 20))),
        "below the scan": made(_below_the_scan),
    }
    found = {name: own_lines(scans_of(data, tmp_path)[0]) for name, data in hidden.items()}
    assert found == {name: [] for name in hidden}


def _with(pdf: Pdf, scan: Image.Image | None, operators: bytes) -> None:
    add_page(pdf, scan, operators)


def _below_the_scan(pdf: Pdf) -> None:
    page = add_page(pdf, drawn())
    page.contents_add(words_at(30, 30, "secret", 20), prepend=True)


def test_page_between_others_may_go_unread(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn())
    add_page(pdf, None, points=(3, 3))
    add_page(pdf, drawn("The mill"))
    before = saved_pdf(pdf)
    pages = [
        replace(page_of(text, width_px=600, height_px=300, dpi=200.0), source=Source("in.pdf", index))
        for index, text in ((0, "one"), (2, "three"))
    ]
    data = write_document([(page, before) for page in pages]).data
    assert [text_of(data, index) for index in range(3)] == ["one", "", "three"]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_page_on_its_side_stands_upright(quarters: int, tmp_path: Path) -> None:
    upright = drawn()
    lying = upright.rotate(-90 * quarters, expand=True)
    png = saved(lying, "PNG", dpi=(200, 200))
    before = made(lambda pdf: _with(pdf, lying, b""))
    for data in (png, before):
        page = page_of("word", width_px=lying.width, height_px=lying.height, dpi=200.0)
        page = replace(page, provenance=replace(page.provenance, skew_degrees=90.0 * quarters + 0.4))
        page = replace(page, source=Source("in", 0))
        shown = rendered(write_document([(page, data)]).data)
        left = rendered(write_document([(page, data)], ReadOptions(keep_rotation=True)).data)
        assert np.array_equal(shown, np.rot90(left, quarters))


@pytest.mark.parametrize("rotation", [0, 90])
def test_text_that_is_read_anew_becomes_a_picture(rotation: int, tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, None, words_at(10, 60, "Real text", 24), CropBox=Array([0, 20, 200, 100]), Rotate=rotation)
    before = saved_pdf(pdf)
    (scan,) = scans_of(before, tmp_path, "force")
    data = write_document([(page_for(scan, "anew"), before)], ReadOptions(own_text="force")).data
    assert text_of(data) == "anew"
    difference = np.abs(rendered(before).astype(int) - rendered(data))
    assert difference.mean() < 2 and rendered(before).shape == rendered(data).shape


def test_one_page_of_several_is_written_alone(tmp_path: Path) -> None:
    before = made(navigated)
    scan = scans_of(before, tmp_path)[1]
    data = FORMATS["pdf"].write(page_for(scan), before)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert len(pdf.pages) == 1
    assert np.array_equal(rendered(data), rendered(before, 1))
    assert text_of(data) == "Harbour of Ostend"


def test_layers_do_not_pile_up(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn(), words_at(140, 8, "HBR-7", 10))
    first = searchable(saved_pdf(pdf), tmp_path).data
    again = first
    for _ in range(3):
        again = searchable(again, tmp_path).data
    with pikepdf.open(io.BytesIO(first)) as one, pikepdf.open(io.BytesIO(again)) as other:
        assert operators_of(one) == operators_of(other)
    assert text_of(again) == text_of(first) and np.array_equal(rendered(first), rendered(again))


def operators_of(pdf: Pdf) -> list[str]:
    return [str(item.operator) for item in pikepdf.parse_content_stream(pdf.pages[0])]


def below_the_picture(
    pdf: Pdf, operators: bytes = b"", after: bytes = b"", more: dict[str, object] | None = None
) -> None:
    """The scan is drawn over the words that some program has read."""
    page = add_page(
        pdf, None, operators + words_at(20, 60, "0ld l4yer", 10) + b"q 216 0 0 108 0 0 cm /Im0 Do Q\n" + after
    )
    stream = picture(pdf, drawn())
    for key, value in (more or {}).items():
        stream[f"/{key}"] = value  # pyright: ignore[reportArgumentType]
    page.obj.Resources[Name.XObject] = Dictionary(Im0=stream)


def test_text_below_the_picture_is_an_old_layer(tmp_path: Path) -> None:
    pdf = Pdf.new()
    below_the_picture(pdf, after=words_at(140, 8, "HBR-000417", 10))
    before = saved_pdf(pdf)
    (scan,) = scans_of(before, tmp_path)
    assert [line.text for region in scan.regions for line in region.lines] == ["HBR-000417"]
    document = searchable(before, tmp_path)
    assert np.array_equal(rendered(before, 0), rendered(document.data, 0))
    text = text_of(document.data, 0)
    assert "0ld" not in text and "HBR-000417" in text and " ".join(WORDS) in text


@pytest.mark.parametrize(
    ("operators", "more"),
    [
        (b"q 0 0 100 50 re W n ", {}),  # the picture is cut
        (b"/G0 gs ", {}),  # it may be transparent
        (b"0.5 0 0 0.5 0 0 cm ", {}),  # it covers a quarter
        (b"/OC /L0 BDC ", {}),  # it may be switched off
        (b"", {"Mask": Array([0, 10])}),
    ],
)
def test_text_that_may_show_through_stays(operators: bytes, more: dict[str, object], tmp_path: Path) -> None:
    pdf = Pdf.new()
    below_the_picture(pdf, operators, more=more)
    before = saved_pdf(pdf)
    document = searchable(before, tmp_path)
    assert np.array_equal(rendered(before, 0), rendered(document.data, 0))
    assert "0ld l4yer" in text_of(document.data, 0)


def test_a_lost_signature_is_said(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn())
    pdf.Root[Name.AcroForm] = Dictionary(Fields=Array([]), SigFlags=3)
    assert any("signature no longer holds" in note for note in searchable(saved_pdf(pdf), tmp_path).notes)


WRONG = (7, True, Name.X, pikepdf.String("x"), Array([1, 2]), Dictionary())


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "key", ["Contents", "Resources", "Font", "XObject", "Im0", "CropBox", "Rotate", "Annots", "UserUnit"]
)
def test_what_is_of_the_wrong_kind_does_no_harm(key: str, value: object, tmp_path: Path) -> None:
    """As programs write it that mend files by hand: what PDFium shows of it is shown, or the page is refused."""
    pdf = Pdf.new()
    page = add_page(pdf, drawn())
    owner = {"Font": page.obj.Resources, "XObject": page.obj.Resources, "Im0": page.obj.Resources.XObject}
    owner.get(key, page.obj)[f"/{key}"] = value  # pyright: ignore[reportArgumentType]
    before = saved_pdf(pdf)
    try:
        document = searchable(before, tmp_path)
    except InputError:
        return
    assert np.array_equal(rendered(before, 0), rendered(document.data, 0))
