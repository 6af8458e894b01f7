"""Pictures inside searchable PDFs: whatever is read is also shown, upright and as large as it was, and hardly grows."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pikepdf
import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from carrel.formats import WrittenDocument
from carrel.formats.pdf.document import write_document
from carrel.formats.pdf.jpeg_image import join_strips
from carrel.formats.write.interchange import interchange
from carrel.image.gray import upright
from carrel.image.source import Scan, open_scans
from carrel.page import Page, Source
from drawn_pdfs import drawn, letter_boxes, saved
from hostile import OddFile, odd_files
from oracle_formats import page_of


def page_for(scan: Scan) -> Page:
    height_px, width_px = scan.gray.shape
    page = page_of("word", width_px=width_px, height_px=height_px, dpi=scan.dpi)
    return replace(page, source=Source("scan", scan.source.page_index))


def documents(data: bytes, folder: Path) -> list[tuple[Scan, WrittenDocument]]:
    (folder / "scan").write_bytes(data)
    return [(scan, write_document([(page_for(scan), data)])) for scan in open_scans(folder / "scan", 30.0)]


def gray_of(document: bytes, shape: tuple[int, ...]) -> NDArray[np.int16]:
    """The first page as PDFium draws it, one pixel for one of the scan."""
    sheet = pypdfium2.PdfDocument(document)[0]
    scale = shape[1] / sheet.get_width() * (1 - 1e-6)
    bitmap = sheet.render(scale=scale, grayscale=True)  # pyright: ignore[reportArgumentType]
    pixels = np.array(bitmap.to_numpy(), np.int16)
    bitmap.close()
    return pixels.reshape(pixels.shape[:2])


class Picture(NamedTuple):
    """What a document's first picture is stored as."""

    filter: str
    bits: int
    space: str
    decode: list[float]
    raw: bytes


def picture_of(document: bytes) -> Picture:
    with pikepdf.open(io.BytesIO(document)) as pdf:
        stream = pdf.pages[0].obj.Resources.XObject.Im0
        space = stream.ColorSpace[0] if isinstance(stream.ColorSpace, pikepdf.Array) else stream.ColorSpace
        decode = [float(value) for value in stream.get("/Decode", pikepdf.Array()).as_list()]
        return Picture(str(stream.Filter), int(stream.BitsPerComponent), str(space), decode, stream.read_raw_bytes())


@pytest.mark.parametrize("odd", list(odd_files()), ids=lambda odd: ascii(odd.name))
def test_what_is_read_is_shown(odd: OddFile, tmp_path: Path) -> None:
    for scan, document in documents(odd.data, tmp_path):
        shown = gray_of(document.data, scan.gray.shape)
        assert shown.shape == scan.gray.shape
        deep = odd.name.startswith("twelve")  # twelve bits in sixteen are dark in the file, too
        assert deep or np.abs(shown - scan.gray).mean() <= (12 if "cmyk" in odd.name else 3)  # inks are no light


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[274] = orientation
    return tags.tobytes()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orientation=st.integers(1, 8),
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "TIFF jpeg", "TIFF jpeg strips", "TIFF group4"]),
    dpi=st.sampled_from([(200, 200), (204, 98), (100, 300)]),
)
def test_every_way_a_page_may_be_stored(tmp_path: Path, orientation: int, kind: str, dpi: tuple[int, int]) -> None:
    page = Image.fromarray(np.where(np.asarray(drawn(size=(320, 160))) > 128, 255, 0).astype(np.uint8))
    stored = page.transpose(TURNS[orientation]) if orientation > 1 else page
    base, _, way = kind.partition(" ")
    options: dict[str, Any] = {"dpi": dpi} if base != "WEBP" else {"lossless": True}
    if base == "TIFF":
        options["tiffinfo"] = {274: orientation}
        if "jpeg" in way:
            options |= {"compression": "jpeg", "quality": 95}
            options["tiffinfo"] |= {278: 32 if "strips" in way else stored.height}
        elif way:
            options["compression"] = way
            stored = stored.convert("1")
    else:
        options["exif"] = exif(orientation)
    ((scan, document),) = documents(saved(stored, base, **options), tmp_path)
    shown = gray_of(document.data, scan.gray.shape)
    assert shown.shape == scan.gray.shape
    assert np.abs(shown - scan.gray).mean() < 4
    width, height = (side / resolution * 72 for side, resolution in zip(stored.size, dpi, strict=True))
    if base != "WEBP":
        expected = (height, width) if orientation >= 5 else (width, height)
        assert pypdfium2.PdfDocument(document.data)[0].get_size() == pytest.approx(expected, abs=0.5)
    word = interchange(page_for(scan)).lines[0].words[0].box
    boxes = letter_boxes(document.data, 0, "word", scan.gray.shape)  # the text lies where it was found
    assert abs(boxes[:, 0].min() - word.left) < 4 and abs(boxes[:, 2].max() - word.right) < 4
    assert word.top - 15 < boxes[:, 1].min() < boxes[:, 3].max() < word.bottom + 20
    square = scan.gray.shape == (160, 320)
    assert not square or np.abs(scan.gray.astype(int) - np.asarray(page)).mean() < 4


