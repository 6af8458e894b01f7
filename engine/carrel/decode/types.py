"""Results of decoding a line of logits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decoded:
    """One reading of a line. The four tuples run in step, one entry a character.

    Parameters
    ----------
    classes
        Class index of each character; never the blank.
    probabilities
        Probability of each character in [0, 1]. Of the greedy path the largest of its frames; of a beam search the
        mean of its share of the mass of all characters in its span and the share of the readings in the beam, by mass,
        that have it at this place too (so a language model has its say).
    starts, ends
        First frame of each character and the frame after its last; both strictly increase over the line.
    log_score
        Natural logarithm of the probability that the decoder gave the reading, at the temperature asked for. For the
        greedy path that is the path's probability; for a beam search the sum over all paths of the text that it
        followed, times the language model's factors where there is one.
    confidence
        Expected share of correct characters, in [0, 1]: the mean of ``probabilities``. Of a line without characters,
        the probability that it has none.
    """

    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    log_score: float
    confidence: float
