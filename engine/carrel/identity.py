"""Ids of regions and lines: given once, kept when the same page is read again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from carrel.page import Line, Page, Region
from carrel.same_place import one_to_one, same_lines, same_outlines

_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME_REST = _NAME_START + "\\-.0-9\u00b7\u0300-\u036f\u203f\u2040"
_ASCII_NAME = re.compile(r"[A-Z_a-z][-.\w]*", re.ASCII)


def is_xml_name(text: str) -> bool:
    """Tell whether ``text`` can be an id in XML: a name without a colon (XML 1.0, fifth edition)."""
    return (_ASCII_NAME if text.isascii() else _name()).fullmatch(text) is not None


@cache
def _name() -> re.Pattern[str]:
    return re.compile(f"[{_NAME_START}][{_NAME_REST}]*")  # 4 ms to compile


@cache
def _no_name_character() -> re.Pattern[str]:
    return re.compile(f"[^{_NAME_REST}]")


def unused(wanted: str, taken: set[str]) -> str:
    """Return ``wanted``, with a number behind it where it is in ``taken``; the result is put into ``taken``."""
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    taken.add(found)
    return found


def with_ids(regions: Sequence[Region], avoid: Iterable[str] = ()) -> tuple[Region, ...]:
    """Give every region and line an id that is an XML name and unique; what has one keeps it.

    Parameters
    ----------
    regions
        In reading order. Without ids they become ``r0``, ``r1``, their lines ``r0l0``, ``r0l1``.
    avoid
        Ids that new ones must not have. Those that are there already are kept, whatever they are.
    """
    kept = Counter(item.id for region in regions for item in (region, *region.lines) if is_xml_name(item.id))
    taken, seen = {*avoid, *kept}, set[str]()

    def name(known: str, default: str) -> str:
        if known in kept and known not in seen:
            seen.add(known)
            return known
        return unused(_as_name(known) or default, taken)

    found: list[Region] = []
    for index, region in enumerate(regions):
        identity = name(region.id, f"r{index}")
        lines = tuple(replace(line, id=name(line.id, f"r{index}l{number}")) for number, line in enumerate(region.lines))
        found.append(replace(region, id=identity, lines=lines))
    return tuple(found)


def _as_name(text: str) -> str:
    """The nearest XML name; empty for what is empty."""
    if not text or is_xml_name(text):
        return text
    cleaned = _no_name_character().sub("_", text)
    return cleaned if is_xml_name(cleaned) else f"_{cleaned}"


class CarriedOver(NamedTuple):
    """A page read again with what was known of it, and the earlier lines with a correction that are no more."""

    page: Page
    lost: tuple[Line, ...]


def carry_over(earlier: Page, again: Page) -> CarriedOver:
    """Give the lines and regions of ``again`` the ids and corrections that they have in ``earlier``.

    Both are readings of the same scan; where their sizes differ, no line is the same. New lines and regions get ids that
    ``earlier`` does not use. Doing it twice changes nothing.
    """
    old = earlier.lines
    same_size = (earlier.width_px, earlier.height_px) == (again.width_px, again.height_px)
    pairs = dict(same_lines(again.lines, old)) if same_size else {}
    regions = _same_regions(again, earlier, pairs) if same_size else {}
    start = 0
    carried: list[Region] = []
    free = {item.id for region in earlier.regions for item in (region, *region.lines)}
    for index, region in enumerate(again.regions):
        lines = tuple(
            _carried_line(line, old[pairs[number]] if number in pairs else None, free)
            for number, line in enumerate(region.lines, start)
        )
        start += len(lines)
        identity = earlier.regions[regions[index]].id if index in regions else _new(region.id, free)
        carried.append(replace(region, id=identity, lines=lines))
    lost = tuple(line for number, line in enumerate(old) if line.correction and number not in pairs.values())
    return CarriedOver(replace(again, regions=with_ids(carried, free)), lost)


def _carried_line(line: Line, known: Line | None, earlier: set[str]) -> Line:
    if known is None:
        return replace(line, id=_new(line.id, earlier))
    return replace(line, id=known.id, correction=known.correction or line.correction)


def _new(identity: str, earlier: set[str]) -> str:
    return "" if identity in earlier else identity


def _same_regions(again: Page, earlier: Page, pairs: dict[int, int]) -> dict[int, int]:
    """Region -> the earlier one that holds most of its lines; regions without lines by their outlines."""
    owners = [index for index, region in enumerate(earlier.regions) for _ in region.lines]
    shared: Counter[tuple[int, int]] = Counter()
    number = 0
    for index, region in enumerate(again.regions):
        for _ in region.lines:
            if number in pairs:
                shared[index, owners[pairs[number]]] += 1
            number += 1
    found = dict(one_to_one([(-count, *pair) for pair, count in shared.items()]))
    taken = set(found.values())
    free = [index for index, region in enumerate(again.regions) if index not in found and not region.lines]
    left = [index for index, region in enumerate(earlier.regions) if index not in taken and not region.lines]
    by_place = same_outlines([again.regions[i] for i in free], [earlier.regions[i] for i in left])
    return found | {free[a]: left[b] for a, b in by_place}
