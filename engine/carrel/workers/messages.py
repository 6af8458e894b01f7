"""Messages between a pool and its workers: typed, bounded structs, never pickles.

A worker decodes strangers' files; what it says is data, so that a worker that was taken over cannot take over its parent:
every number has a range, every text and list a length, and nothing nests deeper than the types do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.workers.files import SeenFile

READ_PAGES = "carrel.workers.pages:open_pages"
MOST_PAGES = 1_000_000
MOST_FORMATS = 16
SHOWN_CHARACTERS = 500

Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Reason = Annotated[str, Meta(max_length=10_000)]
FormatName = Annotated[str, Meta(max_length=32)]


class Work(Struct, frozen=True):
    """The common part of all tasks of a pool.

    Parameters
    ----------
    options
        How pages are read.
    review_below
        Lines read with less confidence than this are marked in pictures.
    most_pages, most_bytes
        Files above these are refused.
    entry
        ``module:function`` that workers call with the work for a `carrel.workers.worker.PageFunction`.
    """

    options: ReadOptions = ReadOptions()
    review_below: float = REVIEW_BELOW
    most_pages: int = 5000
    most_bytes: int = 2 * 2**30
    entry: str = READ_PAGES


class OpenFile(Struct, frozen=True, tag="open"):
    """The task to count a file's pages and compute its digest; ``id`` is the caller's own and means nothing here."""

    id: str
    file: SeenFile


class ReadPage(Struct, frozen=True, tag="read"):
    """The task to read one page (from 0) and write it out in ``formats``, as named in `carrel.formats`.

    ``options`` are those of the pool's work where they are None; others cost the worker a new start of its models.
    ``earlier`` is the JSON of the page where it was read before: ids and corrections of its lines are carried over.
    ``file_name`` is what results call the file, by default its own name.
    """

    id: str
    file: SeenFile
    page_index: int
    formats: tuple[str, ...]
    options: ReadOptions | None = None
    earlier: bytes | None = None
    file_name: str = ""


class WritePage(Struct, frozen=True, tag="write"):
    """The task to write a page out that was read before; ``stored`` is its JSON. The file need not be there any more where
    no format needs the scan."""

    id: str
    file: SeenFile
    page_index: int
    stored: bytes
    formats: tuple[str, ...]


Task = OpenFile | ReadPage | WritePage


class Begin(Struct, frozen=True, tag="begin"):
    """The first message to a worker; the pool's tasks follow, each with the open file's descriptor."""

    work: Work
    memory_bytes: int | None
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]


class Ready(Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """A worker has loaded its models, named by content, and says how it is confined."""

    identity: Annotated[str, Meta(max_length=10_000)]
    sockets_refused: bool
    landlock: Annotated[int, Meta(ge=0, le=1000)]
    calls_refused: bool = False


class Fatal(Struct, frozen=True, tag="fatal", forbid_unknown_fields=True):
    """No worker can work: a model is missing. ``error`` is the name of a class in `carrel.errors`."""

    error: Annotated[str, Meta(max_length=100)]
    message: Reason


class Began(Struct, frozen=True, tag="began", forbid_unknown_fields=True):
    """A worker has a task at hand: from now on its death is held against the page."""


class Decoded(Struct, frozen=True, tag="decoded", forbid_unknown_fields=True):
    """The end of what a stranger's bytes can draw out; the time for reading starts."""


class Opened(Struct, frozen=True, tag="opened", forbid_unknown_fields=True):
    """A file's digest and number of pages."""

    sha256: Digest
    pages: Annotated[int, Meta(ge=1, le=MOST_PAGES)]


class PageRead(Struct, frozen=True, tag="page", forbid_unknown_fields=True):
    """A page's results: contents by format, how many lines were found and not read, and 1 where it is to be reviewed.

    ``lost`` counts lines that a person had corrected and that are not there any more; such a page has no results.
    """

    files: Annotated[dict[FormatName, bytes], Meta(max_length=MOST_FORMATS)]
    lines: Count
    unread: Count
    review: Count
    lost: Count = 0


class WrittenOut(Struct, frozen=True, tag="written", forbid_unknown_fields=True):
    """A stored page in the formats that were asked for."""

    files: Annotated[dict[FormatName, bytes], Meta(max_length=MOST_FORMATS)]


class Refused(Struct, frozen=True, tag="refused", forbid_unknown_fields=True):
    """The file or page is at fault, for good; ``sha256`` where the file could be read at all.

    ``lacks_memory``: the page does not fit into the limit, and the reason names one that will do.
    """

    reason: Reason
    sha256: Digest | None = None
    lacks_memory: bool = False


class Failed(Struct, frozen=True, tag="failed", forbid_unknown_fields=True):
    """A defect, a lack of memory, or the worker's death: once more may help. ``ends``: the worker ends by itself."""

    reason: Reason
    ends: bool = False


class Gone(Struct, frozen=True, tag="gone"):
    """The file is not there any more, or is not what it was when it was seen."""


Outcome = Opened | PageRead | WrittenOut | Refused | Failed | Gone
FromWorker = Ready | Fatal | Began | Decoded | Opened | PageRead | WrittenOut | Refused | Failed
ToWorker = Begin | OpenFile | ReadPage | WritePage

_Message = TypeVar("_Message")


class MessageError(Exception):
    """A message that is none, or holds more than a message may."""


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return os.fsencode(value)  # names of files may be no Unicode
    raise NotImplementedError


def _rich(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, bytes):
        return Path(os.fsdecode(value))
    raise NotImplementedError


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_FROM_WORKER = msgspec.msgpack.Decoder(FromWorker)
_TO_WORKER = msgspec.msgpack.Decoder(ToWorker, dec_hook=_rich)


def encode(message: Struct) -> bytes:
    """Return a message as bytes."""
    return _ENCODER.encode(message)


def decode_from_worker(body: bytes | bytearray | memoryview) -> FromWorker:
    """Return what a worker said.

    Raises
    ------
    MessageError
        It is none of its messages, or out of bounds.
    """
    return _decoded(_FROM_WORKER, body)


def decode_to_worker(body: bytes) -> ToWorker:
    """Return what a pool said.

    Raises
    ------
    MessageError
        It is none of its messages.
    """
    return _decoded(_TO_WORKER, body)


def _decoded(decoder: msgspec.msgpack.Decoder[_Message], body: bytes | bytearray | memoryview) -> _Message:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageError(str(error)) from error


def shown_text(text: str) -> str:
    """Return a worker's text as one line that is safe on a terminal: control characters and marks become ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN_CHARACTERS])
