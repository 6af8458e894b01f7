"""The arrays a search works in: settings, scratch memory of a thread, room for the results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.decode.options import DecodeOptions

LOG2_E = 1.4426950408889634
FLAG_PADDING = 8


@dataclass(frozen=True, slots=True)
class Scratch:
    """Memory of one search; as it is only touched where it is used, a generous size costs nothing."""

    integers: NDArray[np.int32]
    reals: NDArray[np.float64]
    flags: NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        return self.integers.nbytes + self.reals.nbytes + self.flags.nbytes


def scratch_for(width: int, classes: int, frames: int) -> Scratch:
    """Scratch memory for lines of up to ``frames`` frames, as ``carrel.kernels.ctc_readings.workspace_of`` divides it.

    A frame adds at most ``width`` nodes and twice as many marks.
    """
    nodes, pairs = 1 + width * frames, width * classes
    padded = -(-classes // FLAG_PADDING) * FLAG_PADDING
    return Scratch(
        np.empty(7 * nodes + 4 * (nodes - 1) + 4 * width + 7 * pairs + 3 * classes, np.int32),
        np.zeros(nodes + 7 * width + 2 * pairs + classes + 3 + 2 * frames, np.float64),
        np.zeros(padded + pairs, np.uint8),
    )


@dataclass(frozen=True, slots=True)
class Room:
    """Room for ``k`` readings of ``n`` lines of up to ``t`` frames."""

    lengths: NDArray[np.int32]  # (n, k), -1 where there is no reading, -2 where the line is broken
    scores: NDArray[np.float64]  # (n, k)
    characters: NDArray[np.int32]  # (n, k, 3, t): classes, starts, ends
    chances: NDArray[np.float32]  # (n, k, 2, t): share in the span, support in the beam


def room_for(lines: int, alternatives: int, frames: int) -> Room:
    """Room for the readings of some lines."""
    shape = (lines, alternatives)
    return Room(
        np.empty(shape, np.int32),
        np.empty(shape, np.float64),
        np.empty((*shape, 3, frames), np.int32),
        np.empty((*shape, 2, frames), np.float32),
    )


def levels_of(options: DecodeOptions, unknown: float) -> NDArray[np.float64]:
    """The settings that are real numbers, in the kernel's order."""
    return np.array(
        [
            options.candidate_threshold,
            options.beam_threshold,
            LOG2_E / options.temperature,
            unknown,
            options.lexicon_penalty,
        ]
    )
