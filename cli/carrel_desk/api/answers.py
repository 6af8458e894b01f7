"""Answers for a page's reader, the same for print and handwriting: the page, and what of it a person should look at."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from carrel.evaluate.coverage import wrong_characters
from carrel.formats import FORMATS
from carrel.formats.json_page import parse
from carrel.image.files import PICTURE_SUFFIXES
from carrel.page import Line, Page, needs_review
from carrel_desk.http.problems import ProblemError

FORMAT = "carrel-answer/1"
MEDIA_TYPES = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "alto": "application/alto+xml",
    "page": "application/page+xml",
    "hocr": "text/html; charset=utf-8",
    "tei": "application/tei+xml",
    "csv": "text/csv; charset=utf-8",
    "pdf": "application/pdf",
}
"""Of the formats that can be asked for; `zip` holds several pages of a format that takes one."""
ZIP = "application/zip"
_BY_TYPE = {kind.partition(";")[0]: name for name, kind in MEDIA_TYPES.items()} | {
    "application/xml": "alto",
    "text/xml": "alto",
}
"""Media type -> format, the one that is preferred first."""


class LineReview(msgspec.Struct):
    """One line: whether a person should look at it, how many of its characters are expected to be wrong (null where it
    was not read), and whether it was refused."""

    id: str
    needs_review: bool
    expected_errors: float | None
    refused: bool


class PageReview(msgspec.Struct):
    """The part of a page that a person should review; ``expected_errors`` counts characters of the lines that were read."""

    lines: list[LineReview]
    to_review: int
    refused: int
    expected_errors: float


class AnsweredPage(msgspec.Struct):
    """A page as its JSON file has it, `carrel-page/2`, and its review."""

    page: msgspec.Raw
    review: PageReview


class Answer(msgspec.Struct):
    """The pages of a file, in order."""

    format: str
    pages: list[AnsweredPage]


class Body(NamedTuple):
    """Contents of a response and their media type."""

    data: bytes
    media_type: str


def format_for(asked: str | None, accept: str) -> str | None:
    """Return the name of the format that a request asks for; None where there is none such.

    ``asked`` is the query's ``format``; else ``accept`` counts (RFC 9110, 12.5.1): the media type with the highest weight,
    of several the one that is named rather than meant by ``*``, of those the first.
    """
    if asked is not None:
        return asked if asked in MEDIA_TYPES else None
    ranges = {kind: (weight, -place) for place, (kind, weight) in enumerate(_ranges(accept))} or {"*/*": (1.0, 0)}
    best, found = (0.0, 0, 0), None
    for kind, name in _BY_TYPE.items():
        names = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        exactness, (weight, place) = next(((-n, ranges[k]) for n, k in enumerate(names) if k in ranges), (0, (0.0, 0)))
        if weight > 0 and (weight, exactness, place) > best:
            best, found = (weight, exactness, place), name
    return found


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media types and their weights, as they are named."""
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if kind:
            yield kind, next((_weight(value[2:]) for value in parameters if value.startswith("q=")), 1.0)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was read of a file: its pages in JSON, and ``document``, the format that was asked for where that needs the scan."""

    stored: Sequence[bytes]
    name: str
    format: str
    review_below: float
    document: bytes | None = None

    @property
    def size_bytes(self) -> int:
        """The memory that it takes."""
        return sum(map(len, self.stored)) + len(self.document or b"")

    def body(self, format_name: str) -> Body:
        """Return the pages in a format.

        Raises
        ------
        ProblemError
            406: the format needs the scan, which is not kept.
        """
        if format_name == "json":
            return answer_of(self.stored, self.review_below)
        if not FORMATS[format_name].needs_scan:
            return written(self.stored, format_name, _stem(self.name))
        if self.document is None or format_name != self.format:
            raise ProblemError(
                406, f"{format_name} shows the scan, which is not kept; send it with ?format={format_name}"
            )
        return Body(self.document, MEDIA_TYPES[format_name])


def _stem(name: str) -> str:
    """The name of a file without the suffix of a scan."""
    suffixes = (*PICTURE_SUFFIXES, ".pdf")
    return next((name[: -len(suffix)] for suffix in suffixes if name.lower().endswith(suffix)), name) or name


def review_of(page: Page, below: float) -> PageReview:
    """Return what of ``page`` a person should look at."""
    lines = [_line_review(line, below) for line in page.lines]
    return PageReview(
        lines,
        sum(line.needs_review for line in lines),
        sum(line.refused for line in lines),
        round(sum(line.expected_errors or 0.0 for line in lines), 2),
    )


def _line_review(line: Line, below: float) -> LineReview:
    refused = not line.text and line.correction is None
    expected = 0.0 if line.correction else wrong_characters(line.text, line.confidence)
    known = round(expected, 2) if math.isfinite(expected) else None
    return LineReview(line.id, needs_review(line, below), known, refused)


def answer_of(stored: Sequence[bytes], below: float) -> Body:
    """Return the answer in JSON for pages in JSON."""
    pages = [AnsweredPage(msgspec.Raw(data), review_of(parse(data), below)) for data in stored]
    return Body(msgspec.json.encode(Answer(FORMAT, pages)), MEDIA_TYPES["json"])


def written(stored: Sequence[bytes], format_name: str, name: str) -> Body:
    """Return pages in a format that needs the page alone: one as it is, several of most formats as a zip of files."""
    form = FORMATS[format_name]
    files = [form.write(parse(data)) for data in stored]
    if len(files) == 1:
        return Body(files[0], MEDIA_TYPES[format_name])
    if format_name == "text":
        return Body(b"\f".join(files), MEDIA_TYPES["text"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files, 1):
            archive.writestr(f"{name}-{number:04d}{form.suffix}", data)
    return Body(packed.getvalue(), ZIP)
