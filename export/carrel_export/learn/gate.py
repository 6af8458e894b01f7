"""The gate: a learned model is published only where it reads the kept lines better, beyond chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from carrel.evaluate.bootstrap import resampled_rates
from carrel.review.training_lines import LineSample

LEAST_CERTAIN = 0.9
"""Share of resamples of the kept lines in which the learned model must make fewer errors."""
MOST_CER = 0.5
"""A model that gets more characters wrong reads nothing, however much worse the one before was: the texts do not fit."""
_SEED = 20260101
_DRAWS = 4000


@dataclass(frozen=True)
class Reading:
    """Character errors of one model on the kept lines."""

    errors: NDArray[np.int64]
    characters: NDArray[np.int64]

    @property
    def cer(self) -> float:
        """Character error rate."""
        return float(self.errors.sum() / max(1, self.characters.sum()))

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, resampled over lines."""
        low, high = np.percentile(resampled_rates(np.stack([self.errors, self.characters], 1)), [2.5, 97.5])
        return float(low), float(high)

    def told(self) -> str:
        """Return the rate with its interval, for people."""
        low, high = self.interval
        return f"{self.cer:.1%} ({low:.1%} to {high:.1%})"


@dataclass(frozen=True)
class Verdict:
    """Both readings, and how certain it is that the second is better; ``reason`` says why it is refused, if it is."""

    before: Reading
    after: Reading
    certain: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """The permission to publish the model."""
        return not self.reason


def read_lines(read: Callable[[NDArray[np.uint8]], str], samples: Sequence[LineSample]) -> Reading:
    """Read the kept lines one by one and count the errors."""
    pairs = [(read(sample.gray), " ".join(sample.text.split())) for sample in samples]
    errors = [Levenshtein.distance(found, text) for found, text in pairs]
    return Reading(np.array(errors, np.int64), np.array([len(text) for _, text in pairs], np.int64))


def certainty(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """Return the share of paired resamples over lines in which the second makes fewer errors; ties count half."""
    gain = (before - after).astype(np.int64)
    draws = np.random.default_rng(_SEED).multinomial(len(gain), np.full(len(gain), 1 / len(gain)), size=_DRAWS)
    sums = draws @ gain
    return float(((sums > 0) + 0.5 * (sums == 0)).mean())


def decide(before: Reading, after: Reading) -> Verdict:
    """Compare both models on the same lines."""
    certain = certainty(before.errors, after.errors)
    reason = ""
    if after.cer > MOST_CER:
        reason = f"more than {MOST_CER:.0%} of the characters are read wrongly: do the texts belong to the pictures?"
    elif certain < LEAST_CERTAIN:
        reason = f"better in {certain:.0%} of the resamples of the kept lines only, {LEAST_CERTAIN:.0%} are needed; correct more lines"
    return Verdict(before, after, certain, reason)
