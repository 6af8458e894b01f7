"""Layouts of memory that kernels and their callers share; numpy alone."""

from __future__ import annotations

from ctypes import addressof, c_char
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATE = np.dtype([("filter", "<u8"), ("first", "<u4"), ("shorter", "<u4"), ("backoff", "<f4"), ("bound", "<f4")])
"""A context of a language model. ``filter`` has bit ``symbol % 64`` set for each arc, ``first`` is the first arc (the
last one is before the next state's first), ``shorter`` the state to fall back on, ``backoff`` the factor of doing so,
``bound`` the largest factor any symbol can have here."""

ARC = np.dtype([("factor", "<f4"), ("next", "<u4")])
"""An n-gram: the factor of its last symbol after its context, and the state after it."""

SEPARATOR = -2
"""Trie symbol of a class that ends a word."""

LINE = np.dtype([("rows", "<i8"), ("frames", "<i8")])
"""A line of logits: the address of its float32 ``(frames, classes)``, and how many frames there are."""

READING = np.dtype([("length", "<i8"), ("score", "<f8"), ("confidence", "<f8")])
"""A reading of a line; ``length`` is `NONE` where there is none and `BROKEN` where the line is broken."""
NONE, BROKEN = -1, -2


MEMO_BITS = 13
"""Logarithm of the number of steps of a language model that are remembered."""
MEMO = np.dtype([("key", "<i8"), ("factor", "<f4"), ("next", "<i4")])
"""A step of a language model that is remembered: call, state and class, its factor, the state after it."""
TOLERANCE = 0.01
"""By how much the probabilities of a frame may miss a sum of 1."""
SYMBOLS_AT_ONCE = 32
"""The symbols of n-grams are looked through so many at a time: there are as many more behind the last."""
PADDING = 64
"""Powers are compared so many at a time: a row of them is padded to a multiple of this."""


def _numbers(*names: str) -> list[tuple[str, str]]:
    return [(name, "<i8") for name in names]


SETTINGS = np.dtype(
    [
        *_numbers("classes", "blank", "width", "alternatives", "use_language", "use_lexicon", "first_context"),
        *_numbers("normalized"),
        *[(name, "<f8") for name in ("threshold", "beam_threshold", "scale", "unknown", "penalty")],
        *_numbers("states", "arcs", "trie_states", "trie_arcs"),
        *_numbers(
            "at_states",  # STATE, one more than there are
            "at_arcs",  # ARC
            "at_arc_symbols",  # uint8
            "at_language_symbols",  # int32, (classes + 1,)
            "at_trie_first",  # int32, (trie_states + 1,)
            "at_trie_ends",  # int32
            "at_trie_symbols",  # int32
            "at_trie_next",  # int32
            "at_lexicon_symbols",  # int32, (classes + 1,)
        ),
    ]
)
"""What ``read_lines`` is asked to do: `carrel.decode.DecodeOptions`, a language model, a lexicon."""

MEMORY = np.dtype(
    _numbers(
        "longest",  # frames of a line
        "room",  # characters of all readings of a call
        "calls",  # so far
        # scratch memory, see `carrel.decode.arrays`
        "at_nodes",
        "at_factors",
        "at_marks",
        "at_masses",
        "at_slots",
        "at_pool",
        "at_extensions",
        "at_origins",
        "at_taken",
        "at_probabilities",
        "at_candidates",
        "at_tries",
        "at_try_chances",
        "at_powers",
        "at_levels",
        "at_frames",
        "at_memo",
        "at_chances",
        # results: the characters of the readings follow one another
        "at_readings",  # READING, (lines, alternatives)
        "at_characters",  # int32, (3, room): classes, first frames, frames after the last
        "at_certainties",  # float64, (room,)
    )
)
"""What ``read_lines`` works in and writes into."""


def address_of(array: NDArray[np.generic]) -> int:
    """Where an array's memory begins; whoever uses this keeps the array."""
    try:
        memory: Any = array
        return addressof(c_char.from_buffer(memory))  # three times as fast
    except (TypeError, ValueError):  # read only; empty or not contiguous
        return array.ctypes.data
