"""Lines whose transcription a network contradicts."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel.review.training_lines import LineSample  # noqa: E402
from carrel_export.handwriting.cleaning import LineVerdict, cost_of, counts, verdict_of  # noqa: E402

ALPHABET = "abcdefgh"


def _judged(text: str, read: str, odds: float = 12.0) -> LineVerdict:
    """The verdict on ``text`` of a network that reads ``read`` with the given log odds in every frame."""
    frames = torch.zeros(2 * len(read) + 2, len(ALPHABET) + 1)
    frames[:, 0] = odds
    for k, character in enumerate(read):
        frames[2 * k + 1, 0] = 0.0
        frames[2 * k + 1, ALPHABET.index(character) + 1] = odds
    sample = LineSample("drawn", "1.webp", "1", "train", text, np.zeros((8, 8), np.uint8))
    return verdict_of(sample, torch.log_softmax(frames, -1), ALPHABET)


def test_only_what_is_contradicted_beyond_doubt_is_left_out() -> None:
    assert _judged("hhghhh", "abcdef").excluded
    assert not _judged("abcdee", "abcdef").excluded, "one character of difference"
    assert not _judged("hhghhh", "abcdef", odds=1.0).excluded, "the network is not sure"
    assert not _judged("hhh", "abc").excluded, "too short to judge"
    assert not _judged("ABCDEF", "abcdef").excluded, "capitals"


def test_cost_of_a_text_that_does_not_fit_the_frames_is_finite() -> None:
    row = torch.log_softmax(torch.randn(3, len(ALPHABET) + 1), -1)
    assert np.isfinite(cost_of(row, [1, 1, 2, 2])) and np.isfinite(cost_of(row, []))


def test_counts_name_every_source() -> None:
    table = counts([_judged("hhghhh", "abcdef"), _judged("abcdef", "abcdef")])
    assert "| drawn | 2 | 1 |" in table and "| all | 2 | 1 |" in table