def scans_that_may_grow() -> dict[str, tuple[bytes, str]]:
    """Name -> file of a scan that PDF can hold as it is, and the filter that it keeps."""
    size = (1000, 640)
    gray, color = drawn(size=size), drawn(size=size, mode="RGB")
    black = Image.fromarray(np.asarray(gray) > 128)
    mpo = saved(color, "MPO", save_all=True, append_images=[Image.new("RGB", (80, 60))], quality=80)
    return {
        "jpeg": (saved(gray, "JPEG", quality=80), "/DCTDecode"),
        "progressive": (saved(color, "JPEG", quality=80, progressive=True), "/DCTDecode"),
        "mpo": (mpo, "/DCTDecode"),
        "cmyk": (saved(color.convert("CMYK"), "JPEG", quality=80), "/DCTDecode"),
        "jp2": (saved(color, "JPEG2000", quality_mode="rates", quality_layers=[15]), "/JPXDecode"),
        "j2k": (saved(gray, "JPEG2000", quality_mode="rates", quality_layers=[8], no_jp2=True), "/JPXDecode"),
        "jpeg in tiff": (saved(gray, "TIFF", compression="jpeg", quality=80, tiffinfo={278: 640}), "/DCTDecode"),
        "strips": (saved(color, "TIFF", compression="jpeg", quality=80, tiffinfo={278: 64}), "/DCTDecode"),
        "g4": (saved(noisy(black), "TIFF", compression="group4"), "/CCITTFaxDecode"),
        "png": (saved(gray, "PNG"), "/FlateDecode"),
        "palette": (saved(color.quantize(32), "PNG", transparency=bytes([0, 128] + [255] * 30)), "/FlateDecode"),
        "cmyk in tiff": (saved(color.convert("CMYK"), "TIFF", compression="jpeg", quality=80), "/DCTDecode"),
    }


def noisy(image: Image.Image) -> Image.Image:
    """Specks, as scanners leave them: without any the file is smaller than the least PDF."""
    pixels = np.array(image)
    pixels[np.random.default_rng(2).random(pixels.shape) < 0.003] = False
    return Image.fromarray(pixels)


@pytest.mark.parametrize("name", list(scans_that_may_grow()))
def test_a_scan_keeps_its_bytes_and_hardly_grows(name: str, tmp_path: Path) -> None:
    data, filter_name = scans_that_may_grow()[name]
    ((scan, document),) = documents(data, tmp_path)
    assert len(document.data) <= 1.6 * len(data)
    picture = picture_of(document.data)
    assert picture.filter == filter_name
    assert np.abs(gray_of(document.data, scan.gray.shape) - scan.gray).mean() < (12 if "cmyk" in name else 3)
    if name in ("jpeg", "progressive", "cmyk", "jp2"):
        assert picture.raw == data
    if name in ("mpo", "j2k"):
        raw = picture.raw
        assert data.startswith(raw) or raw.endswith(data)


def test_black_and_white_takes_the_shorter_form(tmp_path: Path) -> None:
    text = Image.fromarray(np.asarray(drawn(size=(1000, 640))) > 128)
    dithered = Image.fromarray(np.indices((640, 1000)).sum(axis=0) % 2 > 0)
    for image, expected in ((text, "/CCITTFaxDecode"), (dithered, "/FlateDecode")):
        ((scan, document),) = documents(saved(image, "PNG"), tmp_path)
        picture = picture_of(document.data)
        assert (picture.filter, picture.bits) == (expected, 1)
        assert np.array_equal(gray_of(document.data, scan.gray.shape), scan.gray)


