"""Beam search over the tokens of a decoder: what it ends, what repeats itself, what grows too long."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Step = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""The last token of each beam, and for each the beam of the step before that it goes on: logits ``(beams, tokens)``."""
Stop = Literal["end", "length", "repetition"]

LEAST_REPEATED_TOKENS, LEAST_REPEATS, LONGEST_PERIOD = 12, 4, 16
"""A text repeats itself that ends in so many tokens made of at least so many copies of the same few: rows of dots are shorter,
since tokenizers have tokens for several dots."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of a search.

    Parameters
    ----------
    start, ends
        The token that a text begins with, and those that end it.
    width
        Beams that are followed, and texts that are returned at most.
    length_penalty
        A text's score is its log probability divided by its tokens to this power.
    early_stopping
        End as soon as ``width`` texts have ended, instead of when none of the others can become better than they are.
    most_tokens
        A text that has as many is ended.
    stops_repetition
        Leave beams that repeat themselves.
    """

    start: int
    ends: tuple[int, ...]
    width: int = 4
    length_penalty: float = 1.0
    early_stopping: bool = True
    most_tokens: int = 256
    stops_repetition: bool = True


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text: its tokens without start and end, the log probability of each (and of the end), its score, and what ended it."""

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float
    stop: Stop


@dataclass(frozen=True, slots=True)
class _Beam:
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    total: float = 0.0


def beam_search(step: Step, rules: Rules) -> list[Hypothesis]:
    """Return texts, the best first: those that ended, and those that were stopped for repeating themselves."""
    running = [_Beam()]
    ended: list[Hypothesis] = []
    stopped: list[Hypothesis] = []
    last, parents = np.array([rules.start]), np.zeros(1, np.int64)
    for length in range(1, rules.most_tokens + 1):
        candidates = _best(running, step(last, parents), 2 * rules.width)
        is_last = length == rules.most_tokens
        for rank, (_, beam) in enumerate(candidates):
            if rank < rules.width and (is_last or beam.tokens[-1] in rules.ends):
                ended.append(_hypothesis(beam, rules))
        ended = heapq.nlargest(rules.width, ended, key=lambda found: found.score)
        open_ones = [(parent, beam) for parent, beam in candidates if beam.tokens[-1] not in rules.ends]
        if rules.stops_repetition:
            stopped += [_hypothesis(beam, rules, "repetition") for _, beam in open_ones if repeats(beam.tokens)]
            open_ones = [(parent, beam) for parent, beam in open_ones if not repeats(beam.tokens)]
        open_ones = open_ones[: rules.width]
        running = [beam for _, beam in open_ones]
        if not running or is_last or _is_done(running[0], ended, length, rules):
            break
        last = np.array([beam.tokens[-1] for beam in running])
        parents = np.array([parent for parent, _ in open_ones])
    return heapq.nlargest(rules.width, [*ended, *stopped], key=lambda found: found.score)


def repeats(tokens: Sequence[int]) -> bool:
    """Tell whether a text ends in copies of the same few tokens."""
    for period in range(1, LONGEST_PERIOD + 1):
        needed = period * max(LEAST_REPEATS, math.ceil(LEAST_REPEATED_TOKENS / period))
        tail = tokens[-needed:]
        if len(tail) == needed and all(a == b for a, b in zip(tail, tail[period:], strict=False)):
            return True
    return False


def _best(running: Sequence[_Beam], logits: NDArray[np.float32], count: int) -> list[tuple[int, _Beam]]:
    """The most probable beams that are one token longer, each with the index of what it goes on."""
    highest = logits.max(axis=1, keepdims=True)
    log_mass = highest + np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    count = min(count, logits.shape[1])
    likeliest = np.argpartition(logits, -count, axis=1)[:, -count:]  # (beams, count)
    scores = np.take_along_axis(logits, likeliest, axis=1) - log_mass
    made = [
        (parent, _Beam((*beam.tokens, token), (*beam.log_probs, score), beam.total + score))
        for parent, beam in enumerate(running)
        for token, score in zip(likeliest[parent].tolist(), scores[parent].tolist(), strict=True)
    ]
    return heapq.nlargest(count, made, key=lambda pair: pair[1].total)


def _hypothesis(beam: _Beam, rules: Rules, stop: Stop = "length") -> Hypothesis:
    score = beam.total / len(beam.tokens) ** rules.length_penalty
    if beam.tokens[-1] in rules.ends:
        return Hypothesis(beam.tokens[:-1], beam.log_probs, score, "end")
    return Hypothesis(beam.tokens, beam.log_probs, score, stop)


def _is_done(best: _Beam, ended: Sequence[Hypothesis], length: int, rules: Rules) -> bool:
    """Whether there are texts enough, and none that runs can become better than the worst of them at this length."""
    if len(ended) < rules.width:
        return False
    return rules.early_stopping or best.total / length**rules.length_penalty <= ended[-1].score
