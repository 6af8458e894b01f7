"""One frame of logits: its largest value, its mass, and the few classes that matter. Compiled, unchecked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import compiled

LOG2_E = 1.4426950408889634
PADDING = 8
"""Flags are read eight at a time: a row of them is padded to a multiple of this."""


@compiled
def largest_of(bits: NDArray[np.int32]) -> float:
    """Largest of a row of floats, given as their bits ``(c,)``: integers compare in vectors, floats would not."""
    mask = np.int32(0x7FFFFFFF)
    best = np.int32(-0x7FFFFFFF)
    for j in range(len(bits)):
        ordered = np.int32(bits[j] ^ np.int32(np.int32(bits[j] >> np.int32(31)) & mask))
        best = max(best, ordered)
    best = np.int32(best ^ np.int32(np.int32(best >> np.int32(31)) & mask))
    return best.view(np.float32)  # type: ignore[return-value]


@compiled(fastmath={"reassoc", "contract", "nsz", "nnan", "ninf", "arcp"})
def mass_of(row: NDArray[np.float32], largest: np.float32, scale: np.float32) -> float:
    """Sum of ``2 ** ((row - largest) * scale)``, relative error under 1e-6: exponent by bits, fraction by a polynomial."""
    total = np.float32(0.0)
    for j in range(len(row)):
        exponent = (row[j] - largest) * scale + np.float32(127.0)
        exponent = exponent if exponent > np.float32(0.0) else np.float32(0.0)  # too small to count, and -inf
        whole = np.int32(exponent)
        x = exponent - np.float32(whole)
        power = np.int32(whole << np.int32(23)).view(np.float32)
        value = np.float32(1.8775767e-3)
        value = value * x + np.float32(8.9893397e-3)
        value = value * x + np.float32(5.5826318e-2)
        value = value * x + np.float32(2.4015361e-1)
        value = value * x + np.float32(6.9315308e-1)
        value = value * x + np.float32(9.9999994e-1)
        total += power * value
    return total  # type: ignore[return-value]


@compiled
def flag_above(row: NDArray[np.float32], level: np.float32, flags: NDArray[np.uint8]) -> None:
    """Set ``flags`` where ``row`` reaches ``level``."""
    for j in range(len(row)):
        flags[j] = np.uint8(row[j] >= level)


@compiled
def candidates_of(
    row: NDArray[np.float32],
    bits: NDArray[np.int32],
    scale: float,
    log_threshold: float,
    threshold: float,
    flags: NDArray[np.uint8],
    words: NDArray[np.uint64],
    probabilities: NDArray[np.float64],
    candidates: NDArray[np.int32],
) -> tuple[int, float, float]:
    """Classes of a frame with at least ``threshold`` of its mass, and always the best one.

    ``scale`` is ``log2(e) / temperature``; ``words`` are the ``flags`` in eights. Fills ``candidates`` with the classes
    and ``probabilities`` at their places; returns their number, the largest logit and the inverse of the mass.
    """
    largest = largest_of(bits)
    inverse = 1.0 / mass_of(row, largest, np.float32(scale))
    # a class under `threshold` of the best one is under `threshold` of the mass, too
    flag_above(row, np.float32(largest + log_threshold * LOG2_E / scale - 1e-4), flags)
    count = 0
    best, best_probability = 0, -1.0
    for word in range(len(words)):
        if words[word] != 0:
            for j in range(PADDING * word, PADDING * word + PADDING):
                if flags[j]:
                    probability = math.exp((row[j] - largest) * (scale / LOG2_E)) * inverse
                    if probability > best_probability:
                        best, best_probability = j, probability
                    if probability >= threshold:
                        candidates[count] = j
                        probabilities[j] = probability
                        count += 1
    if count == 0:
        candidates[0] = best
        probabilities[best] = best_probability
        count = 1
    return count, largest, inverse
