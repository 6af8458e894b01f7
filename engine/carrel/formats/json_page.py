"""JSON, complete: reads back to the same Page. ``carrel-page-1.schema.json`` beside this module describes it.

The keys are the field names of ``carrel.page``; points are ``[x, y]``, boxes ``[left, top, right, bottom]``. Version 1
may gain keys that have a default; a change that old readers would misread gets a new number.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from carrel.errors import InputError, OutputError
from carrel.page import Page

FORMAT = "carrel-page/1"
MAX_BYTES = 64 * 1024 * 1024


def write(page: Page) -> bytes:
    """``page`` as one line of JSON in UTF-8: the same bytes for the same page."""
    try:
        text = json.dumps({"format": FORMAT} | asdict(page), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise OutputError(f"{page.source.file_name}: a page with a number that JSON cannot hold: {error}") from error
    return text.encode("utf-8", "backslashreplace") + b"\n"  # lone surrogates become \udcxx, as JSON writes them


def parse(data: bytes) -> Page:
    """The page that ``write`` wrote.

    Raises
    ------
    InputError
        More than 64 MiB, no JSON, another format or version, a missing key, a value of the wrong type.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"JSON of {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    version = cast(dict[str, Any], loaded).get("format") if isinstance(loaded, dict) else None
    if version != FORMAT:
        raise InputError(f"JSON whose format is {version!r}, not {FORMAT!r}")
    return cast(Page, _decode(Page, loaded, "page"))


def _decode(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind`` says, which is a dataclass, NamedTuple, tuple, Literal, union with None, or plain type."""
    if is_dataclass(kind):
        return _decode_object(cast(type, kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _decode(next(a for a in arguments if a is not NoneType), value, where)
    if origin is Literal:
        return value if value in arguments else _fail(where, " or ".join(map(str, arguments)))
    if origin is tuple or (isinstance(kind, type) and issubclass(kind, tuple)):
        return _decode_tuple(kind, arguments, value, where)
    return _decode_plain(kind, value, where)


def _decode_object(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        return _fail(where, "an object")
    keys, hints = cast(dict[str, Any], value), get_type_hints(kind)
    known: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in keys:
            known[field.name] = _decode(hints[field.name], keys[field.name], f"{where}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            _fail(f"{where}.{field.name}", "a value")
    return kind(**known)


def _decode_tuple(kind: Any, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        return _fail(where, "a list")
    items = cast(list[Any], value)
    if arguments[1:] == (...,):
        return tuple(_decode(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(items))
    if not arguments:  # a NamedTuple
        arguments = tuple(get_type_hints(kind).values())
    if len(items) != len(arguments):
        return _fail(where, f"{len(arguments)} values")
    decoded = [_decode(argument, item, where) for argument, item in zip(arguments, items, strict=True)]
    return tuple(decoded) if get_origin(kind) is tuple else kind(*decoded)


def _decode_plain(kind: Any, value: Any, where: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool):
        return _fail(where, {str: "text", int: "a whole number", float: "a number"}.get(kind, str(kind)))
    return value


def _fail(where: str, expected: str) -> Any:
    raise InputError(f"{where}: expected {expected}")
