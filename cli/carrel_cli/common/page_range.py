"""Pages of a file by their numbers, as people write them: ``3-7``, ``1,4,9-``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from carrel.errors import InputError, UsageError
from carrel.image.files import shown

_PART = re.compile(r"\s*([0-9]{1,6})?\s*(-)?\s*([0-9]{1,6})?\s*")


@dataclass(frozen=True)
class PageRange:
    """Stretches of pages, counted from 1, first and last of each; no stretches are all pages."""

    text: str = ""
    parts: tuple[tuple[int, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the pages that ``text`` names, separated by commas; a stretch may lack its first or its last page.

        Raises
        ------
        UsageError
            It names no pages.
        """
        return cls(text, tuple(_part(part, text) for part in text.split(",")) if text.strip() else ())

    def of(self, count: int, file: Path) -> list[int]:
        """Return the pages of a file with ``count`` pages, counted from 0, in the file's order.

        Raises
        ------
        InputError
            It has none of them.
        """
        if not self.parts:
            return list(range(count))
        found = [n for n in range(count) if any(a <= n + 1 and (b is None or n + 1 <= b) for a, b in self.parts)]
        if not found:
            raise InputError(f"{shown(file)}: has {count:,} pages, none of {self.text}; name others with --pages")
        return found


def _part(part: str, text: str) -> tuple[int, int | None]:
    found = _PART.fullmatch(part)
    if found is None or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise UsageError(f"--pages {text}: no range of pages; write it like 3-7 or 1,4,9-")
    first = int(found[1] or 1)
    last = int(found[3]) if found[3] else (None if found[2] else first)
    if first < 1 or (last is not None and last < first):
        raise UsageError(f"--pages {text}: {part.strip()} holds no page; pages count from 1, the first comes first")
    return first, last