@pytest.mark.parametrize("compression", ["raw", "packbits", "group3", "group4"])
def test_bits_from_the_right(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.asarray(drawn(size=(1000, 640))) > 128)
    plain = saved(image, "TIFF", compression=compression, tiffinfo={278: 640, 266: 1})
    turned = bytearray(plain)
    tags = Image.open(io.BytesIO(plain)).tag_v2  # pyright: ignore[reportAttributeAccessIssue]
    strip = slice(tags[273][0], tags[273][0] + tags[279][0])
    turned[strip] = bytes(turned[strip]).translate(bytes(int(f"{n:08b}"[::-1], 2) for n in range(256)))
    at = turned.index(b"\x0a\x01\x03\x00\x01\x00\x00\x00\x01\x00")
    turned[at + 8] = 2
    ((scan, document),) = documents(bytes(turned), tmp_path)
    expected = np.where(np.asarray(image), 255, 0)
    assert np.array_equal(scan.gray, expected)
    assert np.array_equal(gray_of(document.data, scan.gray.shape), expected)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("rows", [8, 16, 64])
def test_joined_strips_are_the_strips(mode: str, rows: int) -> None:
    data = saved(drawn(size=(200, 150), mode=mode), "TIFF", compression="jpeg", quality=90, tiffinfo={278: rows})
    image = Image.open(io.BytesIO(data))
    tags = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
    strips = [data[at : at + length] for at, length in zip(tags[273], tags[279], strict=True)]
    joined = join_strips(tags.get(347, b""), strips, image.size)
    assert joined is not None
    picture = Image.open(io.BytesIO(joined))
    assert picture.size == image.size
    gray, expected = np.asarray(picture.convert("L"), np.int16), np.asarray(image.convert("L"), np.int16)
    assert np.abs(gray - expected).max() <= (0 if mode == "L" else 80)
    assert np.abs(gray - expected).mean() <= (0 if mode == "L" else 2)
    assert join_strips(b"", [strips[0], b"no jpeg"], image.size) is None


def test_colors_as_an_adobe_marker_says(tmp_path: Path) -> None:
    """CMYK of Adobe's programs is inverted, other CMYK is not; RGB that is not luma and chroma is said to be that."""
    color = drawn(size=(320, 160), mode="RGB")
    inverted = saved(color.convert("CMYK"), "JPEG", quality=95)
    at = inverted.index(b"\xff\xee")
    plain = inverted[:at] + inverted[at + 2 + int.from_bytes(inverted[at + 2 : at + 4], "big") :]
    ((read, with_marker),) = documents(inverted, tmp_path)
    ((negative, without),) = documents(plain, tmp_path)
    assert picture_of(with_marker.data).decode == [1, 0] * 4
    assert picture_of(without.data).decode == []
    for scan, document in ((read, with_marker), (negative, without)):
        assert np.abs(gray_of(document.data, scan.gray.shape) - scan.gray).mean() < 12 or scan is negative
    rgb = saved(Image.merge("RGB", color.split()[::-1]), "JPEG", quality=95, keep_rgb=True)
    ((scan, document),) = documents(rgb, tmp_path)
    assert np.abs(gray_of(document.data, scan.gray.shape) - scan.gray).mean() < 3


def test_plain_pdf_is_said_to_be_that(tmp_path: Path) -> None:
    color = drawn(mode="RGB")
    ((_, plain),) = documents(saved(color.convert("CMYK"), "JPEG"), tmp_path)
    assert len(plain.notes) == 1 and plain.notes[0].startswith("plain PDF, not PDF/A: DeviceCMYK")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ((_, archived),) = documents(saved(color, "JPEG", icc_profile=srgb), tmp_path)
    assert archived.notes == () and picture_of(archived.data).space == "/ICCBased"
    ((_, jpx),) = documents(saved(color, "JPEG2000"), tmp_path)
    assert jpx.notes == ()


def test_turns_undo_each_other() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    undone: Callable[[int], int] = lambda turn: {6: 8, 8: 6}.get(turn, turn)  # noqa: E731
    for turn in range(1, 9):
        assert np.array_equal(upright(upright(pixels, turn), undone(turn)), pixels)
