"""One frame of logits: its largest value, its mass, and the few classes that matter. Compiled, unchecked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import inner

LOG2_E = 1.4426950408889634


@inner
def largest_of(bits: NDArray[np.int32]) -> tuple[np.float32, np.bool_]:
    """Largest of a row of floats, given as their bits ``(c,)``: integers compare in vectors, floats would not.

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


@inner(fastmath={"reassoc", "contract", "nsz", "arcp"})
def powers_of(
    row: NDArray[np.float32], largest: np.float32, scale: np.float32, powers: NDArray[np.float32]
) -> np.float32:
    """Fill ``powers`` with ``2 ** ((row - largest) * scale)`` and return their sum.

    The whole part goes to the exponent's bits, the fraction through a polynomial; relative error under 1e-6, and 2^-100
    for anything smaller (denormal numbers would be slow).
    """
    total = np.float32(0.0)
    for j in range(len(row)):
        exponent = max((row[j] - largest) * scale, np.float32(-100.0))
        floor = np.floor(exponent)
        x = exponent - floor
        power = np.int32(np.int32(np.int32(floor) + np.int32(127)) << np.int32(23)).view(np.float32)
        value = np.float32(1.8775767e-3)
        value = value * x + np.float32(8.9893397e-3)
        value = value * x + np.float32(5.5826318e-2)
        value = value * x + np.float32(2.4015361e-1)
        value = value * x + np.float32(6.9315308e-1)
        value = value * x + np.float32(9.9999994e-1)
        powers[j] = power * value
        total += power * value
    return total


@inner
def flag_above(row: NDArray[np.float32], level: np.float32, flags: NDArray[np.uint8]) -> None:
    """Set ``flags`` where ``row`` reaches ``level``."""
    for j in range(len(row)):
        flags[j] = np.uint8(row[j] >= level)


@inner
def candidates_of(
    row: NDArray[np.float32],
    bits: NDArray[np.int32],
    scale: float,
    threshold: float,
    powers: NDArray[np.float32],
    flags: NDArray[np.uint8],
    words: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> tuple[np.int64, np.float32, float]:
    """Classes of a frame with at least ``threshold`` of its mass, and always the best one.

    ``scale`` is ``log2(e) / temperature``; ``words`` are the ``flags`` in eights. Fills ``candidates`` with the classes
    and ``probabilities`` at their places; returns their number, the largest logit and the inverse of the mass. The number
    is 0 where the row is broken, see `largest_of`.
    """
    largest, sound = largest_of(bits)
    if not sound:
        return np.int64(0), largest, 0.0
    mass = powers_of(row, largest, np.float32(scale), powers)
    inverse = 1.0 / np.float64(mass)
    flag_above(powers, min(np.float32(threshold) * mass, np.float32(0.999999)), flags)  # the best has about 1
    count = np.int64(0)
    for word in range(len(words)):
        some = words[word]
        if some != 0:
            for j in range(8):
                if some & np.uint64(1):
                    label = 8 * word + j
                    candidates[count] = label
                    probabilities[label] = powers[label] * inverse
                    count += 1
                some >>= np.uint64(8)
    return count, largest, inverse
