"""Confidence intervals of rates: percentile intervals of the bootstrap (Efron, 10.1214/aos/1176344552).

Whole documents are drawn where there are ten or more, because lines of one hand err together; else lines.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.evaluate.normalize import AS_IS
from carrel.evaluate.score import Counts, Evaluation

DRAWS = 4000
_FEWEST_DOCUMENTS = 10
_FEWEST_TO_COMPARE = 5
_SEED = 20260101
Unit = Literal["document", "line"]


class Interval(NamedTuple):
    """The middle 95 % of a rate over resampled units."""

    low: float
    high: float
    unit: Unit


def cer_interval(evaluation: Evaluation, normalization: str = AS_IS.name) -> Interval | None:
    """Return 95 % interval of the character error rate; None with fewer than two units."""
    return _interval(evaluation, normalization, words=False)


def wer_interval(evaluation: Evaluation, normalization: str = AS_IS.name) -> Interval | None:
    """Return 95 % interval of the word error rate; None with fewer than two units."""
    return _interval(evaluation, normalization, words=True)


def _interval(evaluation: Evaluation, normalization: str, words: bool) -> Interval | None:
    unit, counts = _units(evaluation, normalization)
    if len(counts) < 2:
        return None
    pairs = [(c.word_errors, c.words) if words else (c.character_errors, c.characters) for c in counts]
    rates = resampled_rates(np.array(pairs, dtype=np.int64))
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(float(low), float(high), unit)


def _units(evaluation: Evaluation, normalization: str) -> tuple[Unit, list[Counts]]:
    if len(evaluation.documents) >= _FEWEST_DOCUMENTS:
        return "document", [document.total(normalization) for document in evaluation.documents]
    return "line", [line.counts[normalization] for line in evaluation.lines]


def resampled_rates(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rates of ``DRAWS`` samples drawn with replacement from (errors, total) rows (n, 2): the same for the same rows."""
    draws = np.random.default_rng(_SEED).multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), size=DRAWS)
    sums = draws @ pairs  # (draws, 2)
    return sums[:, 0] / np.maximum(sums[:, 1], 1)


def difference_interval(first: Evaluation, second: Evaluation) -> Interval | None:
    """Return 95 % interval of the second's CER less the first's over the same documents; None with fewer than five.

    Paired, so much narrower than the two intervals suggest.
    """
    if len(first.documents) < _FEWEST_TO_COMPARE or len(first.documents) != len(second.documents):
        return None
    rows = [
        (b.total().character_errors - a.total().character_errors, a.total().characters)
        for a, b in zip(first.documents, second.documents, strict=True)
    ]
    low, high = np.percentile(resampled_rates(np.array(rows, dtype=np.int64)), [2.5, 97.5])
    return Interval(float(low), float(high), "document")
