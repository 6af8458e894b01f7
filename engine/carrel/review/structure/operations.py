"""Operations on the structure of a page, as data: what a person did."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from carrel.errors import UsageError
from carrel.page import BLEED_THROUGH

REGION_KINDS = (
    "MainZone", "MarginTextZone", "NumberingZone", "RunningTitleZone", "TitlePageZone", "QuireMarksZone", "TableZone",
    "StampZone", "SealZone", "DropCapitalZone", "GraphicZone", "MusicZone", "DamageZone", "DigitizationArtefactZone",
    "CustomZone",
)  # fmt: skip
"""Of SegmOnto."""
LINE_TYPES = (
    "DefaultLine",
    "HeadingLine",
    "InterlinearLine",
    "DropCapitalLine",
    "MusicLine",
    "CustomLine",
    BLEED_THROUGH,
)
MOST_JOINED = 20
_Id = Annotated[str, Meta(max_length=256)]
_Place = Annotated[int, Meta(ge=0, le=1_000_000)]
_Coordinate = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
_Height = Annotated[int, Meta(ge=1, le=100_000)]


class OperationError(UsageError):
    """The page does not allow the operation; it stays as it is."""


class _Base(Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    pass


class SetRegionKind(_Base, frozen=True, tag="region_kind"):
    """A region is of another kind, one of `REGION_KINDS`."""

    region: _Id
    kind: str


class SetLineType(_Base, frozen=True, tag="line_type"):
    """A line is of another type, one of `LINE_TYPES`."""

    line: _Id
    type: str


class MoveLine(_Base, frozen=True, tag="move"):
    """A line is read at another place: among the other lines of a region, counted from 0."""

    line: _Id
    region: _Id
    place: _Place


class MoveRegion(_Base, frozen=True, tag="move_region"):
    """A region is read at another place among the other regions, counted from 0."""

    region: _Id
    place: _Place


class OwnRegion(_Base, frozen=True, tag="own_region"):
    """A line becomes a region of its own, right after the one it stood in."""

    line: _Id
    kind: str = "MainZone"


class Split(_Base, frozen=True, tag="split"):
    """A line is cut across in two, at a share of its baseline's length in (0, 1)."""

    line: _Id
    at: Annotated[float, Meta(gt=0, lt=1)]


class Join(_Base, frozen=True, tag="join"):
    """Lines are one; it stands where the first of them stood."""

    lines: Annotated[tuple[_Id, ...], Meta(min_length=2, max_length=MOST_JOINED)]


class Add(_Base, frozen=True, tag="add"):
    """A line that was missed, by its baseline in reading direction, and how far it reaches above and below, in px."""

    baseline: Annotated[tuple[tuple[_Coordinate, _Coordinate], ...], Meta(min_length=2, max_length=200)]
    above_px: _Height
    below_px: _Height


class Delete(_Base, frozen=True, tag="delete"):
    """A line that is none."""

    line: _Id


Operation = SetRegionKind | SetLineType | MoveLine | MoveRegion | OwnRegion | Split | Join | Add | Delete
