"""The scan inside the PDF, pixel for pixel: JPEG streams as they are, black and white as CCITT G4, the rest as Flate.

Of a page that was read from a PDF, its own JPEG is taken where that is all it shows, else a rendering.

Only what PDF/A cannot hold is changed: transparency goes onto white, CMYK and Lab become RGB.
"""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import ExifTags, Image

from carrel.errors import InputError
from carrel.formats.pdf.source import is_pdf, page_picture
from carrel.page import Page

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000")
_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_REDUCED = 1  # bit of TIFF's NewSubfileType: a thumbnail of another page
_PROFILE_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
#: EXIF orientation -> matrix that lays the stored picture upright on the unit square
UPRIGHT: dict[int, tuple[int, int, int, int, int, int]] = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}


class Picture(NamedTuple):
    """The image object and its EXIF orientation, 1 to 8."""

    stream: pikepdf.Stream
    orientation: int


def add_picture(pdf: Pdf, page: Page, scan: bytes) -> Picture:
    """The scan of ``page`` as an image of ``pdf``.

    Raises
    ------
    InputError
        The scan cannot be decoded, or has another size than the page.
    """
    try:
        from_pdf = is_pdf(scan)
        scan = page_picture(scan, page) if from_pdf else scan
        image = Image.open(io.BytesIO(scan), formats=_FORMATS)
        _seek(image, page.source.page_index)
        orientation = 1 if from_pdf else _orientation(image)  # PDF readers pass over EXIF
        width, height = image.size if orientation <= 4 else (image.height, image.width)
        if (width, height) != (page.width_px, page.height_px):
            raise InputError(f"the scan has {width} x {height} px, the page {page.width_px} x {page.height_px}")
        return Picture(_stream(pdf, image, scan), orientation)
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly anything
        raise InputError(f"the scan cannot be decoded: {error}") from error


def _seek(image: Image.Image, page_index: int) -> None:
    """Go to a TIFF's page, past thumbnails."""
    frame, pages = 0, 0
    while image.format == "TIFF":
        image.seek(frame)
        if not getattr(image, "tag_v2", {}).get(254, 0) & _REDUCED:
            if pages == page_index:
                return
            pages += 1
        frame += 1


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in UPRIGHT else 1


def _stream(pdf: Pdf, image: Image.Image, scan: bytes) -> pikepdf.Stream:
    profile = image.info.get("icc_profile")
    if image.format == "JPEG" and image.mode in ("L", "RGB"):
        return _object(pdf, scan, image, Name.DCTDecode, None, 8, profile)
    if image.mode == "1":
        return _fax(pdf, image)
    if image.format == "PNG" and not image.info.get("interlace") and not image.has_transparency_data:
        return _png(pdf, scan, image, profile)
    opaque = _opaque(image)
    buffer = io.BytesIO()
    opaque.save(buffer, "PNG")
    same_colours = opaque.mode == image.mode or image.mode in ("RGBA", "LA", "RGBX")
    return _png(pdf, buffer.getvalue(), opaque, profile if same_colours else None)


def _opaque(image: Image.Image) -> Image.Image:
    """``image`` in a mode that PNG and PDF/A share."""
    image.load()
    if image.has_transparency_data:
        gray = image.mode in ("L", "LA")
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("L" if gray else "RGB")
    if image.mode in ("L", "RGB", "P", "I;16"):
        return image
    return image.convert("I;16" if image.mode.startswith("I") else "RGB")


def _fax(pdf: Pdf, image: Image.Image) -> pikepdf.Stream:
    """Black and white as one strip of CCITT group 4."""
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression="group4", tiffinfo={278: image.height})
    data = buffer.getvalue()
    with Image.open(io.BytesIO(data)) as written:
        tags = getattr(written, "tag_v2", {})
        (offset,), (length,) = tags[273], tags[279]
        black_is_one = tags.get(262, 0) == 0
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=False)
    stream = _object(pdf, data[offset : offset + length], image, Name.CCITTFaxDecode, parameters, 1, None)
    if not black_is_one:
        stream[Name.Decode] = Array([1, 0])
    return stream


def _png(pdf: Pdf, data: bytes, image: Image.Image, profile: bytes | None) -> pikepdf.Stream:
    """A PNG's own compressed rows, which PDF's Flate filter reads as they are."""
    chunks = _png_chunks(data)
    _, _, depth, colour_type = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    colours = 3 if colour_type == 2 else 1
    parameters = Dictionary(Predictor=15, Colors=colours, BitsPerComponent=depth, Columns=image.width)
    stream = _object(pdf, chunks[b"IDAT"], image, Name.FlateDecode, parameters, depth, profile)
    if colour_type == 3:
        palette = chunks[b"PLTE"]
        stream[Name.ColorSpace] = Array([Name.Indexed, Name.DeviceRGB, len(palette) // 3 - 1, pikepdf.String(palette)])
    return stream


def _png_chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunk contents by kind; several of one kind joined."""
    chunks: dict[bytes, bytearray] = {}
    position = len(_PNG_MARK)
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        chunks.setdefault(kind, bytearray()).extend(data[position + 8 : position + 8 + length])
        position += length + 12
    return {kind: bytes(content) for kind, content in chunks.items()}


def _object(
    pdf: Pdf,
    data: bytes,
    image: Image.Image,
    filter_name: Name,
    parameters: Dictionary | None,
    depth: int,
    profile: bytes | None,
) -> pikepdf.Stream:
    """An image object of the stored size; gray or RGB, in the scan's own colour space where it names one."""
    stream = pikepdf.Stream(pdf, b"")
    if parameters is None:
        stream.write(data, filter=filter_name)
    else:
        stream.write(data, filter=filter_name, decode_parms=parameters)
    stream[Name.Type], stream[Name.Subtype] = Name.XObject, Name.Image
    stream[Name.Width], stream[Name.Height] = image.width, image.height
    stream[Name.BitsPerComponent] = depth
    colours = 3 if image.mode == "RGB" else 1
    stream[Name.ColorSpace] = Name.DeviceRGB if colours == 3 else Name.DeviceGray
    if profile and image.mode in ("L", "RGB") and _is_usable(profile, colours):
        embedded = pikepdf.Stream(pdf, profile)
        embedded[Name.N] = colours
        stream[Name.ColorSpace] = Array([Name.ICCBased, pdf.make_indirect(embedded)])
    return stream


def _is_usable(profile: bytes, colours: int) -> bool:
    """Whether PDF/A-2 accepts the profile for so many colours."""
    if len(profile) < 128 or profile[36:40] != b"acsp" or profile[8] not in (2, 4):
        return False
    space = {1: b"GRAY", 3: b"RGB "}[colours]
    return profile[12:16] in _PROFILE_CLASSES and profile[16:20] == space
