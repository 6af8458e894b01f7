"""The choices of a collection: ``carrel.toml`` in a folder of scans, or in one above it.

It names the handwriting model, one for second opinions, words, languages, and how pages are prepared; what a caller asks for goes before it. Paths
are relative to the file. A file of another user than this one or root does not count: whoever may write to a folder above
decides nothing for others.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Collection as Names
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.errors import InputError
from carrel.options import ReadOptions
from carrel.output import write_file
from carrel.system import user_id

COLLECTION_FILE = "carrel.toml"
KEYS = (
    "model",
    "words",
    "languages",
    "writing",
    "language_model",
    "flatten",
    "deskew",
    "binarize",
    "second",
    "second_below",
)
_PATHS = ("model", "second", "words")
_KINDS = {
    "languages": "a text or a list of texts",
    "second_below": "a number from 0 to 1",
    "flatten": "true or false",
    "deskew": "true or false",
}
_MOST_BYTES = 64 * 1024


def find_collection(folder: Path) -> Path | None:
    """Return the ``carrel.toml`` of a folder, or of the nearest one above it; None where there is none of one's own."""
    for place in (folder.resolve(), *folder.resolve().parents):
        file = place / COLLECTION_FILE
        try:
            status = file.stat()
        except OSError:
            continue
        if file.is_file() and status.st_uid in (0, user_id()):
            return file
    return None


def read_collection(file: Path) -> dict[str, Any]:
    """Read the choices of a collection, by the names of `carrel.ReadOptions`.

    Raises
    ------
    InputError
        It is no TOML, or says something that is not known, or of another kind; the message names the key.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"{file}: larger than {_MOST_BYTES} bytes; it should name a few choices")
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as TOML ({error}); mend it or rename it") from error
    unknown = [key for key in found if key not in KEYS]
    if unknown:
        raise InputError(f"{file}: {unknown[0]!r} is no choice of a collection; those are {', '.join(KEYS)}")
    return {key: _checked(file, key, value) for key, value in found.items()}


def _checked(file: Path, key: str, value: Any) -> Any:
    if key == "languages":
        codes = value.replace(",", "+").split("+") if isinstance(value, str) else value
        if isinstance(codes, list) and codes and all(isinstance(code, str) and code.strip() for code in codes):
            return tuple(codes)
    elif key in (*_PATHS, "writing") and isinstance(value, str) and value.strip():
        return _path(file, value) if key in _PATHS else value
    elif key in ("language_model", "flatten", "deskew", "binarize") and isinstance(value, bool):
        return value
    elif key == "second_below" and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    kind = _KINDS.get(key, "true or false" if key in ("language_model", "binarize") else "a text")
    raise InputError(f"{file}: {key} must be {kind}, not {value!r}")


def _path(file: Path, value: str) -> Path:
    """A path beside the file; a single name that is not there may be that of a shipped model."""
    path = file.parent / Path(value).expanduser()
    return path.resolve() if path.exists() or len(Path(value).parts) > 1 else Path(value)


def choose_in_collection(folder: Path, key: str, value: Path) -> Path:
    """Write a path into the ``carrel.toml`` of ``folder``, made if need be; what else it says stays. Returns the file.

    Raises
    ------
    InputError
        The file that is there is faulty.
    OutputError
        It cannot be written.
    """
    file = folder / COLLECTION_FILE
    if file.exists():
        read_collection(file)
    text = file.read_text("utf-8") if file.exists() else ""
    line = f"{key} = {json.dumps(os.path.relpath(value.resolve(), folder.resolve()), ensure_ascii=False)}"
    changed, times = re.subn(rf"^{key}[ \t]*=.*$", lambda _: line, text, count=1, flags=re.MULTILINE)
    write_file(file, (changed if times else f"{text.rstrip()}\n{line}\n".lstrip()).encode())
    return file


def with_collection(options: ReadOptions, chosen: dict[str, Any], given: Names[str] = ()) -> ReadOptions:
    """Return options as a collection has them, but for those ``given`` by name; no words without the language model."""
    changes = {key: value for key, value in chosen.items() if key not in given}
    if not changes.get("language_model", options.language_model):
        changes.pop("words", None)
    return replace(options, **changes)
