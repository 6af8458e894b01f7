"""Everything that is wrong with a value, not the first thing alone: each problem with its path, as ``$.files.x.sha256``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

T = TypeVar("T")

MAX_DEPTH = 12
"""Levels of objects and lists in a manifest; shipped ones have five."""


def problems_of(value: object, kind: Any, path: str = "$") -> list[str]:
    """Return every problem that keeps ``value`` from being a ``kind``; none where it is one.

    Structs, objects and lists are gone through entry by entry.
    """
    try:
        msgspec.convert(value, kind)
        return []
    except (msgspec.ValidationError, OverflowError) as error:
        fault = error
    plain = _without_none(kind)
    core = _unbounded(plain)
    below: list[str] = []
    if isinstance(value, dict):
        entries = cast(dict[str, object], value)
        if isinstance(core, type) and issubclass(core, msgspec.Struct):
            below = list(_of_fields(entries, core, path))
        elif get_origin(core) is dict:
            below = list(_of_entries(entries, core, path))
    elif isinstance(value, list) and get_origin(core) in (list, tuple):
        below = list(_of_items(cast(list[object], value), get_args(core), path))
    return below or [_leaf(plain, fault, path)]


def odd_values(value: object) -> Iterator[str]:
    """Yield the places of numbers that are not finite, of halves of characters, and of what is nested too deeply."""
    rest: list[tuple[object, str, int]] = [(value, "$", 0)]
    while rest:
        one, path, depth = rest.pop()
        if depth > MAX_DEPTH:
            yield f"{path}: nested more than {MAX_DEPTH} levels deep"
        elif isinstance(one, dict):
            entries = cast(dict[str, object], one)
            rest += [(inner, f"{path}.{key}", depth + 1) for key, inner in entries.items()]
            rest += [(key, f"{path}.{key}", depth + 1) for key in entries if not _is_sound(key)]
        elif isinstance(one, list):
            items = cast(list[object], one)
            rest += [(inner, f"{path}[{i}]", depth + 1) for i, inner in enumerate(items)]
        elif isinstance(one, float) and not math.isfinite(one):
            yield f"{path}: must be a finite number"
        elif isinstance(one, str) and not _is_sound(one):
            yield f"{path}: holds half of a character (a lone surrogate)"


def taken(value: object, kind: type[T], *keys: str) -> T | None:
    """Return what lies under the ``keys`` of nested objects as a ``kind``; None where it is not there or no such thing."""
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = cast(Mapping[str, object], value)[key]
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return None


def _of_fields(entries: Mapping[str, object], core: type[msgspec.Struct], path: str) -> Iterator[str]:
    for field in msgspec.structs.fields(core):
        if field.encode_name in entries:
            yield from problems_of(entries[field.encode_name], field.type, f"{path}.{field.encode_name}")
        elif field.required:
            yield f"{path}.{field.encode_name}: is missing"


def _of_entries(entries: Mapping[str, object], core: Any, path: str) -> Iterator[str]:
    key_kind, kind = get_args(core)
    for key, inner in entries.items():
        yield from (f"{problem}, as a key" for problem in problems_of(key, key_kind, f"{path}.{key}"))
        yield from problems_of(inner, kind, f"{path}.{key}")


def _of_items(items: list[object], kinds: tuple[Any, ...], path: str) -> Iterator[str]:
    each = kinds if len(kinds) > 1 and kinds[-1] is not Ellipsis else kinds[:1] * len(items)
    if len(each) == len(items):
        for number, (item, kind) in enumerate(zip(items, each, strict=True)):
            yield from problems_of(item, kind, f"{path}[{number}]")


def _leaf(kind: Any, fault: Exception, path: str) -> str:
    """One problem, in the words of the kind where it has some."""
    message, _, inner = str(fault).partition(" - at `$")
    meta = next((m for m in getattr(kind, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
    wanted = f"must be {meta.description}" if meta and meta.description else message[:1].lower() + message[1:]
    return f"{path}{inner.rstrip('`')}: {wanted}"


def _without_none(kind: Any) -> Any:
    """The kind without None, where that is allowed as well."""
    if get_origin(kind) in (Union, UnionType):
        others = [part for part in get_args(kind) if part is not NoneType]
        return others[0] if len(others) == 1 else kind
    return kind


def _unbounded(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_sound(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
