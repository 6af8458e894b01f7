"""N-grams as the search reads them: states and arcs, scores and back-off weights as codes of one byte. numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import LINE_END, NgramModel
from carrel.kernels.records import CODES, LINK_BITS, STATE, SYMBOLS_AT_ONCE
from carrel_export.language.counts import Integers, Keys, count_ngrams, mask_of, places_of, symbols_of
from carrel_export.language.kneser_ney import Level, Reals, estimate, runs_of
from carrel_export.language.mix import Part, gains_of, mix, prune, prune_to

UNKNOWN_LOG10 = -6.0
"""Score of a character that the model has never seen."""
STEPS, BINS = 30, 1 << 14
"""Rounds of the search for the codes' values, and how finely it looks at what they stand for."""


def pack(levels: Sequence[Level], symbols: str) -> NgramModel:
    """Return states and arcs of n-grams: each context with n-grams is a state.

    Raises
    ------
    ValueError
        More states or arcs than a link has room for.
    """
    order = len(levels)
    contexts = [np.zeros(1, np.uint64), *(runs_of(level.keys >> np.uint64(8))[0] for level in levels[1:])]
    offsets = np.cumsum([0, *map(len, contexts)])
    begins = np.cumsum([0, *(len(level.keys) for level in levels)])
    if max(offsets[-1], begins[-1]) >= 1 << LINK_BITS:
        raise ValueError(f"{begins[-1]} n-grams are too many: at most {(1 << LINK_BITS) - 1} fit")
    scores, score_codes = coded(np.minimum(np.concatenate([level.scores for level in levels]), 0.0))
    arcs = np.concatenate(
        [_longest_state(level.keys, min(n, order - 1), contexts, offsets) for n, level in enumerate(levels, 1)]
    )
    first = np.concatenate(
        [begin + _first_of(level, context) for begin, level, context in zip(begins, levels, contexts, strict=False)]
    )
    shorter = np.concatenate([_longest_state(keys, n - 1, contexts, offsets) for n, keys in enumerate(contexts)])
    backoffs, backoff_codes = coded(np.concatenate([[0.0], *map(_backoffs_of, levels, contexts[1:])]))
    arc_symbols = np.concatenate([level.keys & np.uint64(255) for level in levels]).astype(np.uint8)
    states = np.zeros(len(first) + 1, STATE)
    states["first"][:-1] = first | np.bitwise_or.reduceat(1 << (LINK_BITS + (arc_symbols & 7).astype(np.int64)), first)
    states["first"][-1] = begins[-1]
    states["shorter"][:-1] = shorter | backoff_codes << LINK_BITS
    states["bound"][:-1] = _bounds(first, shorter, backoffs[backoff_codes], scores[score_codes], scores)
    start = int(_longest_state(np.array([symbols.index(LINE_END)], np.uint64), 1, contexts, offsets)[0])
    return NgramModel(
        order,
        symbols,
        start,
        UNKNOWN_LOG10,
        scores.astype(np.float32),
        backoffs.astype(np.float32),
        (arcs | score_codes << LINK_BITS).astype(np.uint32),
        states,
        np.concatenate([arc_symbols, np.zeros(SYMBOLS_AT_ONCE, np.uint8)]),
    )


def build(lines: Sequence[str], alphabet: str = "", order: int = 6, ngrams: int | None = None) -> NgramModel:
    """Return a model of lines of text, of about ``ngrams`` n-grams; without a number, of every n-gram that helps."""
    symbols = symbols_of(lines, alphabet)
    counts = count_ngrams(lines, symbols, order)
    parts = [Part(counts, estimate(counts, symbols), 1.0)]
    levels = mix(parts)
    gains = gains_of(levels, parts)
    return pack(prune(levels, gains, 0.0) if ngrams is None else prune_to(levels, gains, ngrams), symbols)


def coded(values: Reals) -> tuple[Reals, Integers]:
    """Return at most `CODES` values, ascending, that stand for all (k-means), and the nearest one's number for each."""
    counts, edges = np.histogram(values, BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    used = counts > 0
    counts, middles = counts[used], middles[used]
    centres = middles[np.linspace(0, len(middles) - 1, CODES).astype(int)]
    for _ in range(STEPS):
        group = _nearest(centres, middles)
        sizes = np.bincount(group, counts, CODES)
        sums = np.bincount(group, counts * middles, CODES)
        centres = np.sort(np.where(sizes > 0, sums / np.maximum(sizes, 1), centres))
    centres = np.clip(centres, values.min(), values.max())
    return centres, _nearest(centres, values)


def _nearest(centres: Reals, values: Reals) -> Integers:
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values)


def _first_of(level: Level, contexts: Keys) -> Integers:
    return np.searchsorted(level.keys >> np.uint64(8), contexts)


def _backoffs_of(level: Level, contexts: Keys) -> Reals:
    places, found = places_of(level.keys, contexts)
    return np.where(found, level.backoffs[places], 0.0) if len(level.keys) else np.zeros(len(contexts))


def _longest_state(keys: Keys, longest: int, contexts: Sequence[Keys], offsets: NDArray[np.int64]) -> Integers:
    """State of the longest suffix, of at most ``longest`` symbols, that is one."""
    states = np.zeros(len(keys), np.int64)
    for length in range(1, longest + 1):
        places, found = places_of(contexts[length], keys & mask_of(length))
        states = np.where(found, offsets[length] + places, states)
    return states


def _bounds(first: Integers, shorter: Integers, backoffs: Reals, scores: Reals, centres: Reals) -> Integers:
    """Code of the least score that no symbol exceeds in each state: by its arcs, or by falling back."""
    bounds = np.maximum.reduceat(scores, first)
    bounds[0] = max(bounds[0], UNKNOWN_LOG10)
    done = 1
    while done < len(first):
        # states whose shorter context is done already form the next stretch: shorter contexts come first
        waiting = np.flatnonzero(shorter[done:] >= done)
        end = done + int(waiting[0]) if len(waiting) else len(first)
        part = slice(done, end)
        bounds[part] = np.maximum(bounds[part], backoffs[part] + bounds[shorter[part]])
        done = end
    return np.minimum(np.searchsorted(centres, bounds - 1e-9), CODES - 1)
