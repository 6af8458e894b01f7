"""Corrections of the page itself: types, reading order, and lines that are split, joined, added and deleted."""

from carrel.review.structure.apply import apply
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

__all__ = [
    "LINE_TYPES",
    "REGION_KINDS",
    "Add",
    "Delete",
    "Join",
    "MoveLine",
    "MoveRegion",
    "Operation",
    "OperationError",
    "OwnRegion",
    "SetLineType",
    "SetRegionKind",
    "Split",
    "apply",
]
