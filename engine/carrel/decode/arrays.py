"""The memory of a search: what it works in and what it writes into, and the record that tells a kernel where all is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.records import MEMO, MEMO_BITS, MEMORY, PADDING, READING, address_of


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a thread for lines of up to ``longest`` frames, ``lines`` of them and ``room`` characters a call.

    ``record`` is a `MEMORY` with the addresses of the others in it. As memory is only touched where it is used,
    a generous size costs nothing.
    """

    longest: int
    lines: int
    room: int
    scratch: dict[str, NDArray[Any]]
    readings: NDArray[np.void]  # (lines * alternatives,) READING
    characters: NDArray[np.int32]  # (3, room): classes, first frames, frames after the last
    certainties: NDArray[np.float64]  # (room,)
    places: NDArray[np.int64]  # (lines, 2), the fields of LINE
    record: NDArray[np.void]  # (1,) MEMORY
    addresses: tuple[int, int]  # of the record and the places

    @property
    def size_bytes(self) -> int:
        """Of all of it together."""
        results = self.readings.nbytes + self.characters.nbytes + self.certainties.nbytes
        return results + sum(array.nbytes for array in self.scratch.values())


def memory_for(width: int, classes: int, alternatives: int, longest: int, lines: int, room: int) -> Memory:
    """Memory for a beam of ``width`` prefixes over lines of ``classes``."""
    scratch = scratch_for(width, classes, longest)
    readings = np.empty(lines * alternatives, READING)
    characters, certainties = np.empty((3, room), np.int32), np.empty(room, np.float64)
    record = np.zeros(1, MEMORY)
    results = {"readings": readings, "characters": characters, "certainties": certainties}
    for name, array in {**scratch, **results}.items():
        record[f"at_{name}"] = address_of(array)
    record["longest"], record["room"] = longest, room
    places = np.empty((lines, 2), np.int64)
    addresses = (address_of(record), address_of(places))
    return Memory(longest, lines, room, scratch, readings, characters, certainties, places, record, addresses)


def scratch_for(width: int, classes: int, longest: int) -> dict[str, NDArray[Any]]:
    """Scratch memory, laid out as ``carrel.kernels.ctc_search.Workspace``.

    A frame adds at most ``width`` nodes and twice as many marks.
    """
    nodes, pairs = 1 + width * longest, width * classes
    padded = -(-classes // PADDING) * PADDING
    return {
        "nodes": np.empty((nodes, 7), np.int32),
        "factors": np.empty(nodes, np.float64),
        "marks": np.empty((2 * nodes, 2), np.int32),
        "masses": np.zeros(8 * width + PADDING, np.float64),
        "slots": np.empty((4, width), np.int32),
        "pool": np.zeros(width + pairs + PADDING, np.float64),
        "extensions": np.empty(pairs, np.float64),
        "origins": np.empty((8, pairs), np.int32),
        "taken": np.zeros(pairs, np.uint8),
        "probabilities": np.zeros(classes, np.float64),
        "candidates": np.empty(classes, np.int32),
        "tries": np.empty(classes, np.int32),
        "try_chances": np.empty(classes, np.float64),
        "powers": np.zeros(padded, np.float32),
        "levels": np.empty(3, np.float64),
        "frames": np.empty((3, longest), np.float64),
        "memo": np.zeros(1 << MEMO_BITS, MEMO),
        "chances": np.empty((2, longest), np.float64),
    }
