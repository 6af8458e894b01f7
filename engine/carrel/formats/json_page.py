"""JSON, complete: reads back to the same Page. ``carrel-page-2.schema.json`` beside this module describes it.

The keys are the field names of ``carrel.page``; points are ``[x, y]``, boxes ``[left, top, right, bottom]``. Version 1,
which had neither ids nor corrections, is read too. A key that is not known is refused: what it says would be lost.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache, reduce
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec

from carrel.errors import InputError, OutputError
from carrel.identity import with_ids
from carrel.page import Page

FORMAT = "carrel-page/2"
OLD_FORMAT = "carrel-page/1"
MAX_BYTES = 64 * 1024 * 1024


def write(page: Page) -> bytes:
    """Write ``page`` as one line of JSON in UTF-8: the same bytes for the same page.

    Raises
    ------
    OutputError
        A number is not finite.
    """
    if not all(map(math.isfinite, _floats(page))):
        raise OutputError(f"{page.source.file_name}: a page with a number that JSON cannot hold: nan or infinity")
    page = replace(page, regions=with_ids(page.regions))
    head = f'{{"format":"{FORMAT}",'.encode()
    try:
        return head + msgspec.json.encode(page)[1:] + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, in a file name that is no UTF-8: json writes it as \udcxx
        text = json.dumps(msgspec.to_builtins(page), ensure_ascii=False, separators=(",", ":"))
        return head + text.encode("utf-8", "backslashreplace")[1:] + b"\n"


def _floats(page: Page) -> Iterator[float]:
    yield page.dpi or 0.0
    yield page.uncovered_ink or 0.0
    yield page.provenance.skew_degrees
    if page.quality:
        yield from (page.quality.sharpness, page.quality.contrast, page.quality.x_height_px, page.quality.skew_degrees)
    for line in page.lines:
        yield from (line.confidence, line.writing.probability)
        yield from (alternative.confidence for alternative in line.alternatives)
        for word in line.words:
            yield word.confidence
            yield from (character.confidence for character in word.characters)


def parse(data: bytes) -> Page:
    """Read the page that ``write`` wrote; lines and regions of version 1 are given ids.

    Raises
    ------
    InputError
        More than 64 MiB, no JSON, another format or version, a key that is missing or not known, a value of the wrong
        type; the message says where, as ``$.regions[3].lines[0].id``.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"JSON of {len(data)} bytes; at most {MAX_BYTES} are read")
    version = _format_of(data)
    if version not in (FORMAT, OLD_FORMAT):
        raise InputError(f"JSON whose format is {version!r}, not {FORMAT!r} or {OLD_FORMAT!r}")
    try:
        loaded = _decode(data, _file_type())
    except msgspec.ValidationError as error:
        raise InputError(_with_path(str(error))) from error
    page = msgspec.convert(loaded, Page, from_attributes=True)
    if not all(map(math.isfinite, _floats(page))):
        raise InputError("JSON with a number that is not finite - at `$`")
    return replace(page, regions=with_ids(page.regions)) if version == OLD_FORMAT else page


class _Format(msgspec.Struct):
    format: Any = None


def _format_of(data: bytes) -> object:
    try:
        return _decode(data, _Format).format
    except msgspec.ValidationError:  # no object
        return None


def _decode(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # the only good JSON that msgspec refuses has lone surrogates
        loaded = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    return msgspec.convert(loaded, kind)


def _with_path(message: str) -> str:
    return message if " - at `" in message else f"{message} - at `$`"


@cache
def _file_type() -> type[msgspec.Struct]:
    """The struct of a whole file."""
    return _struct_of(Page, [("format", Literal["carrel-page/1", "carrel-page/2"])])


@cache
def _inner_type(kind: type) -> type[msgspec.Struct]:
    return _struct_of(kind, [])


def _struct_of(kind: type, first: list[Any]) -> type[msgspec.Struct]:
    """The fields of a dataclass as a struct that refuses others, in its fields' fields too."""
    hints = get_type_hints(kind)
    told: list[Any] = list(first)
    for field in fields(kind):
        if field.default is not MISSING:
            told.append((field.name, _strict(hints[field.name]), field.default))
        elif field.default_factory is not MISSING:
            factory = msgspec.field(default_factory=field.default_factory)
            told.append((field.name, _strict(hints[field.name]), factory))
        else:
            told.append((field.name, _strict(hints[field.name])))
    return msgspec.defstruct(kind.__name__, told, forbid_unknown_fields=True)


def _strict(hint: Any) -> Any:
    """A type with its dataclasses replaced by such structs."""
    if is_dataclass(hint):
        return _inner_type(cast(type, hint))
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        return tuple[tuple(argument if argument is ... else _strict(argument) for argument in arguments)]
    if get_origin(hint) is UnionType:
        return reduce(operator.or_, map(_strict, arguments))
    return hint
