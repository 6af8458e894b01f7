"""Search settings and confidences of a recognition model, fitted on validation lines.

The temperature, the language model's weight, the length bonus and the bias of the classes are those with the lowest
CER. The bias takes out of the network's scores part of what it knows of the language, which the language model knows
better: a power of how often each class occurs, as hybrid systems do (A. Zeyer et al. 2017;
doi:10.21437/Interspeech.2017-1073). Confidences are Platt scaled (J. Platt 1999; doi:10.1145/1102351.1102430) so that a line's confidence is the expected share of right
characters, and a character's the probability that it is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from carrel.decode.beam import beam_search_lines
from carrel.decode.greedy import greedy_lines
from carrel.decode.model import LanguageModel
from carrel.decode.options import DecodeOptions
from carrel.decode.types import Decoded

Logits = NDArray[np.float32]

BEAM_WIDTH = 100
BEAM_THRESHOLD = 1e-4
"""A wide search costs a fifth of what the network does and takes 2 to 3 % of the errors that width 25 leaves."""

FITTED = ("temperature", "language_weight", "length_bonus", "lexicon_penalty")
FIRST = {
    "temperature": 1.15,
    "language_weight": 0.7,
    "length_bonus": 3.0,
    "lexicon_penalty": 0.25,
    "prior_weight": 0.2,
    "blank_bias": 0.3,
}
STEPS = {
    "temperature": 0.1,
    "language_weight": 0.08,
    "length_bonus": 0.8,
    "lexicon_penalty": 0.1,
    "prior_weight": 0.08,
    "blank_bias": 0.2,
}
"""Where the search for the best settings begins, and how far it looks; it halves its steps `HALVINGS` times."""
HALVINGS = 2
LEAST_PRIOR = 1e-5
PLATT_STEPS = 400
MAX_SLOPE, MAX_SHIFT = 40.0, 100.0
"""What a manifest may hold: the exponent of the confidence stays in the range of a float."""
MIN_LEXICON_PENALTY = 0.02
"""A word that is not known must stay possible."""
MAX_LANGUAGE_WEIGHT, MAX_LENGTH_BONUS, MAX_TEMPERATURE = 10.0, 100.0, 20.0
"""What a manifest may hold."""


@dataclass(frozen=True)
class Calibration:
    """The manifest's figures, and their effect on the lines that they were fitted on."""

    entry: dict[str, Any]
    greedy_cer: float
    search_cer: float


def _text(decoded: Decoded, alphabet: str | list[str]) -> str:
    return "".join(alphabet[c - 1] for c in decoded.classes).strip()


def _errors(readings: Sequence[Decoded], texts: Sequence[str], alphabet: str | list[str]) -> NDArray[np.int64]:
    return np.array([Levenshtein.distance(_text(r, alphabet), t) for r, t in zip(readings, texts, strict=True)])


