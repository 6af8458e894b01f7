"""Beam search over a batch of lines, with a language model and a lexicon if wanted. Loads compiled kernels when called."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from carrel.decode.arrays import Room, Scratch, levels_of, room_for, scratch_for
from carrel.decode.checks import check_shape, check_values
from carrel.decode.lexicon import Lexicon
from carrel.decode.ngram import ARC, STATE, Factors, Language
from carrel.decode.options import DecodeOptions
from carrel.decode.types import Decoded
from carrel.errors import UsageError

Readings = tuple[Decoded, ...]
_thread = threading.local()
LINES_AT_ONCE = 8
BROKEN = -2
"""Length of a line that holds broken frames; see ``carrel.kernels.ctc_search``."""


def beam_search(
    logits: NDArray[np.float32],
    options: DecodeOptions | None = None,
    language: Language | None = None,
    lexicon: Lexicon | None = None,
    blank: int = 0,
) -> Readings:
    """Read one line ``(t, c)``; see `beam_search_lines`."""
    return beam_search_lines([logits], None, options, language, lexicon, blank)[0]


def beam_search_lines(
    logits: NDArray[np.float32] | Sequence[NDArray[np.float32]],
    frames: Sequence[int] | None = None,
    options: DecodeOptions | None = None,
    language: Language | None = None,
    lexicon: Lexicon | None = None,
    blank: int = 0,
) -> list[Readings]:
    """Read lines by CTC prefix beam search.

    Parameters
    ----------
    logits
        float32 ``(n, t, c)``, or a sequence of ``(t, c)``; unnormalized, log probabilities do as well.
    frames
        Number of frames of each line that belong to it; the rest is padding and is not looked at.
    options
        See `DecodeOptions`.
    language, lexicon
        Bound to the same classes as the logits.
    blank
        Class index of the blank.

    Returns
    -------
    list of tuple of Decoded
        For each line the best readings, best first, at most ``options.alternatives``. A tuple is empty only where a
        lexicon with penalty 0 allows nothing that the beam holds.

    Raises
    ------
    UsageError, ModelError
        See `carrel.decode.checks.check_line`; a language model or lexicon for other classes.

    References
    ----------
    A. Hannun et al., arXiv:1408.2873; A. Graves, "Supervised Sequence Labelling with Recurrent Neural Networks", 2012,
    doi:10.1007/978-3-642-24797-2.
    """
    options = options or DecodeOptions()
    lines = [row if frames is None else row[: frames[i]] for i, row in enumerate(logits)]
    for i, line in enumerate(lines):
        check_shape(line, blank, options.temperature, line=i)
    if not lines:
        return []
    classes = lines[0].shape[1]
    _check_classes(lines, classes, language, lexicon)
    search = _Search(options, language, lexicon, blank, classes)
    try:
        if options.threads == 1 or len(lines) == 1:
            return search.read(lines)
        return _read_in_threads(search, lines, options.threads)
    except _BrokenLineError:
        for i, line in enumerate(lines):
            check_values(line, i)
        raise


def _check_classes(
    lines: list[NDArray[np.float32]], classes: int, language: Language | None, lexicon: Lexicon | None
) -> None:
    for i, line in enumerate(lines):
        if line.shape[1] != classes:
            raise UsageError(f"line {i} has {line.shape[1]} classes, line 0 has {classes}")
    for name, bound in (("language model", language), ("lexicon", lexicon)):
        if bound is not None and bound.classes != classes:
            raise UsageError(f"the {name} is bound to {bound.classes} classes, the logits have {classes}")


def _read_in_threads(search: _Search, lines: list[NDArray[np.float32]], threads: int) -> list[Readings]:
    share = -(-len(lines) // (4 * threads))  # a few parts a thread: lines differ in length
    parts = [lines[i : i + share] for i in range(0, len(lines), share)]
    with ThreadPoolExecutor(threads, "carrel-decode") as pool:
        return [readings for part in pool.map(search.read, parts) for readings in part]


class _BrokenLineError(Exception):
    """A line holds values that `check_values` refuses; the search looks at them all anyway."""


class _Search:
    """The settings of a call in the kernel's terms; `read` may run in several threads at once."""

    def __init__(
        self, options: DecodeOptions, language: Language | None, lexicon: Lexicon | None, blank: int, classes: int
    ) -> None:
        factors = language.factors(options.language_weight, options.length_bonus) if language else _no_factors(classes)
        self.width, self.alternatives, self.classes = options.beam_width, options.alternatives, classes
        flags = (int(language is not None), int(lexicon is not None))
        self.counts = (blank, options.beam_width, *flags, factors.start)
        self.levels = levels_of(options, factors.unknown)
        self.factors = factors
        self.trie = lexicon.packed if lexicon else _no_trie()
        self.symbols = np.stack([factors.numbers, lexicon.symbols if lexicon else factors.numbers])

    def read(self, lines: list[NDArray[np.float32]]) -> list[Readings]:
        """Read lines, a few at a time: the room for their results is used again and stays in the processor's cache."""
        longest = max(map(len, lines))
        memory = _memory(self.width, self.classes, self.alternatives, longest)
        found: list[Readings] = []
        for i in range(0, len(lines), LINES_AT_ONCE):
            found += self._read(lines[i : i + LINES_AT_ONCE], memory)
        return found

    def _read(self, lines: list[NDArray[np.float32]], memory: _Memory) -> list[Readings]:
        from carrel.kernels.ctc_readings import read_lines

        rows, places = _rows_of(lines)
        f, scratch, room = self.factors, memory.scratch, memory.room
        read_lines(
            rows,
            places,
            np.array((*self.counts, memory.longest)),
            self.levels,
            f.states,
            f.arcs,
            f.arc_symbols,
            self.trie,
            self.symbols,
            scratch.integers,
            scratch.reals,
            scratch.flags,
            room.lengths,
            room.scores,
            room.characters,
            room.chances,
        )
        return _readings(room, len(lines))


