"""Corrections of the page itself: types, reading order, and lines that are split, joined, added and deleted.

An operation is data; `apply` makes another page of a page. What was read of a line follows it as far as words can tell;
corrections do, too. The page it was applied to is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from carrel.page import Box, Line, Page, Points, Region, Writing
from carrel.review.structure import outlines
from carrel.review.structure.operations import (
    LINE_TYPES,
    REGION_KINDS,
    Add,
    Delete,
    Join,
    MoveLine,
    MoveRegion,
    Operation,
    OperationError,
    OwnRegion,
    SetLineType,
    SetRegionKind,
    Split,
)
from carrel.review.structure.texts import joined, parted


def apply(page: Page, operation: Operation, new_id: str) -> Page:
    """Return ``page`` after an operation.

    Parameters
    ----------
    page
        All its regions and lines have ids.
    operation
        What a person did.
    new_id
        An XML name that neither the page nor an earlier version of it uses, also not with ``b`` behind it: ids of what is new.

    Raises
    ------
    OperationError
        There is no such region or line, or nothing would be left of a line.
    """
    match operation:
        case SetRegionKind(region, kind):
            _require(kind, REGION_KINDS)
            regions = _with_region(page, replace(_region(page, region), kind=kind))
        case SetLineType(line, kind):
            _require(kind, LINE_TYPES)
            regions = _exchanged(page, {line: (replace(_line(page, line), line_type=kind),)})
        case MoveLine(line, region, place):
            regions = _moved(page, _line(page, line), region, place)
        case MoveRegion(region, place):
            moving = _region(page, region)
            others = [other for other in page.regions if other.id != region]
            regions = (*others[:place], moving, *others[place:])
        case OwnRegion(line, kind):
            _require(kind, REGION_KINDS)
            regions = _taken_out(page, _line(page, line), kind, new_id)
        case Split(line, at):
            regions = _exchanged(page, {line: _split(_line(page, line), at, new_id)})
        case Join(lines):
            regions = _joined(page, lines, new_id)
        case Add():
            regions = _added(page, operation, new_id)
        case Delete(line):
            regions = _exchanged(page, {_line(page, line).id: ()})
    return replace(page, regions=tuple(regions))


def _require(kind: str, known: Sequence[str]) -> None:
    if kind not in known:
        raise OperationError(f"no type {kind!r}; choose from {', '.join(known)}")


def _region(page: Page, identity: str) -> Region:
    found = next((region for region in page.regions if region.id == identity), None)
    if found is None:
        raise OperationError("the region is not there any more")
    return found


def _line(page: Page, identity: str) -> Line:
    found = next((line for line in page.lines if line.id == identity), None)
    if found is None:
        raise OperationError("the line is not there any more")
    return found


def _with_region(page: Page, made: Region) -> tuple[Region, ...]:
    return tuple(made if region.id == made.id else region for region in page.regions)


def _exchanged(page: Page, made: dict[str, tuple[Line, ...]]) -> tuple[Region, ...]:
    """The regions with lines exchanged by others; a region that loses its last line goes."""
    regions: list[Region] = []
    for region in page.regions:
        lines = tuple(new for line in region.lines for new in made.get(line.id, (line,)))
        if lines or not region.lines:
            regions.append(replace(region, lines=lines))
    return tuple(regions)


def _moved(page: Page, line: Line, region: str, place: int) -> tuple[Region, ...]:
    regions: list[Region] = []
    _region(page, region)
    for known in page.regions:
        lines = [other for other in known.lines if other.id != line.id]
        if known.id == region:
            regions.append(_holding(replace(known, lines=(*lines[:place], line, *lines[place:])), line))
        elif lines or not known.lines:
            regions.append(replace(known, lines=tuple(lines)))
    return tuple(regions)


def _holding(region: Region, line: Line) -> Region:
    """The region, its outline reaching round a line that lies outside."""
    if not region.polygon:
        return replace(region, polygon=line.polygon)
    own, other = Box.around(region.polygon), Box.around(line.polygon)
    inside = own.left <= other.left and own.top <= other.top and own.right >= other.right and own.bottom >= other.bottom
    return region if inside else replace(region, polygon=outlines.hull((*region.polygon, *line.polygon)))


def _taken_out(page: Page, line: Line, kind: str, new_id: str) -> list[Region]:
    regions: list[Region] = []
    for region in page.regions:
        rest = tuple(other for other in region.lines if other.id != line.id)
        if rest or not region.lines:
            regions.append(replace(region, lines=rest))
        if len(rest) < len(region.lines):
            regions.append(Region(kind, line.polygon, (line,), new_id))
    return regions


def _split(line: Line, share: float, new_id: str) -> tuple[Line, Line]:
    way = outlines.direction(line.baseline)
    at, before = outlines.point_at(line.baseline, share)
    left, right = outlines.cut(line.polygon, at, way)
    point = (round(at[0]), round(at[1]))
    bases = (_distinct((*line.baseline[:before], point)), _distinct((point, *line.baseline[before:])))
    if not left or not right or min(map(len, bases)) < 2:
        raise OperationError("too near the end of the line to split it there")
    texts = parted(line, outlines.along(at, way), way, share)
    one, two = (
        replace(text, baseline=base, polygon=polygon, id=identity)
        for text, base, polygon, identity in zip(texts, bases, (left, right), (new_id, f"{new_id}b"), strict=True)
    )
    return one, two


def _distinct(points: Points) -> Points:
    return tuple(p for p, before in zip(points, (None, *points), strict=False) if p != before)


def _joined(page: Page, identities: Sequence[str], new_id: str) -> tuple[Region, ...]:
    if len(set(identities)) < len(identities):
        raise OperationError("a line cannot be joined with itself")
    lines = [_line(page, identity) for identity in identities]
    first = min(lines, key=page.lines.index)
    made = {line.id: () for line in lines}
    return _exchanged(page, {**made, first.id: (_one_of(lines, new_id),)})


def _one_of(lines: Sequence[Line], new_id: str) -> Line:
    """One line of several: side by side where their baselines follow each other, else one on top of the other."""
    way = outlines.direction(max(lines, key=_length).baseline)
    ordered = sorted(lines, key=lambda line: outlines.along(line.baseline[0], way))
    one = ordered[0]
    for other in ordered[1:]:
        end, start = outlines.along(one.baseline[-1], way), outlines.along(other.baseline[0], way)
        overlap = max(0.0, end - start)
        if overlap <= min(_length(one), _length(other)) / 2:
            baseline = _distinct((*one.baseline, *(p for p in other.baseline if outlines.along(p, way) > end)))
            polygon = outlines.chained(one.polygon, other.polygon, way)
        else:
            baseline = max(one, other, key=_length).baseline
            polygon = outlines.hull((*one.polygon, *other.polygon))
        one = replace(joined(one, other), baseline=baseline, polygon=polygon)
    return replace(one, id=new_id)


def _length(line: Line) -> float:
    way = outlines.direction(line.baseline)
    return outlines.along(line.baseline[-1], way) - outlines.along(line.baseline[0], way)


def _added(page: Page, add: Add, new_id: str) -> tuple[Region, ...]:
    size = page.width_px, page.height_px
    baseline = _distinct(outlines.clamped(add.baseline, *size))
    polygon = outlines.whole(outlines.clamped(outlines.band(add.baseline, add.above_px, add.below_px), *size))
    if len(baseline) < 2 or not polygon:
        raise OperationError("the line is too short, or does not lie on the page")
    line = Line(baseline, polygon, Writing("unknown", 0.0), "", 0.0, id=new_id)
    texts = [region for region in page.regions if region.lines]
    if not texts:
        return (*page.regions, Region("MainZone", polygon, (line,), f"{new_id}b"))
    region = min(
        texts, key=lambda region: _apart(Box.around(region.polygon or region.lines[0].polygon), Box.around(polygon))
    )
    middle = _middle(line)
    place = sum(_middle(other) < middle for other in region.lines)
    made = replace(region, lines=(*region.lines[:place], line, *region.lines[place:]))
    return _with_region(page, _holding(made, line))


def _middle(line: Line) -> float:
    return sum(y for _, y in line.baseline) / len(line.baseline)


def _apart(region: Box, line: Box) -> tuple[float, int]:
    """How far a line's middle lies outside a region in px, the smaller region first."""
    x, y = (line.left + line.right) / 2, (line.top + line.bottom) / 2
    outside = max(region.left - x, 0, x - region.right) + max(region.top - y, 0, y - region.bottom)
    return outside, (region.right - region.left) * (region.bottom - region.top)
