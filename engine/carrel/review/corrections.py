"""Corrections on their way back: found in what people edited, matched with the lines that were read.

A line is matched by its id first, else by its place, else by its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from carrel.evaluate.document import Document, from_page
from carrel.evaluate.matching import Match, match_lines
from carrel.page import Correction, CorrectionState, Line, Page
from carrel.same_place import same_lines


class Who(NamedTuple):
    """The person who corrects, and the time: UTC, as ``2026-01-31T12:00:00Z``."""

    by: str
    at: str


def who_now(by: str) -> Who:
    """Return ``by`` with the time that it is."""
    return Who(by, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


@dataclass(frozen=True, slots=True)
class Change:
    """A correction of a line of a document; ``line`` is the line as it was before."""

    document: str
    line: Line
    correction: Correction

    @property
    def differs(self) -> bool:
        """A text that is another than before."""
        return self.correction.text != folded(self.line.final_text)


class ReadBack(NamedTuple):
    """Changes, and what fits no line: where it stands and what it says."""

    changes: tuple[Change, ...]
    unplaced: tuple[str, ...]


def folded(text: str) -> str:
    """Return ``text`` with single spaces."""
    return " ".join(text.split())


def change_of(document: str, line: Line, text: str, state: CorrectionState | None, who: Who) -> Change | None:
    """Return what a text given back for a line means; None where it changes nothing.

    ``state`` is what the person says of the line, None where the person says nothing: then another text is a correction,
    and the same text means nothing.
    """
    text = folded(text)
    same = text == folded(line.final_text)
    if same and (state is None or (line.correction and line.correction.state == state)):
        return None
    if same and line.correction:
        return None  # confirming a correction leaves it one
    made: CorrectionState = "confirmed" if text == folded(line.text) else "corrected"
    return Change(document, line, Correction(text, who.by, who.at, made))


def compare_pages(document: str, page: Page, other: Page, who: Who) -> ReadBack:
    """Find what ``other``, an edited version of ``page``, says of its lines.

    Lines of the same id are the same unless both say where they stand and that is not the same place. What ``other``
    holds as corrections counts with who and when it says.
    """
    known = {line.id: line for line in page.lines if line.id}
    times = Counter(line.id for line in other.lines)
    placed = (page.width_px, page.height_px) == (other.width_px, other.height_px)
    found: list[Change | None] = []
    rest: list[Line] = []
    matched = set[str]()
    for line in other.lines:
        target = known.get(line.id) if times[line.id] == 1 else None
        if target is None or (placed and not same_lines([line], [target])):
            rest.append(line)
        else:
            matched.add(target.id)
            found.append(_given(document, target, line, who))
    free = tuple(line for line in page.lines if line.id not in matched)
    by_place = _compare(document, free, _with_lines(page, free), _with_lines(other, rest), who)
    return ReadBack((*filter(None, found), *by_place.changes), by_place.unplaced)


def _given(document: str, line: Line, other: Line, who: Who) -> Change | None:
    """A line found by id; one that is empty in the other file says nothing, unless a person said so there."""
    if not other.correction:
        return change_of(document, line, other.final_text, None, who) if other.final_text.strip() else None
    if line.correction == other.correction:
        return None
    told = Who(other.correction.by or who.by, other.correction.at or who.at)
    return change_of(document, line, other.final_text, other.correction.state, told)


def _with_lines(page: Page, lines: Sequence[Line]) -> Document:
    """A document of some of a page's lines."""
    regions = tuple(replace(region, lines=()) for region in page.regions[:1])
    if not regions:
        return from_page("", page)
    return from_page("", replace(page, regions=(replace(regions[0], lines=tuple(lines)),)))


def compare_text(document: str, page: Page, other: Document, who: Who) -> ReadBack:
    """Find what ``other``, the edited text of ``page``, says of its lines."""
    return _compare(document, page.lines, from_page(document, page), other, who)


def _compare(document: str, lines: Sequence[Line], read: Document, other: Document, who: Who) -> ReadBack:
    """By place or text; lines that were cut in two are joined, lines that run over several are not placed."""
    changes: list[Change] = []
    unplaced: list[str] = []
    matches = [match for match in match_lines(other, read) if match.ground_truth]
    gaps = _between(matches, read, other) if other.size_px is None else []
    filled = {match.ground_truth for match in gaps}
    for match in [*(match for match in matches if match.hypothesis or match.ground_truth not in filled), *gaps]:
        text = " ".join(other.lines[index].text for index in match.ground_truth if other.lines[index].text)
        if not text:
            continue
        if len(match.hypothesis) != 1:
            unplaced.append(f"{document}: {text}")
            continue
        change = change_of(document, lines[match.hypothesis[0]], text, None, who)
        changes += [change] if change else []
    return ReadBack(tuple(changes), tuple(unplaced))


def _between(matches: Sequence[Match], read: Document, other: Document) -> list[Match]:
    """Lines without a partner, paired where as many stand between the same two neighbours on both sides."""
    pairs = [(m.ground_truth[0], m.hypothesis[0]) for m in matches if len(m.ground_truth) == len(m.hypothesis) == 1]
    ends = [(-1, -1), *sorted(pairs), (len(other.lines), len(read.lines))]
    taken = {index for match in matches for index in match.hypothesis}
    left_alone = {match.ground_truth[0] for match in matches if len(match.ground_truth) == 1 and not match.hypothesis}
    found: list[Match] = []
    for (a, b), (c, d) in pairwise(ends):
        theirs = [index for index in range(a + 1, c) if index in left_alone]
        ours = [index for index in range(b + 1, d) if index not in taken and read.lines[index].text]
        if len(theirs) == len(ours):
            found += [Match((i,), (j,)) for i, j in zip(theirs, ours, strict=True)]
    return found


def for_equal_pages(
    changes: Sequence[Change], equal: Mapping[str, Sequence[str]], pages: Mapping[str, Page]
) -> tuple[Change, ...]:
    """Return changes, and the same for pages of equal scans, where the line stood there as it stood here.

    ``equal`` gives the names of such pages by the name of a page.
    """
    given = {(change.document, change.line.id) for change in changes}
    more: list[Change] = []
    for change in changes:
        for name in equal.get(change.document, ()):
            lines = pages[name].lines if name in pages else ()
            same = (line for line in lines if line.id == change.line.id and line.text == change.line.text)
            more += [
                replace(change, document=name, line=line)
                for line in same
                if line.correction == change.line.correction and (name, line.id) not in given
            ]
    return (*changes, *more)


def with_changes(page: Page, changes: Iterable[Change]) -> Page:
    """Return ``page`` with corrections put beside what was read."""
    made = {change.line.id: change.correction for change in changes}
    regions = tuple(
        replace(
            region,
            lines=tuple(replace(line, correction=made[line.id]) if line.id in made else line for line in region.lines),
        )
        for region in page.regions
    )
    return replace(page, regions=regions)
