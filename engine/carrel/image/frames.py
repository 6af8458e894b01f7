"""Pictures in a file, opened by the one decoder that reading and writing share: kinds, pages, orientation, resolution."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from PIL import ExifTags, Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000", "BMP", "GIF", "PPM")
"""Kinds of pictures by Pillow's names; an MPO is opened as the JPEG that it begins with."""

LONGEST_PAGE_INCH = 34.0
_LOWEST_DPI, _HIGHEST_DPI = 50.0, 2400.0
_SQUARE = 1.1  # sides of a pixel that differ by less are equal
_MOST_STRETCH = 4.0  # a fax of 204 x 49 dpi
_FILLERS_DPI = (72, 96)  # what cameras and drawing programs write where they know nothing
_NO_PAGE = 1 | 4  # bits of TIFF's NewSubfileType: a thumbnail of, or a mask for, another page
_NEW_SUBFILE_TYPE = 254
_SAMPLE_FORMAT = 339
_PNG_MARK = b"\x89PNG\r\n\x1a\n"

_inside_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


def open_picture(stream: BinaryIO) -> Image.Image:
    """Read the header of a picture.

    Raises
    ------
    PIL.UnidentifiedImageError
        It is of no known kind, or damaged.
    """
    with undisturbed():
        return _open_png(stream) or _open_any(stream)


def _open_png(stream: BinaryIO) -> Image.Image | None:
    """Open a PNG by its own decoder: all of Pillow's take as long to load as a line takes to be read.

    None is returned where it is none, or damaged.
    """
    stream.seek(0)
    is_png = stream.read(len(_PNG_MARK)) == _PNG_MARK
    stream.seek(0)
    if not is_png:
        return None
    from PIL import PngImagePlugin

    try:
        return PngImagePlugin.PngImageFile(stream, "")
    except (SyntaxError, IndexError, TypeError, struct.error):  # what Image.open takes for damage
        return None


def _open_any(stream: BinaryIO) -> Image.Image:
    from PIL import TiffImagePlugin

    # unsigned 32-bit gray of the other byte order, which Pillow's table leaves out
    TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 1, (1,), 1, (32,), ()), ("I", "I;32BS"))
    stream.seek(0)
    return Image.open(stream, formats=FORMATS)


def frames(image: Image.Image) -> Iterator[int]:
    """Go from page to page of a TIFF, past thumbnails and masks; other files have one page."""
    if image.format != "TIFF":
        yield 0
        return
    frame = 0
    while True:
        if not _tag(image, _NEW_SUBFILE_TYPE) & _NO_PAGE:
            yield frame
        frame += 1
        try:
            with undisturbed():
                image.seek(frame)
        except EOFError:
            return


def seek_page(image: Image.Image, page_index: int) -> bool:
    """Go to a page of the file, counted from 0 as `frames` does; False where there is none."""
    return any(index == page_index for index, _ in enumerate(frames(image)))


def _tag(image: Image.Image, number: int) -> int:
    value = getattr(image, "tag_v2", {}).get(number, 0)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else 0


def is_unsigned(image: Image.Image) -> bool:
    """Tell whether deep pixels of a TIFF are unsigned, which Pillow's mode ``I`` does not tell."""
    return image.format == "TIFF" and _tag(image, _SAMPLE_FORMAT) in (0, 1)


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, that is still to be undone. Pillow turns a TIFF while it decodes; damaged metadata
    counts as upright."""
    if image.format == "TIFF":
        return 1
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def resolution_of(image: Image.Image) -> tuple[float, float] | None:
    """Return dots per inch across and down the upright page, where the file's can be true; equal where they nearly are.

    They can be if they are no camera's filler and the page is not larger than A1.
    """
    try:
        across, down = (float(side) for side in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sides = sorted((across, down))
    if round(across) in _FILLERS_DPI or not _LOWEST_DPI <= sides[0] <= sides[1] <= _HIGHEST_DPI:
        return None
    if sides[1] > _MOST_STRETCH * sides[0] or max(image.size) / sides[1] > LONGEST_PAGE_INCH:
        return None
    if sides[1] <= _SQUARE * sides[0]:
        return across, across
    stored_turned = image.format == "TIFF" and _tag(image, ExifTags.Base.Orientation) >= 5
    return (down, across) if stored_turned or orientation_of(image) >= 5 else (across, down)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height in px of the page as it is read: upright, with pixels as wide as high."""
    width, height = image.size if orientation_of(image) <= 4 else (image.height, image.width)
    across, down = resolution_of(image) or (1.0, 1.0)
    finest = max(across, down)
    return round(width * finest / across), round(height * finest / down)


@contextmanager
def undisturbed() -> Generator[None]:
    """Disable Pillow's warnings about metadata, and lift its own fixed number of pixels: the caller's is checked before
    anything is decoded. Both are global, so the first thread in sets them and the last one out restores them."""
    global _inside, _restore  # noqa: PLW0603
    with _inside_lock:
        if not _inside:
            _restore = _lift()
        _inside += 1
    try:
        yield
    finally:
        with _inside_lock:
            _inside -= 1
            if not _inside:
                _restore.close()


def _lift() -> ExitStack:
    stack = ExitStack()
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"PIL\.")
    stack.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = None
    return stack
