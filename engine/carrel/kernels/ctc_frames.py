"""One frame of logits: its largest value, its mass, and the few classes that matter. Compiled, unchecked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import inner
from carrel.kernels.records import PADDING, TOLERANCE
from carrel.kernels.vectors import LIMIT, copy_of, lowest_bit, powers_of, reaching_bits

LOG2_E = 1.4426950408889634
SMALL, LARGE = 2.0**-20, 2.0**60
"""Sums of powers, between which a row's offset was good enough."""
LEAST_SCALE, MOST_SCALE = 2.0**-20, 2.0**20
"""Of logits, by the temperature."""
NEAR = 6
"""A sum of powers between 2 ** -`NEAR` and 2 ** `NEAR` is near enough to 1 to keep the offset."""
TINY = 2.0 ** (1 - LIMIT)
"""More than what stands for nothing."""


@inner
def within_scales(scale: float) -> float:
    """Return a scale of logits, or the nearest that keeps what stands behind a row of them the least; of NaN the least."""
    return min(scale, MOST_SCALE) if scale > LEAST_SCALE else LEAST_SCALE


@inner
def largest_of(bits: NDArray[np.int32]) -> tuple[np.float32, np.bool_]:
    """Return largest of a row of floats, given as their bits ``(c,)``: integers compare in vectors, floats would not.

    The second value is False for rows with NaN or +inf, and for such as are zero or -inf throughout.
    """
    mask = np.int32(0x7FFFFFFF)
    infinite = np.int32(0x7F800000)
    best = np.int32(-0x7FFFFFFF)
    magnitude = np.int32(0)
    for j in range(len(bits)):
        ordered = np.int32(bits[j] ^ np.int32(np.int32(bits[j] >> np.int32(31)) & mask))
        best = max(best, ordered)
        magnitude = max(magnitude, np.int32(bits[j] & mask))
    largest = np.int32(best ^ np.int32(np.int32(best >> np.int32(31)) & mask)).view(np.float32)
    sound = magnitude <= infinite and magnitude != 0 and -np.inf < largest < np.inf
    return largest, sound


@inner
def candidates_of(
    row: NDArray[np.float32],
    bits: NDArray[np.int32],
    scale: float,
    offset: float,
    threshold: float,
    powers: NDArray[np.float32],
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> tuple[np.int64, float, float]:
    """Return classes of a frame with at least ``threshold`` of its mass, and always the best one.

    ``scale`` is ``log2(e) / temperature``, ``offset`` a whole number, not far from the largest logit times that if
    possible: `next_offset` of the row before. Fills ``powers`` with 2 to the power of the logits times ``scale`` less the
    offset, ``candidates`` with the classes and ``probabilities`` at their places; returns the number of candidates, the
    offset used and the sum of all powers. The number is 0 where the row is broken, see `largest_of`.
    """
    classes = np.int64(len(row))
    mass = np.float64(powers_of(row, np.float32(scale), np.float32(offset), powers))
    if not SMALL <= mass <= LARGE:
        largest, sound = largest_of(bits)
        if not sound:
            return np.int64(0), 0.0, 0.0
        offset = np.floor(np.float64(largest) * scale)
        mass = np.float64(powers_of(row, np.float32(scale), np.float32(offset), powers))
    count = list_candidates(powers, classes, threshold * mass, 1.0 / mass, probabilities, candidates)
    if 0 < count < classes:
        return count, offset, mass
    if not largest_of(bits)[1]:
        return np.int64(0), 0.0, 0.0
    if count == 0:
        count = list_best(powers, classes, mass, probabilities, candidates)
    return count, offset, mass


@inner
def candidates_of_shares(
    row: NDArray[np.float32],
    threshold: float,
    powers: NDArray[np.float32],
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> tuple[np.int64, float]:
    """Return `candidates_of` where the row holds probabilities; returns the number, 0 where they do not sum to 1, and the sum."""
    mass = np.float64(copy_of(row, powers))
    if not 1.0 - TOLERANCE <= mass <= 1.0 + TOLERANCE:
        return np.int64(0), 0.0
    count = list_candidates(powers, np.int64(len(row)), threshold * mass, 1.0 / mass, probabilities, candidates)
    return count if count > 0 else list_best(powers, np.int64(len(row)), mass, probabilities, candidates), mass


@inner
def list_candidates(
    powers: NDArray[np.float32],
    classes: int,
    level: float,
    share: float,
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> np.int64:
    """Return classes whose powers reach ``level``, and their powers times ``share``. Returns how many there are."""
    count = np.int64(0)
    least = np.float32(max(level, TINY))
    for place in range(0, classes, PADDING):
        some = reaching_bits(powers, place, least)
        while some != 0:
            label = place + lowest_bit(some)
            some &= some - 1
            candidates[count] = label
            probabilities[label] = powers[label] * share
            count += 1
    return count


@inner
def list_best(
    powers: NDArray[np.float32],
    classes: int,
    mass: float,
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> np.int64:
    """`list_candidates` with the best class, and such as are as good but for rounding."""
    best = powers[0]
    for j in range(1, classes):
        best = max(best, powers[j])
    return list_candidates(powers, classes, 0.999999 * best, 1.0 / mass, probabilities, candidates)


@inner
def next_offset(offset: float, mass: float) -> float:
    """Return an offset for the next row, where this one's powers had that sum; it changes seldom, as the next row waits for it."""
    exponent = np.int64(np.float32(mass).view(np.int32) >> 23) - 127
    return offset + exponent if exponent < -NEAR or exponent > NEAR else offset
