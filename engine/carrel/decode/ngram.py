"""Character n-gram models: their file, which the search reads in place, and a model bound to a network's classes.

A file is a header of `HEADER`, the symbols as UTF-8 (in the order of their numbers; ``"\\n"`` is the end of a line and,
as a context, its beginning), zeros up to a multiple of 8, then little-endian arrays in the order of `parts_of`. Scores
and back-off weights are log10; n-grams hold codes of them, one byte each. States are contexts, the empty one first,
shorter ones before longer ones; the arcs of a state are its n-grams in the order of their last symbol. No pickle,
nothing is executed, and nothing in a file leads the search out of it: see `carrel.kernels.ctc_context`.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError, UsageError
from carrel.kernels.records import CODES, LINK, LINK_BITS, STATE, SYMBOLS_AT_ONCE

MAGIC = b"CARRELNG"
VERSION = 2
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("order", "<u4"),
        ("symbols_bytes", "<u4"),
        ("states", "<u4"),
        ("arcs", "<u4"),
        ("start", "<u4"),
        ("unknown", "<f4"),
        ("reserved", "<u4"),
    ]
)
LINE_END = "\n"
MOST_SYMBOLS = 256
MOST_SCORE = 100.0
"""Bound of scores and back-off weights, either way: 99 stands for never in the field's formats."""
Buffer = bytes | mmap.mmap


def parts_of(states: int, arcs: int) -> dict[str, tuple[np.dtype[Any], int]]:
    """Return the arrays of a file, in their order: type and number of items."""
    return {
        "scores": (np.dtype("<f4"), CODES),
        "backoffs": (np.dtype("<f4"), CODES),
        "arcs": (np.dtype("<u4"), arcs),
        "states": (STATE, states + 1),
        "arc_symbols": (np.dtype("u1"), arcs + SYMBOLS_AT_ONCE),
    }


@dataclass(frozen=True, slots=True, eq=False)
class NgramModel:
    """A model as in its file. ``start`` is the state at the beginning of a line, ``unknown`` the score of a character
    that is no symbol."""

    order: int
    symbols: str
    start: int
    unknown: float
    scores: NDArray[np.float32]  # (CODES,)
    backoffs: NDArray[np.float32]  # (CODES,)
    arcs: NDArray[np.uint32]  # (arcs,) state after the n-gram, code of its score
    states: NDArray[np.void]  # (states + 1,) STATE
    arc_symbols: NDArray[np.uint8]  # (arcs + SYMBOLS_AT_ONCE,)

    def to_bytes(self) -> bytes:
        """Return the content of the model's file."""
        symbols = self.symbols.encode("utf-8")
        header = np.zeros(1, HEADER)
        sizes = (len(symbols), len(self.states) - 1, len(self.arcs), self.start, self.unknown, 0)
        header[0] = (MAGIC, VERSION, self.order, *sizes)
        arrays = [getattr(self, name).tobytes() for name in parts_of(0, 0)]
        return b"".join((header.tobytes(), symbols, bytes(-len(symbols) % 8), *arrays))

    def score(self, text: str) -> float:
        """Return log10 of the probability of a whole line, its end included. Plain Python: for checks, not for speed."""
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        state, total = self.start, 0.0
        for symbol in text + LINE_END:
            step, state = self.step(state, numbers.get(symbol, -1))
            total += step
        return total

    def step(self, state: int, symbol: int) -> tuple[float, int]:
        """Return the score of a symbol, -1 for an unknown one, in a state, and the state after it."""
        backoffs = 0.0
        while symbol >= 0:
            first, after = (int(word) & LINK for word in self.states["first"][state : state + 2])
            found = np.flatnonzero(self.arc_symbols[first : min(after, len(self.arcs))] == symbol)
            if len(found):
                word = int(self.arcs[first + found[0]])
                following = word & LINK if word & LINK < len(self.states) - 1 else 0
                return backoffs + float(self.scores[word >> LINK_BITS]), following
            if state == 0:
                break
            word = int(self.states["shorter"][state])
            backoffs += float(self.backoffs[word >> LINK_BITS])
            state = min(word & LINK, state - 1)
        return backoffs + self.unknown, 0


def read_ngrams(file: Path) -> NgramModel:
    """Read a model's file, which stays where it is: its pages come into memory as the search reaches them.

    Raises
    ------
    ModelError
        The file is missing, cut short, or of another kind or version.
    """
    try:
        with file.open("rb") as opened:
            content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        reason = getattr(error, "strerror", None) or "it is empty"
        raise ModelError(f"cannot read the language model {file}: {reason}; install the model again") from error
    return parse_ngrams(content, str(file))


