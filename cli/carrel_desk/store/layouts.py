"""Steps that people took on the structure of pages, in order as the journal tells them; the last can be taken back."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from carrel.formats.json_page import parse, write
from carrel.page import Line, Page
from carrel.review.structure import Add, Join, Operation, Split, apply
from carrel_desk.store.journal import Record

READ_ANEW = (Add, Join, Split)
"""Operations whose new lines are read where they stand."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that counts; ``number`` is its own on this page, and names what is new."""

    number: int
    operation: Operation

    @property
    def new_id(self) -> str:
        """The id of what is new; no page as read has such a one."""
        return f"desk{self.number}"


@dataclass(slots=True)
class Layout:
    """The steps of a page. ``version`` counts them and those taken back; ``readings`` are lines that were read anew, as
    pages in compressed JSON: those of a whole stack lie in memory."""

    version: int = 0
    steps: list[Step] = field(default_factory=list[Step])
    readings: list[bytes] = field(default_factory=list[bytes])

    @property
    def used(self) -> bool:
        """The page may be another than it was read first."""
        return bool(self.version or self.readings)

    @property
    def top(self) -> int:
        """The number of the last step that counts; 0 where there is none."""
        return self.steps[-1].number if self.steps else 0

    def next_step(self, operation: Operation) -> Step:
        """Return an operation as the step that would come next."""
        return Step(self.version + 1, operation)

    def ever(self, page: Page) -> set[str]:
        """Return the ids of all lines that there are or were."""
        new = {f"desk{number}{end}" for number in range(1, self.version + 1) for end in ("", "b")}
        return {line.id for line in page.lines} | new

    def replay(self, record: Record) -> None:
        """Take in a record of the journal."""
        match record["op"]:
            case "layout":
                self.steps.append(self.next_step(msgspec.convert(record["change"], Operation)))
                self.version += 1
            case "layout_back":
                self.steps.pop()
                self.version += 1
            case _:
                self.readings.append(zlib.compress(record["json"].encode()))

    def laid_out(self, page: Page) -> Page:
        """Return a page as it was read first after all steps, with what was read anew."""
        known = {line.id: line for packed in self.readings for line in parse(zlib.decompress(packed)).lines}
        page = _with_readings(page, known)
        for step in self.steps:
            page = _with_readings(apply(page, step.operation, step.new_id), known)
        return page


def _with_readings(page: Page, known: Mapping[str, Line]) -> Page:
    if not known:
        return page
    regions = (
        replace(region, lines=tuple(_read_anew(line, known.get(line.id)) for line in region.lines))
        for region in page.regions
    )
    return replace(page, regions=tuple(regions))


def _read_anew(line: Line, read: Line | None) -> Line:
    if read is None:
        return line
    return replace(read, id=line.id, baseline=line.baseline, polygon=line.polygon, line_type=line.line_type)


def step_record(page: str, operation: Operation, texts: dict[str, str], who: str, at: str) -> Record:
    """Return a step as the journal keeps it; ``texts`` are what people wrote into lines that it makes anew."""
    return {
        "op": "layout",
        "page": page,
        "change": msgspec.to_builtins(operation),
        "texts": texts,
        "who": who,
        "at": at,
    }


def corrections_moved(before: Page, after: Page) -> dict[str, str]:
    """Return the texts that people gave to lines which are new after an operation."""
    known = {line.id for line in before.lines}
    return {line.id: line.correction.text for line in after.lines if line.correction and line.id not in known}


def only(page: Page, lines: Iterable[str]) -> Page:
    """Return a page with these lines alone."""
    wanted = set(lines)
    regions = (
        replace(region, lines=tuple(line for line in region.lines if line.id in wanted)) for region in page.regions
    )
    return replace(page, regions=tuple(region for region in regions if region.lines))


def reading_record(page: str, read: Page) -> dict[str, Any]:
    """Return lines that were read anew as the journal keeps them."""
    return {"op": "layout_read", "page": page, "json": write(read).decode()}
