"""Language model and lexicon as automata: one step per character, compiled, unchecked.

A language model is a set of states (the contexts seen in training, the empty one first) whose arcs are the n-grams. An
arc that a state lacks is looked for in the state of the next shorter context, at the price of a back-off factor.
A lexicon is a trie; the root is state 0, `OUTSIDE` is where a word ends up that the trie does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import inner
from carrel.kernels.records import SEPARATOR
from carrel.kernels.vectors import find_symbol

OUTSIDE = -1


class Language(NamedTuple):
    """A language model as the search reads it; ``symbols`` maps classes to symbols, -1 for unknown ones."""

    states: NDArray[np.void]
    arcs: NDArray[np.void]
    arc_symbols: NDArray[np.uint8]
    symbols: NDArray[np.int32]


class Trie(NamedTuple):
    """A lexicon as the search reads it: arcs of state s are ``first[s]:first[s + 1]``, sorted by symbol."""

    first: NDArray[np.int32]
    arc_symbols: NDArray[np.int32]
    arc_next: NDArray[np.int32]
    ends: NDArray[np.int32]
    symbols: NDArray[np.int32]


@inner
def language_step(language: Language, state: int, label: int, unknown: float) -> tuple[float, int]:
    """Factor of class ``label`` in a state, and the next state. Unknown classes cost ``unknown`` and forget the context."""
    symbol = language.symbols[label]
    if symbol < 0:
        return unknown, 0
    bit = np.uint64(1) << np.uint64(symbol & 63)
    factor = 1.0
    while True:
        record = language.states[state]
        if record.filter & bit:  # type: ignore[attr-defined]
            end = np.int64(language.states[state + 1].first)  # type: ignore[attr-defined]
            arc = find_symbol(language.arc_symbols, np.int64(record.first), end, symbol)  # type: ignore[attr-defined]
            if arc >= 0:
                return factor * language.arcs[arc].factor, np.int64(language.arcs[arc].next)  # type: ignore[attr-defined]
        if state == 0:
            return factor * unknown, 0
        factor *= record.backoff  # type: ignore[attr-defined]
        state = np.int64(record.shorter)  # type: ignore[attr-defined]


@inner
def trie_step(trie: Trie, state: int, label: int, penalty: float) -> tuple[float, int]:
    """Factor of class ``label`` in a trie state, and the next state; leaving the trie costs ``penalty``, once a word."""
    symbol = trie.symbols[label]
    if symbol == SEPARATOR:
        return trie_end(trie, state, penalty), 0
    if state == OUTSIDE:
        return 1.0, OUTSIDE
    first, end = trie.first[state], trie.first[state + 1]
    while first < end:
        middle = (first + end) >> 1
        if trie.arc_symbols[middle] < symbol:
            first = middle + 1
        else:
            end = middle
    if first < trie.first[state + 1] and trie.arc_symbols[first] == symbol:
        return 1.0, np.int64(trie.arc_next[first])  # type: ignore[return-value]
    return penalty, OUTSIDE


@inner
def trie_end(trie: Trie, state: int, penalty: float) -> float:
    """Factor of ending the word here: ``penalty`` inside an entry; between words and after a whole one nothing."""
    return penalty if state > 0 and not trie.ends[state] else 1.0
