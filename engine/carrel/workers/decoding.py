"""A process that decodes strangers' files and writes PDFs of them, and reads nothing: its parent gets pixels.

``python -P -m carrel.workers.decoding DESCRIPTOR PARENT`` is started by `carrel.workers.decoder`; the descriptor is one end
of a pair of sockets. It opens no file by name, reaches no internet, and may take only so much memory.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from carrel.budget import Budget, Load, OutOfMemoryLimitError, PageSize
from carrel.errors import CarrelError, InputError
from carrel.installed import missing_package
from carrel.options import OwnText
from carrel.workers import sandbox, seccomp
from carrel.workers.channel import receive, send, send_frame
from carrel.workers.messages import MOST_PAGES, Reason

_STATUS = Path("/proc/self/status")
Px = Annotated[int, Meta(ge=1, le=1 << 20)]


class DecoderLimits(Struct, frozen=True, tag="limits"):
    """The first message: folders that may be read and written, and bytes that may be taken beside what Python takes."""

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    more_bytes: int


class CountPages(Struct, frozen=True, tag="count"):
    """The task to count a file's pages."""


class MeasurePages(Struct, frozen=True, tag="measure"):
    """The task to find, by headers alone, a file's page that takes most memory."""

    max_megapixels: float


class DecodePage(Struct, frozen=True, tag="decode"):
    """The task to decode a page (from 0) within a budget of so many bytes, or None, and what the models take of it."""

    page_index: int
    max_megapixels: float
    own_text: OwnText
    limit_bytes: int | None
    margin_share: float
    load: Load


class WriteDocument(Struct, frozen=True, tag="write"):
    """The task to write pages, as Carrel's JSON, as one document of a format on the file that they are from."""

    format: str
    pages: tuple[bytes, ...]
    own_text: OwnText
    keep_rotation: bool


class Counted(Struct, frozen=True, tag="counted", forbid_unknown_fields=True):
    """Number of pages."""

    pages: Annotated[int, Meta(ge=0, le=MOST_PAGES)]


class Measured(Struct, frozen=True, tag="measured", forbid_unknown_fields=True):
    """Pixels of a file's largest page and bytes for each, 0 where none can be read."""

    pixels: Annotated[int, Meta(ge=0, le=1 << 40)]
    bytes_per_px: Annotated[int, Meta(ge=0, le=64)]


class DecodedPage(Struct, frozen=True, tag="decoded", forbid_unknown_fields=True):
    """A page's size, and Carrel's JSON of a page that holds the text of the file itself; its gray pixels, row by row,
    follow in a frame of their own."""

    width_px: Px
    height_px: Px
    page: bytes
    is_read: bool
    note: Reason


class Written(Struct, frozen=True, tag="written", forbid_unknown_fields=True):
    """The bytes of a document, and what is to be said of it."""

    data: bytes
    notes: Annotated[tuple[Reason, ...], Meta(max_length=100)]


class NotDecoded(Struct, frozen=True, tag="refused", forbid_unknown_fields=True):
    """The reason why there is no answer, which follows the file's name in the message; ``out_of_memory``: a higher limit will do."""

    reason: Reason
    out_of_memory: bool = False


class Missing(Struct, frozen=True, tag="missing", forbid_unknown_fields=True):
    """A package that decoding needs is not there; the message names it and the command that brings it."""

    message: Reason


Request = DecoderLimits | CountPages | MeasurePages | DecodePage | WriteDocument
Answer = Counted | Measured | DecodedPage | Written | NotDecoded | Missing
_REQUESTS = msgspec.msgpack.Decoder(Request)


def serve(end: socket.socket, parent: int) -> None:
    """Answer the process at the other end until it is gone."""
    sandbox.die_with_parent(parent)
    limits = _REQUESTS.decode(receive(end)[0])
    if not isinstance(limits, DecoderLimits):
        return
    try:
        _import_decoders()
    except ImportError as error:
        send(end, Missing(missing_package(error)))
        return
    sandbox.forbid_dumps()
    taken = _private_bytes()
    sandbox.limit_resources(taken + limits.more_bytes if taken is not None else None)
    sandbox.confine_files(_readable(limits.readable), [Path(path) for path in limits.writable])
    seccomp.allow_only_reading()
    while True:
        try:
            body, descriptor = receive(end)
        except EOFError:
            return
        if descriptor is None:
            return
        try:
            answer, pixels = answer_of(_REQUESTS.decode(body), descriptor)
        finally:
            os.close(descriptor)
        send(end, answer)
        if pixels is not None:
            send_frame(end, pixels.data)


def _import_decoders() -> None:
    """Before the limits: what Python takes is not counted, and files of packages are still to be had."""
    import cv2  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import pypdfium2  # noqa: F401  # pyright: ignore[reportUnusedImport]

    from carrel.image import source  # noqa: F401  # pyright: ignore[reportUnusedImport]


def _private_bytes() -> int | None:
    """Private memory of this process that can be written to, as RLIMIT_DATA counts it; None where the system does not tell."""
    if not _STATUS.exists():
        return None
    lines = _STATUS.read_text("ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), 0)


def _readable(folders: Sequence[str]) -> list[Path]:
    return [Path(path) for path in (*folders, *sys.path, sys.prefix, sys.base_prefix, *_SYSTEM_FOLDERS) if path]


_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/etc/ld.so.cache", "/etc/localtime")


def answer_of(request: Request, descriptor: int) -> tuple[Answer, NDArray[np.uint8] | None]:
    """Return the answer to a task about an open file, and the pixels that follow."""
    from carrel.image.source import count_pages

    path = Path(f"/proc/self/fd/{descriptor}")
    try:
        match request:
            case DecodePage():
                return _decoded(path, request)
            case WriteDocument():
                answer = _written(descriptor, request)
            case MeasurePages():
                answer = _measured(path, request)
            case _:
                answer = Counted(count_pages(path))
    except CarrelError as error:
        return NotDecoded(str(error).removeprefix(str(path)), isinstance(error, OutOfMemoryLimitError)), None
    except (ImportError, MemoryError) as error:
        if isinstance(error, ImportError):
            return Missing(missing_package(error)), None
        return NotDecoded(": does not fit into memory; scan at a lower resolution"), None
    return answer, None


def _measured(path: Path, request: MeasurePages) -> Measured:
    from carrel.image.source import largest_page

    largest = largest_page([path], request.max_megapixels) or PageSize(0, 0)
    return Measured(largest.pixels, largest.bytes_per_px)


def _decoded(path: Path, request: DecodePage) -> tuple[DecodedPage, NDArray[np.uint8]]:
    from carrel.formats import FORMATS
    from carrel.image.source import open_scans
    from carrel.page import Page

    budget = Budget(request.limit_bytes, request.margin_share, loads=[request.load])
    scans = open_scans(path, request.max_megapixels, first=request.page_index, budget=budget, own_text=request.own_text)
    for scan in scans:
        height_px, width_px = scan.gray.shape
        page = Page(width_px, height_px, scan.dpi, scan.regions, scan.source)
        return DecodedPage(width_px, height_px, FORMATS["json"].write(page), scan.is_read, scan.note), scan.gray
    raise InputError(f"{path}: the page is not in the file; scan it again")


def _written(descriptor: int, request: WriteDocument) -> Written:
    from carrel.formats import FORMATS, read_page
    from carrel.options import ReadOptions

    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        scan = file.read()
    pages = [(read_page(page), scan) for page in request.pages]
    options = ReadOptions(own_text=request.own_text, keep_rotation=request.keep_rotation)
    document = FORMATS[request.format].write_document(pages, options)
    return Written(document.data, document.notes)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
