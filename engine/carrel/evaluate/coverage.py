"""The share of errors that go when the lines with most errors expected are corrected."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.evaluate.score import LineScore


def wrong_characters(text: str, confidence: float) -> float:
    """Return how many characters of a recognized text are probably wrong; infinite where nothing was read, so that this comes first.

    A long line of middling confidence has more than a short one of little.
    """
    if not text:
        return math.inf
    return (1 - min(max(confidence, 0.0), 1.0)) * len(text)


def coverage(expected: Sequence[float], errors: Sequence[int]) -> NDArray[np.float64]:
    """Count how many errors go when the lines with most errors ``expected`` are corrected.

    Returns
    -------
    ndarray, (n + 1, 2)
        Share of lines looked at and share of errors removed, both from 0 to 1; lines that expect as many stand in
        the given order.
    """
    order = np.argsort(-np.array(expected, dtype=float), kind="stable")
    removed = np.concatenate([[0.0], np.array(errors, dtype=float)[order].cumsum()])
    looked_at = np.linspace(0, 1, len(removed)) if len(removed) > 1 else np.zeros(1)
    return np.stack([looked_at, removed / max(removed[-1], 1.0)], axis=1)


def review_coverage(lines: Sequence[LineScore]) -> NDArray[np.float64]:
    """Return the ``coverage`` of the lines that were read and have a confidence; ``(1, 2)`` zeros where there is none."""
    confident = [line for line in lines if line.confidence is not None]
    expected = [wrong_characters(line.hypothesis, line.confidence or 0.0) for line in confident]
    return coverage(expected, [line.counts["as is"].character_errors for line in confident])


def share_removed(curve: NDArray[np.float64], share_looked_at: float) -> float:
    """Return the share of errors removed when ``share_looked_at`` of the lines are corrected."""
    return float(np.interp(share_looked_at, curve[:, 0], curve[:, 1]))
