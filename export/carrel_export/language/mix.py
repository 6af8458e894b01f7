"""Several estimates mixed into one, and the one pruned to a number of n-grams. numpy alone.

Pruning by weighted difference: K. Seymore, R. Rosenfeld, "Scalable backoff language models", ICSLP 1996,
doi:10.1109/ICSLP.1996.607084.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from carrel_export.language.counts import Counts, counts_at, mask_of, places_of, total_of
from carrel_export.language.kneser_ney import Level, Reals, backoffs_of, balance, runs_of, score_of


@dataclass(frozen=True)
class Part:
    """One text's counts, its estimate, and its weight in the mixture."""

    counts: Sequence[Counts]
    levels: Sequence[Level]
    weight: float


def mix(parts: Sequence[Part]) -> list[Level]:
    """Return the weighted mean of the parts' probabilities, over all n-grams that any of them lists."""
    mixed: list[Level] = []
    for n in range(1, len(parts[0].levels) + 1):
        keys = reduce(np.union1d, (part.levels[n - 1].keys for part in parts))
        chances = sum(part.weight * 10.0 ** score_of(part.levels[:n], keys) for part in parts)
        mixed.append(Level(keys, np.log10(chances), np.zeros(len(keys))))
    balance(mixed)
    return mixed


def gains_of(levels: Sequence[Level], parts: Sequence[Part]) -> list[Reals]:
    """Return for each n-gram of orders 2, 3, ... what a text would lose without it, in log10 per character.

    That is its gain over backing off times its share of the text, in which each part counts by its weight, however long
    it is; and never less than what n-grams lose that begin with it, as they cannot be reached without it.
    """
    gains: list[Reals] = []
    for n in range(len(levels), 1, -1):
        level = levels[n - 1]
        lower = backoffs_of(levels[n - 2], level.keys) + score_of(levels[: n - 1], level.keys & mask_of(n - 1))
        shares = sum(
            part.weight / max(1, total_of(part.counts)) * counts_at(part.counts[n - 1], level.keys) for part in parts
        )
        gain = (level.scores - lower) * shares
        if gains:
            contexts, group = runs_of(levels[n].keys >> np.uint64(8))
            largest = np.maximum.reduceat(gains[-1], np.flatnonzero(np.diff(group, prepend=-1)))
            places, found = places_of(level.keys, contexts)
            gain[places[found]] = np.maximum(gain[places[found]], largest[found])
        gains.append(gain)
    return gains[::-1]


def prune(levels: Sequence[Level], gains: Sequence[Reals], threshold: float) -> list[Level]:
    """Return the n-grams that gain at least ``threshold``, and all single symbols, balanced anew."""
    kept = [Level(levels[0].keys, levels[0].scores, np.zeros(len(levels[0].keys)))]
    for level, gain in zip(levels[1:], gains, strict=True):
        keep = gain >= threshold
        kept.append(Level(level.keys[keep], level.scores[keep], np.zeros(int(keep.sum()))))
    balance(kept)
    return kept


def prune_to(levels: Sequence[Level], gains: Sequence[Reals], ngrams: int) -> list[Level]:
    """Return the model of ``ngrams`` n-grams, single symbols included, that loses least; of more where several gain the same."""
    ranked = np.sort(np.concatenate(gains))[::-1]
    room = max(1, ngrams - len(levels[0].keys))
    return prune(levels, gains, float(ranked[room - 1]) if room <= len(ranked) else 0.0)