def parse_ngrams(content: Buffer, name: str) -> NgramModel:
    """Take over a model's file that lies in memory; ``name`` is for messages."""
    if len(content) < HEADER.itemsize or content[: len(MAGIC)] != MAGIC:
        raise ModelError(f"{name} is no n-gram file; install the model again")
    header = np.frombuffer(content, HEADER, 1)[0]
    if header["version"] != VERSION:
        raise ModelError(f"{name} has format {header['version']}, this Carrel reads format {VERSION}; update Carrel")
    length = int(header["symbols_bytes"])
    place = HEADER.itemsize + length + (-length % 8)
    parts = parts_of(int(header["states"]), int(header["arcs"]))
    size = place + sum(dtype.itemsize * items for dtype, items in parts.values())
    if len(content) != size:
        raise ModelError(f"{name} is {len(content)} bytes long and should be {size}; install the model again")
    arrays: dict[str, NDArray[Any]] = {}
    for part, (dtype, items) in parts.items():
        arrays[part] = np.frombuffer(content, dtype, items, place)
        place += dtype.itemsize * items
    symbols = _symbols_of(content[HEADER.itemsize : HEADER.itemsize + length], name)
    model = NgramModel(int(header["order"]), symbols, int(header["start"]), float(header["unknown"]), **arrays)
    _check(model, name)
    return model


def _symbols_of(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"the symbols in {name} are damaged; install the model again") from error


def _check(model: NgramModel, name: str) -> None:
    """Refuse what the search would not notice; where states and arcs lead, it looks at itself, one by one."""
    numbers = np.concatenate([model.scores, model.backoffs, [model.unknown]])
    sound = (
        len(set(model.symbols)) == len(model.symbols) <= MOST_SYMBOLS
        and LINE_END in model.symbols
        and model.start < len(model.states) - 1 < 1 << LINK_BITS
        and 0 < len(model.arcs) < 1 << LINK_BITS
        and bool((np.abs(numbers) <= MOST_SCORE).all())
    )
    if not sound:
        raise ModelError(f"{name} is damaged: its parts do not fit together; install the model again")


class Language:
    """A model bound to a network's classes.

    Parameters
    ----------
    model
        See `read_ngrams`.
    alphabet
        The characters of the classes other than the blank, in order. What the model does not know is unlikely anywhere.
    blank
        Class index of the blank.
    """

    def __init__(self, model: NgramModel, alphabet: str, blank: int = 0) -> None:
        if not 0 <= blank <= len(alphabet):
            raise UsageError(f"blank is class {blank}, but there are classes 0 to {len(alphabet)}")
        numbers = {symbol: number for number, symbol in enumerate(model.symbols)}
        classes = [numbers.get(symbol, -1) for symbol in alphabet]
        classes.insert(blank, -1)
        self.model = model
        self.start = model.start
        self.classes = len(classes)
        self._numbers = np.array([*classes, numbers[LINE_END]], np.int32)
        self.arrays = lru_cache(maxsize=4)(self._arrays)

    def unknown(self, weight: float, bonus: float) -> float:
        """Return the factor of a character that the model does not know."""
        return bonus * 10.0 ** (weight * self.model.unknown)

    def _arrays(self, weight: float, bonus: float) -> dict[str, NDArray[Any]]:
        """The model raised to a weight: the arrays of `carrel.kernels.records.Language`."""
        model = self.model
        scores, backoffs = (
            _tenth_powers(weight * table.astype(np.float64)) for table in (model.scores, model.backoffs)
        )
        return {
            "symbols": self._numbers,
            "scores": bonus * scores,
            "backoffs": backoffs,
            "states": model.states,
            "arcs": model.arcs,
            "arc_symbols": model.arc_symbols,
        }


def _tenth_powers(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 10 to each power, by the C library: numpy's own powers differ in the last bit from processor to processor."""
    return np.array([10.0**exponent for exponent in exponents.tolist()], np.float64)


@cache
def no_language(classes: int) -> Language:
    """Return a language model that knows nothing, for searches without one."""
    table, arcs = np.zeros(CODES, np.float32), np.zeros(1, np.uint32)
    symbols = np.zeros(1 + SYMBOLS_AT_ONCE, np.uint8)
    model = NgramModel(1, LINE_END, 0, 0.0, table, table, arcs, np.zeros(2, STATE), symbols)
    return Language(model, "\0" * (classes - 1))