def _rows_of(lines: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All rows of all lines as one array, and where each line stands in it."""
    lengths = np.array([len(line) for line in lines])
    rows = np.require(lines[0], requirements=["C", "W"]) if len(lines) == 1 else np.concatenate(lines)
    return rows, np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a thread works in, for lines of up to ``longest`` frames."""

    key: tuple[int, int, int]
    longest: int
    scratch: Scratch
    room: Room


def _memory(width: int, classes: int, alternatives: int, frames: int) -> _Memory:
    """The thread's memory, made anew when something else or longer comes."""
    key = (width, classes, alternatives)
    held: _Memory | None = getattr(_thread, "held", None)
    if held is None or held.key != key or held.longest < frames:
        longest = -(-frames // 128) * 128
        room = room_for(LINES_AT_ONCE, alternatives, longest)
        held = _thread.held = _Memory(key, longest, scratch_for(width, classes, longest), room)
    return held


@cache
def _no_factors(classes: int) -> Factors:
    nothing = np.zeros(classes + 1, np.int32)
    return Factors(np.zeros(2, STATE), np.zeros(1, ARC), np.zeros(1, np.uint8), nothing, 0, 1.0)


@cache
def _no_trie() -> NDArray[np.int32]:
    return np.array([1, 0, 0, 0, 0], np.int32)


def _readings(room: Room, lines: int) -> list[Readings]:
    lengths, scores = room.lengths[:lines].tolist(), room.scores[:lines].tolist()
    if any(row[0] == BROKEN for row in lengths):
        raise _BrokenLineError
    return [
        tuple(
            _reading(room.characters[n, k, :, :length], room.chances[n, k, :, :length], scores[n][k])
            for k, length in enumerate(row)
            if length >= 0
        )
        for n, row in enumerate(lengths)
    ]


def _reading(characters: NDArray[np.int32], chances: NDArray[np.float32], score: float) -> Decoded:
    classes, starts, ends = characters.tolist()
    # what the network says of the place and what the readings agree on: their mean tells right from wrong best
    probabilities = chances.mean(axis=0, dtype=np.float64).tolist()
    confidence = sum(probabilities) / len(probabilities) if probabilities else min(1.0, float(np.exp(score)))
    return Decoded(tuple(classes), tuple(probabilities), tuple(starts), tuple(ends), score, confidence)
