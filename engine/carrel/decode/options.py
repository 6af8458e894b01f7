"""Choices for the beam search."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.errors import UsageError

RANGES: dict[str, tuple[float, float]] = {
    "beam_width": (1, 1000),
    "alternatives": (1, 1000),
    "candidate_threshold": (0.0, 0.999),
    "beam_threshold": (0.0, 0.999),
    "temperature": (0.05, 20.0),
    "language_weight": (0.0, 10.0),
    "length_bonus": (0.1, 100.0),
    "lexicon_penalty": (0.0, 1.0),
    "threads": (1, 1024),
}
"""Least and most that a search takes: far beyond what was ever of use, far within what its arithmetic bears."""


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
        Classes with a smaller share of their frame, in [0, 0.999], are not tried; the best one always is.
    beam_threshold
        Readings with less than this part of the best one's mass, in [0, 0.999], are dropped.
    temperature
        Logits are divided by it, 0.05 to 20.
    language_weight
        Power to which the language model's probabilities are raised, 0 to 10.
    length_bonus
        Factor for each character, 0.1 to 100, where there is a language model: it makes up for the model's dislike of
        long lines.
    lexicon_penalty
        Factor for a word that the lexicon does not hold, in [0, 1]; 0 allows nothing else.
    threads
        Threads over the lines of a batch, 1 to 1024.

    Raises
    ------
    UsageError
        A value outside its range, see `RANGES`.
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
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # so is NaN
                raise UsageError(f"{name} is {value}, outside its range of {least:g} to {most:g}")
        if self.alternatives > self.beam_width:
            raise UsageError(
                f"alternatives is {self.alternatives}, outside its range of 1 to beam_width {self.beam_width}"
            )
