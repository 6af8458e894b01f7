"""What a caller may choose for the beam search."""

from __future__ import annotations

import math
from dataclasses import dataclass

from carrel.errors import UsageError


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """Choices for `carrel.decode.beam.beam_search`.

    Parameters
    ----------
    beam_width
        Readings kept from frame to frame, 1 to 1000. 5 to 10 do without a language model, 25 to 50 with one.
    alternatives
        Readings to return, 1 to ``beam_width``.
    candidate_threshold
        Classes with a smaller share of their frame, in [0, 1), are not tried; the best one always is.
    beam_threshold
        Readings with less than this part of the best one's mass, in [0, 1), are dropped.
    temperature
        Logits are divided by it, above 0.
    language_weight
        Power to which the language model's probabilities are raised, at least 0.
    length_bonus
        Factor for each character, above 0, where there is a language model: it makes up for the model's dislike of
        long lines.
    lexicon_penalty
        Factor for a word that the lexicon does not hold, in [0, 1]; 0 allows nothing else.
    threads
        Threads over the lines of a batch, at least 1.

    Raises
    ------
    UsageError
        A value outside its range.
    """

    beam_width: int = 10
    alternatives: int = 1
    candidate_threshold: float = 1e-3
    beam_threshold: float = 0.0
    temperature: float = 1.0
    language_weight: float = 0.5
    length_bonus: float = 1.0
    lexicon_penalty: float = 0.05
    threads: int = 1

    def __post_init__(self) -> None:
        ranges = {
            "beam_width": 1 <= self.beam_width <= 1000,
            "alternatives": 1 <= self.alternatives <= self.beam_width,
            "candidate_threshold": 0.0 <= self.candidate_threshold < 1.0,
            "beam_threshold": 0.0 <= self.beam_threshold < 1.0,
            "temperature": self.temperature > 0.0 and math.isfinite(self.temperature),
            "language_weight": self.language_weight >= 0.0 and math.isfinite(self.language_weight),
            "length_bonus": self.length_bonus > 0.0 and math.isfinite(self.length_bonus),
            "lexicon_penalty": 0.0 <= self.lexicon_penalty <= 1.0,
            "threads": self.threads >= 1,
        }
        for name, holds in ranges.items():
            if not holds:
                raise UsageError(f"{name} is {getattr(self, name)}, outside its range; see carrel.decode.DecodeOptions")
