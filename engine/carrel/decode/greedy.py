"""The most probable path, frame by frame, in numpy alone: fast to start, exact, no language model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.decode.checks import check_line
from carrel.decode.types import Decoded


def greedy(logits: NDArray[np.float32], blank: int = 0, temperature: float = 1.0) -> Decoded:
    """Read one line by its best path: the best class of every frame, repeats joined, blanks dropped.

    Parameters
    ----------
    logits
        float32 ``(t, c)``, unnormalized; log probabilities do as well.
    blank
        Class index of the blank.
    temperature
        Logits are divided by it; above 1 the probabilities become more modest. It does not change the text.

    Returns
    -------
    Decoded
        A character's span is its run of frames; its probability is the largest of the run.

    Raises
    ------
    UsageError, ModelError
        See `carrel.decode.checks.check_line`.

    References
    ----------
    A. Graves et al., "Connectionist temporal classification", ICML 2006, doi:10.1145/1143844.1143891.
    """
    check_line(logits, blank, temperature)
    return _greedy(logits, blank, temperature)


def greedy_lines(
    logits: NDArray[np.float32] | Sequence[NDArray[np.float32]],
    frames: Sequence[int] | None = None,
    blank: int = 0,
    temperature: float = 1.0,
) -> list[Decoded]:
    """Read a batch ``(n, t, c)``, or a sequence of ``(t, c)``, line by line; see `greedy`.

    ``frames`` gives the number of frames of each line that belong to it; the rest is padding and is not looked at.
    """
    lines = [row if frames is None else row[: frames[i]] for i, row in enumerate(logits)]
    for i, line in enumerate(lines):
        check_line(line, blank, temperature, line=i)
    return [_greedy(line, blank, temperature) for line in lines]


def _greedy(logits: NDArray[np.float32], blank: int, temperature: float) -> Decoded:
    path = logits.argmax(axis=1)  # (t,)
    largest = logits.max(axis=1, keepdims=True)
    mass = np.exp((logits - largest) / np.float32(temperature)).sum(axis=1, dtype=np.float64)
    probabilities = 1.0 / mass  # of the best class, (t,)
    starts = np.flatnonzero(np.concatenate(([True], path[1:] != path[:-1])))
    ends = np.append(starts[1:], len(path))
    kept = path[starts] != blank
    log_score = -float(np.log(mass).sum())
    of_characters = np.maximum.reduceat(probabilities, starts)[kept]
    return Decoded(
        classes=tuple(path[starts][kept].tolist()),
        probabilities=tuple(of_characters.tolist()),
        starts=tuple(starts[kept].tolist()),
        ends=tuple(ends[kept].tolist()),
        log_score=log_score,
        confidence=float(of_characters.mean()) if len(of_characters) else float(np.exp(log_score)),
    )
