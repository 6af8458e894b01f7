"""The memory of a search: what it works in and what it writes into, and the record that tells a kernel where all is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.records import (
    MEMORY,
    PADDING,
    Results,
    Workspace,
    address_of,
    addresses_record,
    sides_record,
    tables_of,
)

Allocate = Callable[[int, "np.dtype[Any]"], NDArray[Any]]
"""Makes the memory of so many items, all of them 0."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a thread for lines of up to ``longest`` frames, ``lines`` of them and ``room`` characters a call.

    ``record`` is a `MEMORY` with the addresses of the others in it. As memory is only touched where it is used,
    a generous size costs nothing.
    """

    longest: int
    lines: int
    room: int
    arrays: dict[str, NDArray[Any]]  # of `Workspace` and `Results`
    readings: NDArray[np.void]  # (lines * alternatives,) READING
    characters: NDArray[np.int32]  # (3, room): classes, first frames, frames after the last
    certainties: NDArray[np.float64]  # (room,)
    places: NDArray[np.int64]  # (lines, 2), the fields of LINE
    records: tuple[NDArray[Any], ...]  # the `MEMORY`, and what it points to
    addresses: tuple[int, int]  # of the record and the places

    @property
    def size_bytes(self) -> int:
        """Of all of it together."""
        return sum(array.nbytes for array in self.arrays.values())


def memory_for(
    width: int, classes: int, alternatives: int, longest: int, lines: int, room: int, allocate: Allocate = np.zeros
) -> Memory:
    """Make the memory for a beam of ``width`` prefixes over lines of ``classes``."""
    nodes, pairs = 1 + width * longest, width * classes
    sizes = {
        "width": width,
        "classes": classes,
        "labels": classes + 1,
        "padded": -(-classes // PADDING) * PADDING,
        "pairs": pairs,
        "pool": width + pairs,
        "nodes": nodes,
        "marks": 2 * nodes,
        "longest": longest,
        "lines": lines,
        "alternatives": alternatives,
        "room": room,
    }
    arrays = {
        table.name: allocate(table.items(sizes), table.dtype)
        for kind in (Workspace, Results)
        for table in tables_of(kind)
    }
    places = np.empty((lines, 2), np.int64)
    record, sides = np.zeros(1, MEMORY), sides_record(sizes)
    workspace, results = (addresses_record(kind, arrays) for kind in (Workspace, Results))
    for name, array in {"at_sizes": sides, "at_workspace": workspace, "at_results": results}.items():
        record[name] = address_of(array)
    return Memory(
        longest,
        lines,
        room,
        arrays,
        arrays["readings"],
        arrays["characters"].reshape(3, room),
        arrays["certainties"],
        places,
        (record, sides, workspace, results),
        (address_of(record), address_of(places)),
    )
