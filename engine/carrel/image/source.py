"""A file in, its pages out as gray pixels; nothing is decoded that is not asked for, or larger than allowed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.budget import Budget, PageSize
from carrel.errors import InputError
from carrel.image import pdf
from carrel.image.files import open_regular, refusal, shown
from carrel.image.gray import decoded_bytes_per_px, gray_pixels, release
from carrel.image.polarity import positive
from carrel.page import Source

SHORTEST_SIDE_PX = 16
LONGEST_SIDE_PX = 32_000
"""Beyond this a page is refused: OpenCV counts pixels of a row in 16 bits."""

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000")
_NAMES = "PNG, JPEG, TIFF, WebP, JPEG 2000 or PDF"
_AGAIN = "scan or save it again"
_PDF_MARK_WITHIN = 1024  # bytes that may stand before %PDF-
_LONGEST_PAGE_INCH = 34.0
_REDUCED = 1  # bit of TIFF's NewSubfileType: a thumbnail of another page
_inside_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


@dataclass(frozen=True)
class Scan:
    """One page as it was scanned.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous, upright; 0 is black, writing is dark: negatives have been inverted.
    dpi
        Resolution in dots per inch, None where the file names none that can be true.
    source
        Where it came from.
    """

    gray: NDArray[np.uint8]
    dpi: float | None
    source: Source


def open_scans(path: Path, max_megapixels: float, *, first: int = 0, budget: Budget | None = None) -> Iterator[Scan]:
    """Decode the pages of a file one after the other.

    Parameters
    ----------
    path
        PNG, JPEG, TIFF (with any number of pages), WebP, JPEG 2000 or PDF, told by content, not by name.
    max_megapixels
        Pages above this many million pixels are refused before they are decoded.
    first
        Pages before this one, counted from 0, are passed over undecoded.
    budget
        Pages that do not fit into it are refused before they are decoded.

    Yields
    ------
    Scan
        In the order of the file.

    Raises
    ------
    InputError
        At the first page that cannot be read; pages before it have been handed out.
    """
    max_px = int(max_megapixels * 1e6)
    with open_regular(path) as stream:
        pages = _pdf_scans if _is_pdf(stream) else _image_scans
        yield from pages(path, stream, max_px, first, budget or Budget())


def count_pages(path: Path) -> int:
    """Number of pages that ``open_scans`` will hand out, without decoding any.

    Raises
    ------
    InputError
        The file cannot be opened or is not of a known kind.
    """
    with open_regular(path) as stream:
        if not _is_pdf(stream):
            with _refusing(path, None), _opened(path, stream) as image:
                return sum(1 for _ in _frames(image))
        with _refusing(path, None):
            document = pdf.open_pdf(stream)
            with pdf.PDFIUM_LOCK:
                pages = len(document)
                document.close()
            return pages


def largest_page(files: Iterable[Path], max_megapixels: float) -> PageSize | None:
    """The page of all files that takes most memory, by their headers; None where no file has a page that can be read."""
    sizes: list[PageSize] = []
    for path in files:
        with suppress(InputError), open_regular(path) as stream, _refusing(path, None):
            sizes += (_pdf_sizes if _is_pdf(stream) else _image_sizes)(path, stream, int(max_megapixels * 1e6))
    return max(sizes, key=lambda size: size.needed_bytes, default=None)


def _pdf_sizes(_path: Path, stream: BinaryIO, max_px: int) -> list[PageSize]:
    document = pdf.open_pdf(stream)
    try:
        pixels = (pdf.pixels_of(document, index, max_px) for index in range(len(document)))
        return [PageSize(count, pdf.BYTES_PER_PX) for count in pixels if count]
    finally:
        with pdf.PDFIUM_LOCK:
            document.close()


def _image_sizes(path: Path, stream: BinaryIO, max_px: int) -> list[PageSize]:
    image = _opened(path, stream)
    sizes = [PageSize(image.width * image.height, decoded_bytes_per_px(image)) for _ in _frames(image)]
    return [size for size in sizes if size.pixels <= max_px]


def _is_pdf(stream: BinaryIO) -> bool:
    head = stream.read(_PDF_MARK_WITHIN)
    stream.seek(0)
    return b"%PDF-" in head


def _pdf_scans(path: Path, stream: BinaryIO, max_px: int, first: int, budget: Budget) -> Iterator[Scan]:
    with _refusing(path, None):
        document = pdf.open_pdf(stream)
    try:
        for index in range(first, len(document)):
            with _refusing(path, index):
                admit = partial(budget.require_page, bytes_per_px=pdf.BYTES_PER_PX, what=_page_name(path, index))
                gray, dpi = pdf.render(document, index, max_px, admit)
                _require_size(path, index, gray.shape[1], gray.shape[0], max_px)
            yield Scan(positive(gray), dpi, Source(path.name, index))
    finally:
        with pdf.PDFIUM_LOCK:
            document.close()


def _image_scans(path: Path, stream: BinaryIO, max_px: int, first: int, budget: Budget) -> Iterator[Scan]:
    with _refusing(path, None):
        image = _opened(path, stream)
    frames = _frames(image)
    for index in count():
        with _refusing(path, index if index else None):
            if next(frames, None) is None:
                return
            if index < first:
                continue
            _require_size(path, index, image.width, image.height, max_px)
            budget.require_page(image.width * image.height, decoded_bytes_per_px(image), _page_name(path, index))
            with _undisturbed():
                if image.format == "PNG":
                    _verify(path, stream)
                gray = gray_pixels(image)
            release(image)
        yield Scan(positive(gray), _dpi(image), Source(path.name, index))


def _page_name(path: Path, index: int) -> str:
    return f"{shown(path)}, page {index + 1}" if index else shown(path)


def _opened(path: Path, stream: BinaryIO) -> Image.Image:
    """Read the header."""
    try:
        with _undisturbed():
            return Image.open(stream, formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        raise refusal(path, None, f"is not {_NAMES}, or is damaged", "scan or convert it again") from error


def _verify(path: Path, stream: BinaryIO) -> None:
    """Compare the checksums of a PNG, which Pillow does not do while it decodes."""
    at = stream.tell()
    stream.seek(0)
    _opened(path, stream).verify()
    stream.seek(at)


def _frames(image: Image.Image) -> Iterator[int]:
    """Seek from page to page of a TIFF, past thumbnails; other files have one page."""
    if image.format != "TIFF":
        yield 0
        return
    frame = 0
    while True:
        tags = getattr(image, "tag_v2", {})
        if not tags.get(254, 0) & _REDUCED:
            yield frame
        frame += 1
        try:
            with _undisturbed():
                image.seek(frame)
        except EOFError:
            return


def _require_size(path: Path, index: int, width_px: int, height_px: int, max_px: int) -> None:
    size = f"{width_px:,} x {height_px:,} px"
    page = index if index else None
    if width_px * height_px > max_px:
        limit = f"{size} is above the limit of {max_px / 1e6:,.0f} megapixels"
        raise refusal(path, page, limit, "raise the limit or scan at a lower resolution")
    if max(width_px, height_px) > LONGEST_SIDE_PX:
        raise refusal(path, page, f"{size} is longer than {LONGEST_SIDE_PX:,} px", "cut it into pages")
    if min(width_px, height_px) < SHORTEST_SIDE_PX:
        raise refusal(path, page, f"{size} holds no line of text", "scan at 300 dpi")


def _dpi(image: Image.Image) -> float | None:
    """The file's resolution where it can be true: the same both ways, no camera's filler, a page within A1."""
    try:
        across, down = (float(side) for side in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    filler = round(across) in (72, 96)
    if filler or not 50 <= across <= 2400 or not 0.9 <= down / across <= 1.1:
        return None
    return across if max(image.size) / across <= _LONGEST_PAGE_INCH else None


@contextmanager
def _undisturbed() -> Generator[None]:
    """Without Pillow's warnings about metadata, and without its own fixed number of pixels: the caller's is checked
    before anything is decoded. Both are global, so the first thread in sets them and the last one out restores them."""
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


@contextmanager
def _refusing(path: Path, page_index: int | None) -> Generator[None]:
    """Turn whatever a decoder raises on a stranger's bytes into one clear line."""
    try:
        yield
    except InputError:
        raise
    except pdf.PdfRefusedError as error:
        raise refusal(path, page_index, error.what, error.remedy) from error
    except MemoryError as error:
        raise refusal(path, page_index, "does not fit into memory", "scan at a lower resolution") from error
    except ValueError as error:
        what = "floating-point pixels" if "floating-point" in str(error) else "is damaged"
        remedy = "save it with 8 or 16 bits" if "floating-point" in str(error) else _AGAIN
        raise refusal(path, page_index, what, remedy) from error
    except Exception as error:  # decoders raise nearly anything
        cut = "truncated" in str(error) or isinstance(error, EOFError)
        raise refusal(path, page_index, "is cut short" if cut else "is damaged", _AGAIN) from error
