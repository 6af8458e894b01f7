"""Character n-gram models: their file, and the factors that a search multiplies in.

A file is a header of `HEADER`, the symbols as UTF-8 (in the order of their numbers; ``"\\n"`` is the end of a line and,
as a context, its beginning), zeros up to a multiple of 8, then little-endian arrays: ``states`` records `STATE_ON_DISK`,
``arcs`` records `ARC_ON_DISK`, ``arcs`` bytes of symbols. States are contexts, the empty one first, shorter ones before
longer ones; the arcs of a state are its n-grams in the order of their last symbol. No pickle, nothing is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError, UsageError
from carrel.kernels.records import ARC, STATE, SYMBOLS_AT_ONCE

MAGIC = b"CARRELNG"
VERSION = 1
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
STATE_ON_DISK = np.dtype([("first", "<u4"), ("shorter", "<u4"), ("backoff", "<f4")])
ARC_ON_DISK = np.dtype([("score", "<f4"), ("next", "<u4")])
LINE_END = "\n"
MOST_STATES = 1 << 24  # the search packs a state into so many bits


@dataclass(frozen=True, slots=True, eq=False)
class NgramModel:
    """A model as in its file; scores and back-offs are log10. ``start`` is the state at the beginning of a line."""

    order: int
    symbols: str
    states: NDArray[np.void]  # (states,) STATE_ON_DISK
    arcs: NDArray[np.void]  # (arcs,) ARC_ON_DISK
    arc_symbols: NDArray[np.uint8]  # (arcs,)
    start: int
    unknown: float

    def to_bytes(self) -> bytes:
        """The content of the model's file."""
        symbols = self.symbols.encode("utf-8")
        header = np.zeros(1, HEADER)
        sizes = (len(symbols), len(self.states), len(self.arcs), self.start, self.unknown, 0)
        header[0] = (MAGIC, VERSION, self.order, *sizes)
        padding = bytes(-len(symbols) % 8)
        arrays = (self.states.tobytes(), self.arcs.tobytes(), self.arc_symbols.tobytes())
        return b"".join((header.tobytes(), symbols, padding, *arrays))

    def score(self, text: str) -> float:
        """log10 of the probability of a whole line, its end included. Plain Python: for checks, not for speed."""
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        state, total = self.start, 0.0
        for symbol in text + LINE_END:
            step, state = self._step(state, numbers.get(symbol, -1))
            total += step
        return total

    def _step(self, state: int, symbol: int) -> tuple[float, int]:
        backoffs = 0.0
        while symbol >= 0:
            first = int(self.states["first"][state])
            after = int(self.states["first"][state + 1]) if state + 1 < len(self.states) else len(self.arcs)
            arc = first + int(np.searchsorted(self.arc_symbols[first:after], symbol))
            if arc < after and self.arc_symbols[arc] == symbol:
                return backoffs + float(self.arcs["score"][arc]), int(self.arcs["next"][arc])
            if state == 0:
                break
            backoffs += float(self.states["backoff"][state])
            state = int(self.states["shorter"][state])
        return backoffs + self.unknown if symbol >= 0 else self.unknown, 0


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """A model raised to a weight, for an alphabet: what the search multiplies in."""

    states: NDArray[np.void]  # (states + 1,) STATE
    arcs: NDArray[np.void]  # (arcs,) ARC
    arc_symbols: NDArray[np.uint8]  # (arcs + SYMBOLS_AT_ONCE,)
    numbers: NDArray[np.int32]  # (classes + 1,) symbol of each class, then of the line's end; -1 unknown
    start: int
    unknown: float


