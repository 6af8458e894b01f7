"""Language model and lexicon as automata: one step per character. Compiled; what lies in their files is never trusted.

A language model is a set of states (the contexts seen in training, the empty one first) whose arcs are the n-grams. An
arc that a state lacks is looked for in the state of the next shorter context, at the price of a back-off factor. Both
lie in memory as in the model's file, which may be anything: so states and arcs that are not there are not followed, and
back-offs lead to earlier states only.

A lexicon is an automaton of words; the root is node 0. `OUTSIDE` is where a word ends up that it does not hold,
`HYPHENED` the place after a part of a word and a hyphen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from carrel.kernels.compiled import inner
from carrel.kernels.records import (
    HYPHEN,
    HYPHENED,
    LINK,
    LINK_BITS,
    NODE_END,
    OUTSIDE,
    SEPARATOR,
    Language,
    Lexicon,
)
from carrel.kernels.vectors import find_symbol

LEAST_FACTOR, MOST_FACTOR = 1e-30, 1e30
"""Of a character, whatever the language model says: the search rescales its masses once a frame."""


@inner
def within_factors(factor: float) -> float:
    """Return a factor, or the nearest that the search can bear; of NaN the least."""
    return min(factor, MOST_FACTOR) if factor > LEAST_FACTOR else LEAST_FACTOR


@inner
def language_step(language: Language, state: int, label: int, unknown: float) -> tuple[float, int]:
    """Return factor of class ``label`` in a state, and the next state. Unknown classes cost ``unknown`` and forget the context."""
    symbol = np.int64(language.symbols[label])
    if symbol < 0:
        return within_factors(unknown), 0
    bit = np.int64(1) << (LINK_BITS + (symbol & 7))
    factor = 1.0
    while True:
        record: Any = language.states[state]
        word = np.int64(record.first)
        if word & bit:
            following: Any = language.states[state + 1]
            end = min(np.int64(following.first) & LINK, np.int64(len(language.arcs)))
            arc = find_symbol(language.arc_symbols, word & LINK, end, symbol)
            if arc >= 0:
                word = np.int64(language.arcs[arc])
                after = word & LINK
                factor *= language.scores[word >> LINK_BITS]
                return within_factors(factor), after if after < len(language.states) - 1 else np.int64(0)  # type: ignore[return-value]
        if state == 0:
            return within_factors(factor * unknown), 0
        word = np.int64(record.shorter)
        factor *= language.backoffs[word >> LINK_BITS]
        state = word & LINK if word & LINK < state else np.int64(0)  # type: ignore[assignment]


@inner
def word_step(lexicon: Lexicon, node: int, label: int, penalty: float) -> tuple[float, int]:
    """Return factor of class ``label`` in a lexicon's node, and the next node; leaving the lexicon costs ``penalty``, once a
    word."""
    symbol = np.int64(lexicon.symbols[label])
    factor = 1.0
    if node == HYPHENED:  # the line goes on behind the hyphen
        factor, node = penalty, 0
    if symbol == HYPHEN and node > 0 and not lexicon.nodes[node] & NODE_END:
        return factor, HYPHENED
    if symbol <= SEPARATOR:  # both end words
        return factor * word_end(lexicon, node, penalty), 0
    if node == OUTSIDE:
        return factor, OUTSIDE
    first = np.int64(lexicon.nodes[node]) & (NODE_END - 1)
    end = min(np.int64(lexicon.nodes[node + 1]) & (NODE_END - 1), np.int64(len(lexicon.arc_nodes)))
    after = end
    while first < end:
        middle = (first + end) >> 1
        if lexicon.arc_symbols[middle] < symbol:
            first = middle + 1
        else:
            end = middle
    if first < after and lexicon.arc_symbols[first] == symbol:
        found = np.int64(lexicon.arc_nodes[first])
        if found < len(lexicon.nodes) - 1:
            return factor, found  # type: ignore[return-value]
    return factor * penalty, OUTSIDE


@inner
def word_end(lexicon: Lexicon, node: int, penalty: float) -> float:
    """Return factor of ending the word here: ``penalty`` inside an entry; between words and after a whole one nothing."""
    return penalty if node > 0 and not lexicon.nodes[node] & NODE_END else 1.0
