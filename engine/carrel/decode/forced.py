"""A text that is given, on the frames of a CTC network: its probability over all paths, and where its characters stand.

A. Graves et al., "Connectionist temporal classification", ICML 2006, doi:10.1145/1143844.1143891.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ANY = -1
"""In place of a class: any class but the blank, for a character that the network has no class for."""
_STAY, _STEP, _SKIP = range(3)
_LEAST = np.float64(-1e30)
"""In place of minus infinity, whose differences are no numbers."""


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return log probabilities of logits, float64 ``(n, c)``."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))


def log_probability(log_probs: NDArray[np.float64], classes: Sequence[int], blank: int = 0) -> float:
    """Return the natural log probability of a text over all its paths; minus infinity where it has more than fit.

    Parameters
    ----------
    log_probs
        Of each frame, float64 ``(t, c)``.
    classes
        Those of the text's characters; `ANY` stands for any but the blank.
    """
    emitted, may_skip = _states(log_probs, classes, blank)
    if needed_frames(classes) > len(log_probs):
        return -np.inf
    mass = np.full(emitted.shape[1], _LEAST)
    mass[:2] = emitted[0, :2]
    for frame in emitted[1:]:
        before = _shifted(mass, may_skip)
        highest = before.max(axis=0)
        mass = highest + np.log(np.exp(before - highest).sum(axis=0)) + frame
    total = float(np.logaddexp.reduce(mass[-2:]))
    return total if total > _LEAST / 2 else -np.inf


def align(log_probs: NDArray[np.float64], classes: Sequence[int], blank: int = 0) -> NDArray[np.int64]:
    """Return the first frame of each character and the frame after its last, ``(n, 2)``, on the most probable path.

    Raises
    ------
    ValueError
        The text has more characters than the line has frames for.
    """
    if needed_frames(classes) > len(log_probs):
        raise ValueError("more characters than frames")
    emitted, may_skip = _states(log_probs, classes, blank)
    frames, states = emitted.shape
    best = np.full(states, _LEAST)
    best[:2] = emitted[0, :2]
    came = np.zeros((frames, states), np.int8)
    for t in range(1, frames):
        before = _shifted(best, may_skip)
        came[t] = before.argmax(axis=0)
        best = before[came[t], np.arange(states)] + emitted[t]
    state = states - 1 if states == 1 or best[-1] >= best[-2] else states - 2
    spans = np.zeros((len(classes), 2), np.int64)
    for t in range(frames - 1, -1, -1):
        if state % 2:
            spans[state // 2, 0] = t
            spans[state // 2, 1] = max(spans[state // 2, 1], t + 1)
        state -= int(came[t, state])
    return spans


def needed_frames(classes: Sequence[int]) -> int:
    """Return how many frames a text needs: one a character, and a blank between two that are the same."""
    return len(classes) + sum(a == b != ANY for a, b in pairwise(classes))


def _states(
    log_probs: NDArray[np.float64], classes: Sequence[int], blank: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What each frame gives to each state, ``(t, 2 n + 1)``: blank, character, blank, ...; and which states may be
    entered past the blank before them."""
    any_class = np.log(np.maximum(-np.expm1(np.minimum(log_probs[:, blank], 0.0)), 1e-30))
    with_any = np.concatenate([log_probs, any_class[:, None]], axis=1)  # class -1
    of_state = np.full(2 * len(classes) + 1, blank)
    of_state[1::2] = classes
    may_skip = np.zeros(len(of_state), np.bool_)
    may_skip[3::2] = (of_state[3::2] != of_state[1:-2:2]) | (of_state[3::2] == ANY)
    return np.maximum(with_any[:, of_state], _LEAST), may_skip


def _shifted(mass: NDArray[np.float64], may_skip: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mass of the states that lead to each state: itself, the one before, the one before that; ``(3, states)``."""
    before = np.full((3, len(mass)), _LEAST)
    before[_STAY] = mass
    before[_STEP, 1:] = mass[:-1]
    before[_SKIP, 2:] = np.where(may_skip[2:], mass[:-2], _LEAST)
    return before
