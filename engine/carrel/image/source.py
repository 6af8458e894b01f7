"""A file in, its pages out as gray pixels; nothing is decoded that is not asked for, or larger than allowed."""

from __future__ import annotations

import io
import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.budget import Budget, OutOfMemoryLimitError, PageSize
from carrel.errors import InputError
from carrel.image.channels import separating_channel, shows_nothing
from carrel.image.files import foreign_kind, open_regular, refusal, shown
from carrel.image.frames import (
    frames,
    open_picture,
    orientation_of,
    resolution_of,
    undisturbed,
    upright_size,
)
from carrel.image.gray import decoded_bytes_per_px, gray_pixels, release, upright
from carrel.image.jpeg import END, jpeg_header
from carrel.image.pdf.opened import PdfRefusedError, close_pdf, open_pdf
from carrel.image.pdf.render import BYTES_PER_PX, pixels_of, render
from carrel.image.polarity import positive
from carrel.options import OwnText
from carrel.page import Region, Source

UNNAMED = "unnamed"
"""The file name of pages that do not come from a file."""
SHORTEST_SIDE_PX = 16
LONGEST_SIDE_PX = 32_000
"""Beyond this a page is refused: OpenCV counts pixels of a row in 16 bits."""

_NAMES = "PNG, JPEG, TIFF, WebP, JPEG 2000, BMP, GIF, PNM or PDF"
_AGAIN = "scan or save it again"
_PDF_MARK_WITHIN = 1024  # bytes that may stand before %PDF-
_MOST_MISSING = 0.02  # share of a JPEG's rows that may be cut off at its end
_COLOUR_BYTES_PER_PX = 11  # the picture, its three channels and copies of them
_UNDECODED = 128  # gray of what a JPEG lacks


@dataclass(frozen=True)
class Scan:
    """One page as it was scanned.

    Parameters
    ----------
    gray
        uint8, (h, w), C-contiguous, upright; 0 is black, writing is dark: negatives have been inverted. Pixels are as
        wide as high: a page of unequal resolution has been stretched to the finer one.
    dpi
        Resolution in dots per inch, None where the file names none that can be true.
    source
        Where it came from.
    regions
        Text that the file itself holds, of a PDF: lines in px of the scan, which does not show them.
    is_read
        Whether that is all of its text, so that the picture need not be read.
    note
        What a person should know of the file, "" for nothing.
    """

    gray: NDArray[np.uint8]
    dpi: float | None
    source: Source
    regions: tuple[Region, ...] = ()
    is_read: bool = False
    note: str = ""


