"""The picture of a page inside the PDF: the file's own bytes where PDF can hold them, else the smallest lossless form.

JPEG (an MPO's first, a TIFF's in strips), JPEG 2000 and PNG rows are taken as they are; one bit a pixel becomes CCITT G4
or stays in PNG rows, whichever is smaller; gray and palettes stay what they are. Only what PDF/A cannot hold is changed:
transparency goes onto white, CMYK that is no JPEG and Lab become RGB.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image, ImageChops

from carrel.errors import InputError
from carrel.formats.pdf.jpeg_image import jpeg_image, tiff_jpeg
from carrel.formats.pdf.jpx_image import jpx_image
from carrel.formats.pdf.png_image import png_image
from carrel.formats.pdf.stream import image_stream, shorter
from carrel.image.frames import open_picture, orientation_of, seek_page, undisturbed, upright_size
from carrel.image.gray import gray_pixels
from carrel.page import Page

_DEEP_MODES = ("F", "I")
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
    """Add the scan of ``page``, a picture's file, as an image of ``pdf``.

    Raises
    ------
    InputError
        The scan cannot be decoded, has no such page, or one of another size.
    """
    try:
        image = open_picture(io.BytesIO(scan))
        if not seek_page(image, page.source.page_index):
            raise InputError(f"{page.source.file_name}: has no page {page.source.page_index + 1}; read it again")
        width, height = upright_size(image)
        if (width, height) != (page.width_px, page.height_px):
            raise InputError(
                f"{page.source.file_name}: the scan has {width} x {height} px, the page {page.width_px} x"
                f" {page.height_px}; read it again"
            )
        with undisturbed():
            orientation, stored = orientation_of(image), _stored(image)
            own = tiff_jpeg(pdf, image, scan) if image.format == "TIFF" else None
            if own is not None:
                return Picture(own, stored)
            return Picture(_stream(pdf, image, scan), orientation)
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly anything
        raise InputError(f"{page.source.file_name}: the scan cannot be decoded ({error}); scan it again") from error


def _stored(image: Image.Image) -> int:
    """The orientation that the file names, 1 to 8, whether or not the decoder undoes it."""
    value = getattr(image, "tag_v2", {}).get(274, 1)
    return value if value in UPRIGHT else 1


def _stream(pdf: Pdf, image: Image.Image, scan: bytes) -> pikepdf.Stream:
    own: pikepdf.Stream | None = None
    if image.format in ("JPEG", "MPO"):
        own = jpeg_image(pdf, image, scan)
    elif image.format == "JPEG2000":
        own = jpx_image(pdf, image, scan)
    elif image.format == "PNG" and not image.info.get("interlace") and not image.has_transparency_data:
        own = png_image(pdf, image, scan)
    if own is not None and image.mode != "1":
        return own
    return shorter([*([own] if own is not None else []), lossless(pdf, image)])


def lossless(pdf: Pdf, image: Image.Image) -> pikepdf.Stream:
    """Return the pixels of ``image`` in the shortest form that loses none."""
    return shorter(_recoded(pdf, image))


def _recoded(pdf: Pdf, image: Image.Image) -> list[pikepdf.Stream]:
    opaque = _simplest(_opaque(image))
    buffer = io.BytesIO()
    opaque.save(buffer, "PNG")
    same_colors = opaque.mode == image.mode or image.mode in ("RGBA", "LA", "RGBX")
    profile = image.info.get("icc_profile") if same_colors else None
    opaque.info = {"icc_profile": profile}
    rows = png_image(pdf, opaque, buffer.getvalue())
    return [rows, _fax(pdf, opaque)] if opaque.mode == "1" else [rows]


def _opaque(image: Image.Image) -> Image.Image:
    """``image`` in a mode that PNG and PDF/A share, free of its file's tags."""
    if image.mode in _DEEP_MODES:
        return Image.fromarray(gray_pixels(image))
    image.load()
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image).convert("RGB")
    if image.mode in ("1", "L", "RGB", "P", "I;16"):
        return image.copy()
    if image.mode.startswith("I;16"):  # of the other byte order
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """A picture with transparency laid on white; in gray where it is gray, with a palette where it has one."""
    if image.mode == "P":
        return _with_opaque_palette(image)
    gray = image.mode in ("L", "LA", "La")
    with_alpha = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("L" if gray else "RGB")


def _with_opaque_palette(image: Image.Image) -> Image.Image:
    colors = np.array(image.getpalette("RGBA") or [], np.float64).reshape(-1, 4)  # follows the file's transparency
    alpha = colors[:, 3:] / 255
    opaque = image.copy()
    opaque.info = {}
    opaque.putpalette(np.rint(colors[:, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8).tobytes())
    return opaque


def _simplest(image: Image.Image) -> Image.Image:
    """``image`` in gray where its colors all are."""
    if image.mode != "RGB":
        return image
    red, green, blue = (np.asarray(band) for band in image.split())
    return image.getchannel(0) if np.array_equal(red, green) and np.array_equal(red, blue) else image


def _fax(pdf: Pdf, image: Image.Image) -> pikepdf.Stream:
    """One bit a pixel as one strip of CCITT group 4."""
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression="group4", tiffinfo={278: image.height})
    data = buffer.getvalue()
    with Image.open(io.BytesIO(data)) as written:
        tags = getattr(written, "tag_v2", {})
        (offset,), (length,) = tags[273], tags[279]
        black_is_one = tags.get(262, 0) == 0
    parameters = Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=False)
    stream = image_stream(pdf, data[offset : offset + length], image, Name.CCITTFaxDecode, parameters, depth=1)
    if not black_is_one:
        stream[Name.Decode] = Array([1, 0])
    return stream
