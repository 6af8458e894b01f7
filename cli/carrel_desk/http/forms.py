"""A scan in a form (``multipart/form-data``, RFC 7578), as browsers and ``curl -F`` send it: the form has one part with a file name."""

from __future__ import annotations

import mmap
import os
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

from carrel_desk.http.problems import ProblemError

FORM_TYPE = "multipart/form-data"
MOST_PARTS = 20
MOST_HEAD_BYTES = 8 * 1024
_LONGEST_BOUNDARY = 70  # RFC 2046
_CHUNK_BYTES = 2**20


class _Found(NamedTuple):
    begin: int
    end: int
    name: str


def form_boundary(content_type: str) -> bytes | None:
    """Return what parts the parts of a form; None where the body is no form.

    Raises
    ------
    ProblemError
        400: a form without it.
    """
    head = Message()
    head["content-type"] = content_type
    if head.get_content_type() != FORM_TYPE:
        return None
    boundary = head.get_boundary() or ""
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        raise ProblemError(400, "a form without a boundary; let your HTTP library make the Content-Type")
    return boundary.encode("ascii")


def keep_file_of_form(path: Path, boundary: bytes) -> str:
    """Leave of a form's body in ``path`` only the contents of the part that is a file; returns the name that it gives the file.

    Raises
    ------
    ProblemError
        400: no form, or one without exactly one file.
    """
    if path.stat().st_size == 0:
        return ""
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
            found = _files(body, b"--" + boundary)
        if len(found) != 1:
            raise ProblemError(400, f"a form with {len(found)} files; send one file a request")
        _move_to_front(file.fileno(), found[0])
    return found[0].name


def _files(body: mmap.mmap, dashes: bytes) -> list[_Found]:
    found: list[_Found] = []
    at = 0 if body[: len(dashes)] == dashes else body.find(b"\r\n" + dashes) + 2
    for _ in range(MOST_PARTS if body[at : at + len(dashes)] == dashes else 0):
        at += len(dashes)
        if body[at : at + 2] == b"--":
            return found
        head_end = body.find(b"\r\n\r\n", at, at + MOST_HEAD_BYTES)
        part_end = body.find(b"\r\n" + dashes, at if head_end < 0 else head_end + 2)
        if head_end < 0 or part_end < 0:
            break
        if (name := _file_name(body[at + 2 : head_end + 4])) is not None:
            found.append(_Found(head_end + 4, max(part_end, head_end + 4), name))
        at = part_end + 2
    raise ProblemError(400, f"a form that is cut off or has more than {MOST_PARTS} parts; send the scan as the body")


def _file_name(head: bytes) -> str | None:
    return HeaderParser().parsestr(head.decode("utf-8", "replace")).get_filename()


def _move_to_front(descriptor: int, span: _Found) -> None:
    for at in range(span.begin, span.end, _CHUNK_BYTES):
        chunk = os.pread(descriptor, min(_CHUNK_BYTES, span.end - at), at)
        os.pwrite(descriptor, chunk, at - span.begin)
    os.ftruncate(descriptor, span.end - span.begin)
