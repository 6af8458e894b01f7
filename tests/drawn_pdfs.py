"""PDFs drawn by hand, of the kinds that offices and libraries hand over, and what is to be seen of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
from numpy.typing import NDArray
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image, ImageDraw, ImageFont

DPI = 200.0
SIZE_PX = (600, 300)
SIZE_POINTS = (SIZE_PX[0] * 72 / DPI, SIZE_PX[1] * 72 / DPI)


def drawn(*lines: str, size: tuple[int, int] = SIZE_PX, mode: str = "L") -> Image.Image:
    """Lines of print on grainy paper."""
    image = Image.new("L", size, 235)
    pen = ImageDraw.Draw(image)
    for row, text in enumerate(lines or ("Harbour", "of Ostend")):
        pen.text((40, 30 + 80 * row), text, 20, ImageFont.load_default(48))
    grain = np.random.default_rng(5).normal(0, 4, (image.height, image.width))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved_pdf(pdf: Pdf, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pdf.save(buffer, deterministic_id=True, **options)
    return buffer.getvalue()


def helvetica(pdf: Pdf) -> pikepdf.Object:
    return pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    )


def add_page(
    pdf: Pdf,
    scan: Image.Image | None,
    operators: bytes = b"",
    points: tuple[float, float] = SIZE_POINTS,
    **keys: Any,
) -> pikepdf.Page:
    """A page with a JPEG from edge to edge and what ``operators`` draw on it; its font F1 is Helvetica."""
    resources = Dictionary(Font=Dictionary(F1=helvetica(pdf)))
    contents = b""
    if scan is not None:
        resources[Name.XObject] = Dictionary(Im0=picture(pdf, scan))
        contents = b"q %.3f 0 0 %.3f 0 0 cm /Im0 Do Q\n" % points
    page = Dictionary(Type=Name.Page, MediaBox=Array([0, 0, *points]), Resources=resources, **keys)
    page[Name.Contents] = pdf.make_indirect(Stream(pdf, contents + operators))
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
    return pdf.pages[-1]


def picture(pdf: Pdf, image: Image.Image) -> pikepdf.Object:
    stream = Stream(pdf, b"")
    stream.write(saved(image, "JPEG", quality=85), filter=Name.DCTDecode)
    stream[Name.Type], stream[Name.Subtype], stream[Name.BitsPerComponent] = Name.XObject, Name.Image, 8
    stream[Name.Width], stream[Name.Height] = image.size
    stream[Name.ColorSpace] = Name.DeviceGray if image.mode == "L" else Name.DeviceRGB
    return pdf.make_indirect(stream)


def words_at(x: float, y: float, text: str, size: float = 12, mode: int = 0) -> bytes:
    return b"BT %d Tr /F1 %.1f Tf %.1f %.1f Td (%s) Tj ET\n" % (mode, size, x, y, text.encode("cp1252"))


def form(pdf: Pdf, contents: bytes, width: float, height: float) -> pikepdf.Object:
    stream = Stream(pdf, contents)
    stream[Name.Type], stream[Name.Subtype] = Name.XObject, Name.Form
    stream[Name.BBox] = Array([0, 0, width, height])
    stream[Name.Resources] = Dictionary(Font=Dictionary(F1=helvetica(pdf)))
    return pdf.make_indirect(stream)


def rendered(data: bytes, page_index: int = 0, scale: int = 2) -> NDArray[np.uint8]:
    """A page as a viewer shows it, (h, w, 3): with its forms and annotations."""
    document = pypdfium2.PdfDocument(data)
    document.init_forms()
    bitmap = document[page_index].render(scale=scale)
    pixels = np.array(bitmap.to_numpy())
    bitmap.close()
    return pixels


def text_of(data: bytes, page_index: int = 0) -> str:
    """What PDFium finds on a page, in single spaces."""
    return " ".join(pypdfium2.PdfDocument(data)[page_index].get_textpage().get_text_range().split())


def letter_boxes(data: bytes, page_index: int, word: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Left, top, right, bottom of each letter of a word, px of the page drawn in ``shape``, (letters, 4)."""
    sheet = pypdfium2.PdfDocument(data)[page_index]
    letters = sheet.get_textpage()
    at = letters.get_text_range().index(word)
    return np.array([_device_box(sheet, letters.get_charbox(k), shape) for k in range(at, at + len(word))])


def _device_box(sheet: object, box: tuple[float, float, float, float], shape: tuple[int, ...]) -> list[float]:
    import ctypes

    from pypdfium2 import raw

    points: list[tuple[int, int]] = []
    for x, y in (box[:2], box[2:]):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(sheet, 0, 0, shape[1], shape[0], 0, x, y, across, down)
        points.append((across.value, down.value))
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]
