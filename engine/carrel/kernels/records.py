"""The entries of kernels, and layouts of memory that they and their callers share; numpy alone.

The arrays of the search are listed once, as fields of `Workspace`, `Results`, `Language` and `Lexicon`: each field's
annotation says its type and its sides, by the names of `SIDES` or as numbers. `tables_of` reads the list for those who
make the arrays; the kernel takes them over by the same list, as addresses in its order.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import addressof, c_char, c_float, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

ENTRIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "read_lines": ("carrel.kernels.ctc_readings", (c_void_p, c_void_p, c_void_p, c_int64)),
    "sauvola_rows": (
        "carrel.kernels.pixels",
        (c_void_p, c_int64, c_int64, c_int64, c_float, c_float, c_int64, c_int64, c_void_p, c_void_p),
    ),
}
"""The kernels that are called from Python: module and types of the arguments; addresses are of C-ordered arrays."""

STATE = np.dtype([("first", "<u4"), ("shorter", "<u4"), ("bound", "u1")])
"""A context of a language model, two words of `LINK_BITS` and 8 bits and a byte. ``first``: the first arc (the last one is
before the next state's first), and a bit ``symbol % 8`` for each arc. ``shorter``: the state to fall back on, and the
code of the back-off weight of doing so. ``bound``: the code of a score that no symbol exceeds here."""
LINK_BITS = 24
LINK = (1 << LINK_BITS) - 1
CODES = 256

SEPARATOR, HYPHEN = -2, -3
"""Symbols of a lexicon for classes that end a word; after a part of a word and a hyphen, the line may end."""
OUTSIDE, HYPHENED = -1, -2
"""Nodes of a lexicon: where a word ends up that it does not hold; after a part of a word and a hyphen."""
NODE_END = 1 << 31
"""Bit of a lexicon's node at which an entry ends; the others are its first arc."""

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


@dataclass(frozen=True, slots=True)
class Sides:
    """The shape of an array: names of `SIDES` or numbers. ``spare`` items more may be read behind it."""

    sides: tuple[str | int, ...]
    spare: int = 0
    dtype: np.dtype[Any] | None = None  # of records, which no annotation of numpy's can say


SIDES = (
    "width",  # prefixes in the beam
    "classes",
    "labels",  # classes and the line's end
    "padded",  # classes, up to a multiple of `PADDING`
    "pairs",  # prefixes times classes
    "pool",  # prefixes and pairs
    "nodes",  # of the trie of prefixes: a frame adds at most ``width``, and twice as many marks
    "marks",
    "longest",  # frames of a line
    "lines",
    "alternatives",
    "room",  # characters of all readings of a call
    "states",  # of a language model, and one
    "arcs",
    "lexicon_nodes",  # and one
    "lexicon_arcs",
)


class Workspace(NamedTuple):
    """Scratch memory of one thread. Columns and rows are named in `carrel.kernels.ctc_search`."""

    nodes: Annotated[NDArray[np.int32], Sides(("nodes", 7))]
    factors: Annotated[NDArray[np.float64], Sides(("nodes",))]
    marks: Annotated[NDArray[np.int32], Sides(("marks", 2))]  # frame, mark before
    masses: Annotated[NDArray[np.float64], Sides((8, "width"), PADDING)]
    slots: Annotated[NDArray[np.int32], Sides((4, "width"))]
    pool: Annotated[NDArray[np.float64], Sides(("pool",), PADDING)]  # masses after the frame: of stays, of extensions
    extensions: Annotated[NDArray[np.float64], Sides(("pairs",))]  # factor
    origins: Annotated[NDArray[np.int32], Sides((8, "pairs"))]
    taken: Annotated[NDArray[np.uint8], Sides(("pairs",))]
    probabilities: Annotated[NDArray[np.float64], Sides(("classes",))]
    candidates: Annotated[NDArray[np.int32], Sides(("classes",))]
    tries: Annotated[NDArray[np.int32], Sides(("classes",))]
    try_chances: Annotated[NDArray[np.float64], Sides(("classes",))]  # their probabilities
    powers: Annotated[NDArray[np.float32], Sides(("padded",))]
    levels: Annotated[NDArray[np.float64], Sides((3,))]
    frames: Annotated[NDArray[np.float64], Sides((3, "longest"))]  # offset, inverse sum of powers, share of the blank
    chances: Annotated[NDArray[np.float64], Sides((2, "longest"))]  # of characters: share in the span, in the beam
    memo: Annotated[NDArray[np.void], Sides((1 << MEMO_BITS,), dtype=MEMO)]


class Results(NamedTuple):
    """Arrays that the search writes; the characters of the readings follow one another."""

    readings: Annotated[NDArray[np.void], Sides(("lines", "alternatives"), dtype=READING)]
    characters: Annotated[NDArray[np.int32], Sides((3, "room"))]  # classes, first frames, frames after the last
    certainties: Annotated[NDArray[np.float64], Sides(("room",))]


class Language(NamedTuple):
    """A language model as the search reads it, as it lies in its file but for the first three."""

    symbols: Annotated[NDArray[np.int32], Sides(("labels",))]  # of each class; -1 unknown
    scores: Annotated[NDArray[np.float64], Sides((CODES,))]  # factors of the codes of scores, and of back-off weights
    backoffs: Annotated[NDArray[np.float64], Sides((CODES,))]
    states: Annotated[NDArray[np.void], Sides(("states",), dtype=STATE)]
    arcs: Annotated[NDArray[np.uint32], Sides(("arcs",))]  # n-grams: state after it, and 8 bits of its score's code
    arc_symbols: Annotated[NDArray[np.uint8], Sides(("arcs",), SYMBOLS_AT_ONCE)]


class Lexicon(NamedTuple):
    """A lexicon as the search reads it: nodes are prefixes of entries, some of them the same as their endings are."""

    symbols: Annotated[NDArray[np.int32], Sides(("labels",))]  # of each class; -1 unknown, `SEPARATOR`, `HYPHEN`
    nodes: Annotated[NDArray[np.uint32], Sides(("lexicon_nodes",))]  # first arc, and `NODE_END`
    arc_symbols: Annotated[NDArray[np.uint16], Sides(("lexicon_arcs",))]  # ascending within a node
    arc_nodes: Annotated[NDArray[np.uint32], Sides(("lexicon_arcs",))]


@dataclass(frozen=True, slots=True)
class Table:
    """One array of a list: its type and `Sides`."""

    name: str
    dtype: np.dtype[Any]
    sides: tuple[str | int, ...]
    spare: int

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return its shape, where the sides have these sizes."""
        return tuple(side if isinstance(side, int) else sizes[side] for side in self.sides)

    def items(self, sizes: Mapping[str, int]) -> int:
        """Return how many items of memory it needs."""
        return prod(self.shape(sizes)) + self.spare


@cache
def tables_of(kind: type[Any]) -> tuple[Table, ...]:
    """Return the arrays of a list such as `Workspace`, in its order."""
    return tuple(_table(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items())


def _table(name: str, hint: Any) -> Table:
    array, sides = get_args(hint)
    return Table(name, sides.dtype or items_of(array), sides.sides, sides.spare)


def items_of(array: Any) -> np.dtype[Any]:
    """Return the type of the items of ``NDArray[item]``: an alias that holds the item alone from NumPy 2.5 on."""
    *_, inner = get_args(array)
    return np.dtype(next(iter(get_args(inner)), inner))


def sides_record(sizes: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the sizes in the order of `SIDES`, 0 for those that are not given."""
    return np.array([sizes.get(side, 0) for side in SIDES], np.int64)


def addresses_record(kind: type[Any], arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Return the addresses of the arrays of a list in its order; whoever uses them keeps the arrays."""
    return np.array([address_of(arrays[table.name]) for table in tables_of(kind)], np.int64)


def _numbers(*names: str) -> list[tuple[str, str]]:
    return [(name, "<i8") for name in names]


SETTINGS = np.dtype(
    [
        *_numbers("classes", "blank", "width", "alternatives", "use_language", "use_lexicon", "first_context"),
        *_numbers("first_node", "open_ends", "normalized"),
        *[(name, "<f8") for name in ("threshold", "beam_threshold", "scale", "unknown", "penalty")],
        *_numbers("at_sizes", "at_language", "at_lexicon"),
    ]
)
"""What ``read_lines`` is asked to do: `carrel.decode.DecodeOptions`, and the addresses of sizes by `SIDES` and of the
addresses of `Language` and `Lexicon`."""

MEMORY = np.dtype(_numbers("calls", "at_sizes", "at_workspace", "at_results"))
"""What ``read_lines`` works in and writes into: the number of calls so far, and addresses as in `SETTINGS`."""


def address_of(array: NDArray[np.generic]) -> int:
    """Return where an array's memory begins; whoever uses this keeps the array."""
    try:
        memory: Any = array
        return addressof(c_char.from_buffer(memory))  # three times as fast
    except (TypeError, ValueError):  # read only; empty or not contiguous
        return array.ctypes.data
