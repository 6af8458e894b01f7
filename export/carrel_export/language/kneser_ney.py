"""Probabilities of n-grams from their counts: interpolated modified Kneser-Ney. numpy alone.

R. Kneser, H. Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995, doi:10.1109/ICASSP.1995.479394;
S. F. Chen, J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech & Language
13 (1999), doi:10.1006/csla.1999.0128.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import LINE_END
from carrel_export.language.counts import Counts, Integers, Keys, mask_of, places_of

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: sorted keys, log10 of their probabilities and of their back-off weights as contexts."""

    keys: Keys
    scores: Reals
    backoffs: Reals


def estimate(grams: Sequence[Counts], symbols: str, cuts: Sequence[int] = ()) -> list[Level]:
    """Return interpolated modified Kneser-Ney probabilities of n-grams, and of every symbol.

    Parameters
    ----------
    grams
        Counts of orders 1, 2, ...
    symbols
        Characters, in the order of their numbers.
    cuts
        For each order the least count of an n-gram that is listed (1 where there is none); the mass of the others goes
        to backing off.
    """
    levels: list[Level] = []
    for n, gram in enumerate(grams, 1):
        counts = gram.counts if n == len(grams) else _continuations(gram, grams[n].keys, symbols, n)
        if n == 1:
            levels.append(_unigrams(gram.keys, counts, len(symbols)))
            continue
        level = _interpolate(gram.keys, counts, levels[-1], n)
        levels.append(_cut(level, gram.counts >= cuts[n - 1]) if len(cuts) >= n else level)
    return levels


def _cut(level: Level, kept: NDArray[np.bool_]) -> Level:
    return Level(level.keys[kept], level.scores[kept], level.backoffs[kept])


def _continuations(gram: Counts, longer: Keys, symbols: str, n: int) -> Integers:
    """In how many ways an n-gram is continued to the left; its count where it begins a line (n > 1)."""
    suffixes, ways = np.unique(longer & mask_of(n), return_counts=True)
    places, found = places_of(suffixes, gram.keys)
    begins = (gram.keys >> np.uint64(8 * (n - 1)) == np.uint64(symbols.index(LINE_END))) & (n > 1)
    return np.where(found & ~begins, ways[places], gram.counts)


def _discounts(counts: Integers) -> Reals:
    """Discount of each count: 0 of 0, then one each for 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (max(1, int((counts == k).sum())) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    steps = (0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    table = np.array([0.0, *(min(max(step, 0.1 * k), 0.95 * k) for k, step in enumerate(steps[1:], 1))])
    return table[np.minimum(counts, 3)]


def _unigrams(keys: Keys, counted: Integers, symbols: int) -> Level:
    counts = np.zeros(symbols, np.int64)
    counts[keys.astype(np.int64)] = counted
    discounts = _discounts(counts)
    total = counts.sum()
    chances = (counts - discounts) / total + discounts.sum() / total / symbols
    return Level(np.arange(symbols, dtype=np.uint64), np.log10(chances), np.zeros(symbols))


def _interpolate(keys: Keys, counts: Integers, shorter: Level, n: int) -> Level:
    """Probabilities of one order; writes the back-off weights of its contexts into ``shorter``."""
    discounts = _discounts(counts)
    contexts, group = runs_of(keys >> np.uint64(8))
    totals = np.bincount(group, counts)
    left_over = np.bincount(group, discounts) / totals
    chances = (counts - discounts) / totals[group]
    places, found = places_of(shorter.keys, keys & mask_of(n - 1))
    chances += left_over[group] * np.where(found, 10.0 ** shorter.scores[places], 0.0)
    at, known = places_of(shorter.keys, contexts)
    shorter.backoffs[at[known]] = np.log10(left_over[known])
    return Level(keys, np.log10(chances), np.zeros(len(keys)))


def runs_of(ordered: Keys) -> tuple[Keys, Integers]:
    """Return the distinct values of a sorted array, and for each item the number of its value."""
    new = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, bool)
    return ordered[new], np.cumsum(new) - 1


def score_of(levels: Sequence[Level], keys: Keys) -> Reals:
    """Return log10 of the probability of the last symbol of each n-gram (of order ``len(levels)``) after the others."""
    level = levels[-1]
    places, found = places_of(level.keys, keys)
    scores = level.scores[places] if len(level.keys) else np.zeros(len(keys))
    missing = np.flatnonzero(~found)
    if len(missing):
        rest = keys[missing]
        shorter = score_of(levels[:-1], rest & mask_of(len(levels) - 1))
        scores[missing] = backoffs_of(levels[-2], rest) + shorter
    return scores


def backoffs_of(shorter: Level, keys: Keys) -> Reals:
    """Return the back-off weight of the context of each n-gram, 0 where the context is none."""
    places, found = places_of(shorter.keys, keys >> np.uint64(8))
    return np.where(found, shorter.backoffs[places], 0.0) if len(shorter.keys) else np.zeros(len(keys))


def balance(levels: Sequence[Level]) -> None:
    """Set all back-off weights so that the probabilities after each context add up to one, shorter contexts first."""
    for n in range(2, len(levels) + 1):
        level, shorter = levels[n - 1], levels[n - 2]
        contexts, group = runs_of(level.keys >> np.uint64(8))
        left = 1.0 - np.bincount(group, 10.0**level.scores)
        below = 1.0 - np.bincount(group, 10.0 ** score_of(levels[: n - 1], level.keys & mask_of(n - 1)))
        at, known = places_of(shorter.keys, contexts)
        ratio = np.maximum(left, 1e-9) / np.maximum(below, 1e-9)
        shorter.backoffs[at[known]] = np.log10(ratio[known])