def open_scans(
    source: Path | BinaryIO,
    max_megapixels: float,
    *,
    first: int = 0,
    budget: Budget | None = None,
    own_text: OwnText = "keep",
) -> Iterator[Scan]:
    """Decode the pages of a file one after the other.

    Parameters
    ----------
    source
        A path, or a stream that can be sought, read from its start:
        PNG, JPEG, TIFF (with any number of pages), WebP, JPEG 2000, BMP, GIF, PNM or PDF, told by content, not by name.
    max_megapixels
        Pages above this many million pixels are refused before they are decoded.
    first
        Pages before this one, counted from 0, are skipped undecoded.
    budget
        Pages that do not fit into it are refused before they are decoded.
    own_text
        What is done about text that a PDF's page itself holds; see `OwnText`.

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
    with _opened_source(source) as (path, stream):
        if _is_pdf(stream):
            yield from _pdf_scans(path, stream, max_px, first, budget or Budget(), own_text)
        else:
            yield from _image_scans(path, stream, max_px, first, budget or Budget())


def count_pages(source: Path | BinaryIO) -> int:
    """Number of pages that ``open_scans`` will hand out, without decoding any.

    Raises
    ------
    InputError
        The file cannot be opened or is not of a known kind.
    """
    with _opened_source(source) as (path, stream):
        if not _is_pdf(stream):
            with _refusing(path, None), _opened(path, stream) as image:
                return sum(1 for _ in frames(image))
        with _refusing(path, None):
            document = open_pdf(stream)
            pages = len(document)
            close_pdf(document)
            return pages


@contextmanager
def _opened_source(source: Path | BinaryIO) -> Generator[tuple[Path, BinaryIO]]:
    """Open a path; rewind a stream, which stays open. Yields its name as a path, too."""
    if isinstance(source, Path):
        with open_regular(source) as stream:
            yield source, stream
        return
    source.seek(0)
    name: object = getattr(source, "name", None)
    yield Path(name if isinstance(name, str) else UNNAMED), source


def largest_page(files: Iterable[Path], max_megapixels: float) -> PageSize | None:
    """Return the page of all files that takes most memory, by their headers; None where no file has a page that can be read."""
    sizes: list[PageSize] = []
    for path in files:
        with suppress(InputError), open_regular(path) as stream, _refusing(path, None):
            sizes += (_pdf_sizes if _is_pdf(stream) else _image_sizes)(path, stream, int(max_megapixels * 1e6))
    return max(sizes, key=lambda size: size.needed_bytes, default=None)


def _pdf_sizes(_path: Path, stream: BinaryIO, max_px: int) -> list[PageSize]:
    document = open_pdf(stream)
    try:
        pixels = (pixels_of(document, index, max_px) for index in range(len(document)))
        return [PageSize(count, BYTES_PER_PX) for count in pixels if count]
    finally:
        close_pdf(document)


def _image_sizes(path: Path, stream: BinaryIO, max_px: int) -> list[PageSize]:
    image = _opened(path, stream)
    sizes = [PageSize(math.prod(upright_size(image)), decoded_bytes_per_px(image)) for _ in frames(image)]
    return [size for size in sizes if size.pixels <= max_px]


def _is_pdf(stream: BinaryIO) -> bool:
    head = stream.read(_PDF_MARK_WITHIN)
    stream.seek(0)
    return b"%PDF-" in head


def _pdf_scans(
    path: Path, stream: BinaryIO, max_px: int, first: int, budget: Budget, own_text: OwnText
) -> Iterator[Scan]:
    with _refusing(path, None):
        document = open_pdf(stream)
    try:
        for index in range(first, len(document)):
            with _refusing(path, index):
                admit = partial(budget.require_page, bytes_per_px=BYTES_PER_PX, what=_page_name(path, index))
                page = render(document, index, max_px, admit, own_text)
                _require_size(path, index, page.gray.shape[1], page.gray.shape[0], max_px)
            yield Scan(positive(page.gray), page.dpi, Source(path.name, index), page.regions, page.is_read)
    finally:
        close_pdf(document)


def _image_scans(path: Path, stream: BinaryIO, max_px: int, first: int, budget: Budget) -> Iterator[Scan]:
    with _refusing(path, None):
        image = _opened(path, stream)
    pages = frames(image)
    for index in count():
        with _refusing(path, index if index else None):
            if next(pages, None) is None:
                return
            if index < first:
                continue
            width_px, height_px = upright_size(image)
            _require_size(path, index, width_px, height_px, max_px)
            budget.require_page(width_px * height_px, decoded_bytes_per_px(image), _page_name(path, index))
            dpi = max(resolution_of(image) or (0.0,)) or None  # a TIFF forgets it while it is decoded
            with undisturbed():
                if image.format == "PNG":
                    _verify(path, stream)
                gray, note = _decoded(image, stream)
                if index == 0 and shows_nothing(gray):
                    gray = _separated(image, stream, gray, budget)
                gray = _stretched(gray, width_px, height_px)
            release(image)
        yield Scan(positive(gray), dpi, Source(path.name, index), note=note)


def _separated(image: Image.Image, stream: BinaryIO, gray: NDArray[np.uint8], budget: Budget) -> NDArray[np.uint8]:
    """The channel of a picture that shows what its gray does not; that gray where there is none, or no room to look."""
    try:
        budget.require_page(gray.size, _COLOUR_BYTES_PER_PX, "its colours")
    except OutOfMemoryLimitError:
        return gray
    if image.format in ("JPEG", "MPO"):  # was decoded to gray alone
        stream.seek(0)
        image = open_picture(stream)
    orientation = orientation_of(image)
    channel = separating_channel(image, gray)
    return gray if channel is None else np.ascontiguousarray(upright(channel, orientation))


def _decoded(image: Image.Image, stream: BinaryIO) -> tuple[NDArray[np.uint8], str]:
    """The pixels of an opened image, and what is to be said of them: rows that a JPEG lacks at its end are white."""
    try:
        return gray_pixels(image), ""
    except OSError as error:
        if image.format not in ("JPEG", "MPO") or "truncated" not in str(error):
            raise
        stream.seek(0)
        data = stream.read()
        header = jpeg_header(data)
        ended = open_picture(io.BytesIO(data + END))
        gray = gray_pixels(ended)
        stored = upright(gray, _UNTURNED.get(orientation_of(ended), orientation_of(ended)))
        lacking = int((stored == _UNDECODED).all(axis=1)[::-1].argmin())
        if header is None or lacking > _MOST_MISSING * len(stored) or (header.is_progressive and not header.refined):
            raise
        stored[len(stored) - lacking :] = 255
        return gray, f"the file lacks its end, {lacking} of {len(stored):,} rows are missing; scan or copy it again"


_UNTURNED = {6: 8, 8: 6}  # orientations that undo others; the rest undo themselves


def _stretched(gray: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    if gray.shape == (height_px, width_px):
        return gray
    import cv2

    return np.asarray(cv2.resize(gray, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def _page_name(path: Path, index: int) -> str:
    return f"{shown(path)}, page {index + 1}" if index else shown(path)


def _opened(path: Path, stream: BinaryIO) -> Image.Image:
    """Read the header."""
    try:
        return open_picture(stream)
    except Image.UnidentifiedImageError as error:
        stream.seek(0)
        kind = foreign_kind(stream.read(64))
        if kind:
            raise refusal(
                path, None, f"is {kind}, which Carrel does not read", "convert it to PNG, JPEG or PDF"
            ) from error
        raise refusal(path, None, f"is not {_NAMES}, or is damaged", "scan or convert it again") from error


def _verify(path: Path, stream: BinaryIO) -> None:
    """Compare the checksums of a PNG, which Pillow does not do while it decodes."""
    at = stream.tell()
    stream.seek(0)
    _opened(path, stream).verify()
    stream.seek(at)


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


@contextmanager
def _refusing(path: Path, page_index: int | None) -> Generator[None]:
    """Turn whatever a decoder raises on a stranger's bytes into one clear line."""
    try:
        yield
    except InputError:
        raise
    except PdfRefusedError as error:
        raise refusal(path, page_index, error.what, error.remedy) from error
    except MemoryError as error:
        raise refusal(path, page_index, "does not fit into memory", "scan at a lower resolution") from error
    except Exception as error:  # decoders raise nearly anything
        cut = "truncated" in str(error) or isinstance(error, EOFError)
        raise refusal(path, page_index, "is cut short" if cut else "is damaged", _AGAIN) from error
