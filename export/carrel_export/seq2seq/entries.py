"""Files of JSON that strangers wrote: entries checked as they are taken, problems gathered instead of raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

MAX_JSON_BYTES = 64 * 2**20


@dataclass
class Problems:
    """Everything that is wrong with a checkpoint, in the order it was found."""

    found: list[str] = field(default_factory=list[str])

    def note(self, problem: str) -> None:
        """Note a problem, once."""
        if problem not in self.found:
            self.found.append(problem)


class Entries:
    """Entries of a JSON object, checked as they are taken."""

    def __init__(self, where: str, entries: Mapping[str, Any], problems: Problems) -> None:
        self._where, self._entries, self._problems = where, entries, problems

    def take(self, default: T, *names: str) -> T:
        """Return the entry of the first of the names that there is, as the kind of the default."""
        for name in names:
            value = self._entries.get(name)
            if value is None:
                continue
            if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not type(default):
                self._problems.note(f"{self._where}: {name} is {value!r}, of another kind than {default!r}")
                return default
            return value
        return default

    def size(self, default: int, most: int, *names: str) -> int:
        """Return a whole number from 1 to ``most``."""
        value = self.take(default, *names)
        if not 1 <= value <= most:
            self._problems.note(f"{self._where}: {names[0]} is {value}, not from 1 to {most:,}")
            return default
        return value

    def raw(self, name: str) -> Any:
        """Return an entry of any kind."""
        return self._entries.get(name)

    def inner(self, name: str) -> Entries:
        """Return the object under a name."""
        value = self._entries.get(name)
        if not isinstance(value, dict):
            self._problems.note(f"{self._where}: holds no {name}")
            value = {}
        return Entries(f"{self._where}, {name}", value, self._problems)


def read_json(path: Path, problems: Problems, *, is_needed: bool = True) -> Mapping[str, Any]:
    """Return a JSON object, empty where there is none."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            problems.note(f"{path.name}: larger than {MAX_JSON_BYTES // 2**20} MiB")
            return {}
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if is_needed:
            problems.note(f"{path.name}: is missing")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        problems.note(f"{path.name}: cannot be read ({str(error).splitlines()[0]})")
        return {}
    if not isinstance(found, dict):
        problems.note(f"{path.name}: no JSON object")
        return {}
    return found
