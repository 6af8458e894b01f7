"""Slow, obvious CTC decoding in float64: what the fast decoder is compared with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

Text = tuple[int, ...]
Factor = Callable[[Text, int], float]
"""Factor of a class after a prefix."""
EndFactor = Callable[[Text], float]
Reals = NDArray[np.float64]


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> Reals:
    """Probabilities ``(t, c)`` in float64."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cut(probabilities: Reals, threshold: float) -> Reals:
    """Zero where a class has less than ``threshold`` of its frame; the best one always stays."""
    kept = probabilities >= threshold
    kept[np.arange(len(kept)), probabilities.argmax(axis=1)] = True
    return np.where(kept, probabilities, 0.0)


def collapse(path: tuple[int, ...], blank: int) -> Text:
    """Join repeats, drop blanks."""
    joined = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
    return tuple(c for c in joined if c != blank)


def all_texts(probabilities: Reals, blank: int = 0) -> dict[Text, float]:
    """Probability of every text, summed over all ``c ** t`` paths."""
    texts: dict[Text, float] = defaultdict(float)
    frames, classes = probabilities.shape
    for path in product(range(classes), repeat=frames):
        texts[collapse(path, blank)] += math.prod(probabilities[t, c] for t, c in enumerate(path))
    return dict(texts)


def with_factors(texts: dict[Text, float], factor: Factor, end: EndFactor) -> dict[Text, float]:
    """Each text's probability times the factors of its characters and of its end."""
    return {
        text: p * math.prod(factor(text[:i], c) for i, c in enumerate(text)) * end(text) for text, p in texts.items()
    }


def no_factor(_prefix: Text, _label: int) -> float:
    return 1.0


def no_end(_text: Text) -> float:
    return 1.0


def prefix_search(
    probabilities: Reals,
    width: int,
    blank: int = 0,
    beam_threshold: float = 0.0,
    factor: Factor = no_factor,
    end: EndFactor = no_end,
) -> list[tuple[Text, float]]:
    """Prefix beam search with a dictionary of texts; texts with log scores, best first. `cut` the probabilities before."""
    beam: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}  # ends in a blank, ends in its last character
    log_scale = 0.0
    for row in probabilities:
        following: dict[Text, list[float]] = defaultdict(lambda: [0.0, 0.0])
        labels = [(int(label), float(row[label])) for label in np.flatnonzero(row) if label != blank]
        for text, (by_blank, by_character) in beam.items():
            total = by_blank + by_character
            following[text][0] += total * row[blank]
            if text:
                following[text][1] += by_character * row[text[-1]]
            for label, probability in labels:
                source = by_blank if text and text[-1] == label else total
                mass = source * probability * (factor(text, label) if source > 0.0 else 0.0)
                following[(*text, label)][1] += mass
        ranked = sorted(following.items(), key=lambda item: -sum(item[1]))
        best = sum(ranked[0][1])
        beam = {
            text: (b / best, c / best)
            for text, (b, c) in ranked[:width]
            if b + c > 0.0 and b + c >= best * beam_threshold
        }
        log_scale += math.log(best)
    scores = {text: (b + c) * end(text) for text, (b, c) in beam.items()}
    return sorted(((t, math.log(s) + log_scale) for t, s in scores.items() if s > 0.0), key=lambda item: -item[1])


def forward_score(probabilities: Reals, text: Text, blank: int = 0) -> float:
    """Logarithm of the probability of ``text``, summed over all its paths."""
    labels = _with_blanks(text, blank)
    mass = np.zeros(len(labels))
    mass[:2] = probabilities[0, labels[:2]]
    log_scale = 0.0
    for row in probabilities[1:]:
        before = mass
        mass = before.copy()
        mass[1:] += before[:-1]
        skips = _skips(labels, blank)
        mass[skips] += before[skips - 2]
        mass *= row[labels]
        scale = mass.max()
        if scale == 0.0:
            return -math.inf
        mass /= scale
        log_scale += math.log(scale)
    last = mass[-2:].sum() if text else mass[-1]
    return math.log(last) + log_scale if last > 0.0 else -math.inf


def viterbi_starts(probabilities: Reals, text: Text, blank: int = 0) -> list[int]:
    """First frame of each character on the most probable path of ``text``."""
    labels = _with_blanks(text, blank)
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities)
    places = np.arange(len(labels))
    back = np.zeros((3, len(labels)))  # scores by staying, from the place before, from two places before
    may_skip = np.isin(places, _skips(labels, blank))
    best = np.where(places < 2, scores[0, labels], -np.inf)
    step = np.zeros((len(probabilities), len(labels)), np.int64)
    for t in range(1, len(probabilities)):
        back[:] = -np.inf
        back[0], back[1, 1:] = best, best[:-1]
        back[2, 2:] = np.where(may_skip[2:], best[:-2], -np.inf)
        source = back.argmax(axis=0)
        best = back[source, places] + scores[t, labels]
        step[t] = places - source
    i = len(labels) - 1
    if text and best[i - 1] > best[i]:
        i -= 1
    starts = [0] * len(text)
    for t in range(len(probabilities) - 1, -1, -1):
        if i % 2:
            starts[i // 2] = t
        i = int(step[t, i])
    return starts


def _with_blanks(text: Text, blank: int) -> NDArray[np.int64]:
    labels = np.full(2 * len(text) + 1, blank)
    labels[1::2] = text
    return labels


def _skips(labels: NDArray[np.int64], blank: int) -> NDArray[np.int64]:
    """Places that may be reached from two places before: characters that differ from the one before."""
    places = np.arange(2, len(labels))
    return places[(labels[2:] != blank) & (labels[2:] != labels[:-2])]