def platt(confidences: Sequence[float], right: Sequence[float]) -> tuple[float, float]:
    """Return slope and shift on the log odds that minimize the cross entropy to the shares ``right`` in [0, 1].

    By Newton steps of at most 1: a few lines that are all right would send them to infinity.
    """
    clipped = np.clip(np.array(confidences), 1e-6, 1 - 1e-6)
    odds = np.log(clipped / (1 - clipped))
    target = np.array(right)
    design = np.stack([odds, np.ones_like(odds)], 1)
    weights = np.array([1.0, 0.0])
    for _ in range(PLATT_STEPS):
        predicted = 1 / (1 + np.exp(-np.clip(design @ weights, -50.0, 50.0)))
        gradient = design.T @ (predicted - target)
        hessian = (design * (predicted * (1 - predicted))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.clip(np.linalg.solve(hessian, gradient), -1.0, 1.0)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    slope, shift = np.clip(weights, (-MAX_SLOPE, -MAX_SHIFT), (MAX_SLOPE, MAX_SHIFT))
    return round(float(slope), 4), round(float(shift), 4)


def _shares(errors: NDArray[np.int64], texts: Sequence[str]) -> list[float]:
    return [max(0.0, 1 - e / max(1, len(t))) for e, t in zip(errors, texts, strict=True)]


def right_characters(readings: Sequence[Decoded], texts: Sequence[str], alphabet: str | list[str]) -> list[bool]:
    """Return for each class of the readings, whether a cheapest alignment with the ground truth keeps all of it."""
    right: list[bool] = []
    for reading, text in zip(readings, texts, strict=True):
        pieces = [alphabet[c - 1] for c in reading.classes]
        steps = Levenshtein.opcodes("".join(pieces), text)
        kept = {k for step in steps if step.tag == "equal" for k in range(step.src_start, step.src_end)}
        ends = np.cumsum([len(piece) for piece in pieces]).tolist()
        right += [kept.issuperset(range(e - len(piece), e)) for e, piece in zip(ends, pieces, strict=True)]
    return right


def _confidences(
    readings: Sequence[Decoded], errors: NDArray[np.int64], texts: Sequence[str], alphabet: str | list[str]
) -> dict[str, tuple[float, float]]:
    each = [p for reading in readings for p in reading.probabilities]
    return {
        "confidence": platt([d.confidence for d in readings], _shares(errors, texts)),
        "character_confidence": platt(each, right_characters(readings, texts, alphabet)),
    }


def priors(logits: Sequence[Logits]) -> NDArray[np.float64]:
    """Return mean share of each class in the frames of all lines, at least `LEAST_PRIOR`."""
    total = np.zeros(logits[0].shape[1])
    for line in logits:
        shares = np.exp(line - line.max(1, keepdims=True))
        total += (shares / shares.sum(1, keepdims=True)).sum(0)
    return np.maximum(total / total.sum(), LEAST_PRIOR)


def class_bias(prior: NDArray[np.float64], settings: Mapping[str, float]) -> NDArray[np.float32]:
    """Return what is added to each class's logit: rare classes gain, by ``prior_weight``, and the blank, class 0, ``blank_bias``."""
    bias = settings["prior_weight"] * (np.log(prior[0]) - np.log(prior))
    bias[0] = settings["blank_bias"]
    return np.round(bias * settings["temperature"], 3).astype(np.float32)


def descend(cost: Callable[[Mapping[str, float]], int]) -> dict[str, float]:
    """Return settings from `FIRST` on, each in turn moved by its step of `STEPS` while that lowers ``cost``."""
    best, steps = dict(FIRST), dict(STEPS)
    lowest = cost(best)
    for _ in range(HALVINGS + 1):
        moved = True
        while moved:
            moved = False
            for name, sign in itertools.product(steps, (1, -1)):
                tried = {**best, name: round(best[name] + sign * steps[name], 4)}
                if _allowed(tried) and (errors := cost(tried)) < lowest:
                    best, lowest, moved = tried, errors, True
        steps = {name: step / 2 for name, step in steps.items()}
    return best


def _allowed(settings: Mapping[str, float]) -> bool:
    return (
        0.5 < settings["temperature"] <= MAX_TEMPERATURE
        and 0.1 < settings["length_bonus"] <= MAX_LENGTH_BONUS
        and 0 <= settings["language_weight"] <= MAX_LANGUAGE_WEIGHT
        and settings["prior_weight"] >= 0
        and MIN_LEXICON_PENALTY <= settings["lexicon_penalty"] <= 1
    )


def calibrate(
    logits: Sequence[Logits], texts: Sequence[str], alphabet: str | list[str], known: LanguageModel
) -> Calibration:
    """Fit everything on validation lines: logits ``(t, classes)`` each, and their true texts."""
    characters = sum(map(len, texts))
    plain = greedy_lines(list(logits))
    plain_errors = _errors(plain, texts, alphabet)
    language, words = known.bound(alphabet)
    prior = priors(logits)

    def search(settings: Mapping[str, float]) -> list[Decoded]:
        bias = class_bias(prior, settings)
        options = DecodeOptions(
            beam_width=BEAM_WIDTH,
            beam_threshold=BEAM_THRESHOLD,
            temperature=settings["temperature"],
            language_weight=settings["language_weight"],
            length_bonus=settings["length_bonus"],
            lexicon_penalty=settings["lexicon_penalty"],
        )
        return [r[0] for r in beam_search_lines([line + bias for line in logits], None, options, language, words)]

    settings = descend(lambda tried: int(_errors(search(tried), texts, alphabet).sum()))
    readings = search(settings)
    errors = _errors(readings, texts, alphabet)
    entry = {
        "greedy": {"temperature": 1.0, **_confidences(plain, plain_errors, texts, alphabet)},
        "search": {
            "beam_width": BEAM_WIDTH,
            "beam_threshold": BEAM_THRESHOLD,
            **{name: settings[name] for name in FITTED},
            "class_bias": [round(float(b), 3) for b in class_bias(prior, settings)],
            **_confidences(readings, errors, texts, alphabet),
        },
        "fitted_on": "val",
    }
    return Calibration(entry, float(plain_errors.sum() / characters), float(errors.sum() / characters))