def read_ngrams(file: Path) -> NgramModel:
    """Read a model's file.

    Raises
    ------
    ModelError
        The file is missing, cut short, of another kind or version, or its arrays point outside themselves.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the language model {file}: {error.strerror}; install the model again") from error
    return parse_ngrams(content, str(file))


def parse_ngrams(content: bytes, name: str) -> NgramModel:
    """`read_ngrams` from bytes; ``name`` is for messages."""
    if len(content) < HEADER.itemsize or not content.startswith(MAGIC):
        raise ModelError(f"{name} is no n-gram file; install the model again")
    header = np.frombuffer(content, HEADER, 1)[0]
    if header["version"] != VERSION:
        raise ModelError(f"{name} has format {header['version']}, this Carrel reads format {VERSION}; update Carrel")
    states, arcs, length = int(header["states"]), int(header["arcs"]), int(header["symbols_bytes"])
    at_states = HEADER.itemsize + length + (-length % 8)
    at_arcs = at_states + states * STATE_ON_DISK.itemsize
    at_symbols = at_arcs + arcs * ARC_ON_DISK.itemsize
    if len(content) != at_symbols + arcs:
        raise ModelError(
            f"{name} is {len(content)} bytes long and should be {at_symbols + arcs}; install the model again"
        )
    model = NgramModel(
        int(header["order"]),
        _symbols_of(content[HEADER.itemsize : HEADER.itemsize + length], name),
        np.frombuffer(content, STATE_ON_DISK, states, at_states),
        np.frombuffer(content, ARC_ON_DISK, arcs, at_arcs),
        np.frombuffer(content, np.uint8, arcs, at_symbols),
        int(header["start"]),
        float(header["unknown"]),
    )
    _check(model, name)
    return model


def _symbols_of(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"the symbols in {name} are damaged; install the model again") from error


def _check(model: NgramModel, name: str) -> None:
    """The kernel checks nothing, so everything it follows is checked here once."""
    states, arcs = model.states, model.arcs
    first = states["first"].astype(np.int64)
    sound = (
        0 < len(states) < MOST_STATES
        and len(set(model.symbols)) == len(model.symbols) <= 256
        and LINE_END in model.symbols
        and model.start < len(states)
        and first[0] == 0
        and bool((np.diff(first, append=len(arcs)) > 0).all())
        and bool((states["shorter"][1:] < np.arange(1, len(states))).all())
        and bool((arcs["next"] < len(states)).all())
        and bool((model.arc_symbols < len(model.symbols)).all())
        and model.unknown <= 0.0
        and bool(np.isfinite(states["backoff"]).all())
        and bool(np.isfinite(arcs["score"]).all())
        and bool((arcs["score"] <= 0.0).all())
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
        The characters of the classes other than the blank, in order.
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
        self.classes = len(classes)
        self._numbers = np.array([*classes, numbers[LINE_END]], np.int32)
        self.factors = lru_cache(maxsize=4)(self._factors)

    def _factors(self, weight: float, bonus: float) -> Factors:
        model = self.model
        states = np.zeros(len(model.states) + 1, STATE)
        for name in ("first", "shorter"):
            states[name][:-1] = model.states[name]
        states["first"][-1] = len(model.arcs)
        states["backoff"][:-1] = 10.0 ** (weight * model.states["backoff"].astype(np.float64))
        arcs = np.zeros(len(model.arcs), ARC)
        arcs["factor"] = bonus * 10.0 ** (weight * model.arcs["score"].astype(np.float64))
        arcs["next"] = model.arcs["next"]
        unknown = bonus * 10.0 ** (weight * model.unknown)
        first = model.states["first"].astype(np.int64)
        bits = np.left_shift(np.uint64(1), (model.arc_symbols & 63).astype(np.uint64))
        states["filter"][:-1] = np.bitwise_or.reduceat(bits, first)
        states["bound"][:-1] = _bounds(states[:-1], np.maximum.reduceat(arcs["factor"], first), unknown)
        symbols = np.concatenate([model.arc_symbols, np.zeros(SYMBOLS_AT_ONCE, np.uint8)])
        return Factors(states, arcs, symbols, self._numbers, model.start, unknown)


def _bounds(states: NDArray[np.void], of_arcs: NDArray[np.float32], unknown: float) -> NDArray[np.float32]:
    """Largest factor of any symbol in each state: of its arcs, or by falling back."""
    bounds = of_arcs.copy()
    bounds[0] = max(float(bounds[0]), unknown)
    done = 1
    while done < len(states):
        # states whose shorter context is done already form the next stretch: shorter contexts come first
        waiting = np.flatnonzero(states["shorter"][done:] >= done)
        end = done + int(waiting[0]) if len(waiting) else len(states)
        part = slice(done, end)
        bounds[part] = np.maximum(bounds[part], states["backoff"][part] * bounds[states["shorter"][part]])
        done = end
    return np.maximum(bounds, np.float32(unknown)) * np.float32(1.0 + 1e-6)
