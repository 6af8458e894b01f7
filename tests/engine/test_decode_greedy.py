"""The greedy decoder: exact readings, places, probabilities, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from carrel.decode import greedy, greedy_lines
from carrel.errors import ModelError, UsageError

Logits = NDArray[np.float32]


def logits_of(path: list[int], classes: int, sharpness: float = 4.0) -> Logits:
    logits = np.zeros((len(path), classes), np.float32)
    logits[np.arange(len(path)), path] = sharpness
    return logits


def test_reads_repeats_only_across_a_blank() -> None:
    decoded = greedy(logits_of([0, 1, 1, 0, 1, 2, 2, 0], 3))
    assert decoded.classes == (1, 1, 2)
    assert decoded.starts == (1, 4, 5)
    assert decoded.ends == (3, 5, 7)


def test_probability_is_the_softmax_of_the_best_frame() -> None:
    logits = logits_of([1, 1], 3)
    logits[1, 1] = 6.0
    expected = math.exp(6.0) / (math.exp(6.0) + 2.0)
    decoded = greedy(logits)
    assert decoded.probabilities == pytest.approx((expected,), rel=1e-6)
    assert decoded.confidence == pytest.approx(expected, rel=1e-6)
    assert decoded.log_score == pytest.approx(math.log(expected) + math.log(math.exp(4) / (math.exp(4) + 2)), rel=1e-6)


def test_temperature_changes_confidence_and_not_the_text() -> None:
    logits = logits_of([0, 2, 0, 1], 4)
    sharp, modest = greedy(logits), greedy(logits, temperature=2.0)
    assert sharp.classes == modest.classes == (2, 1)
    assert modest.confidence < sharp.confidence
    assert modest.confidence == pytest.approx(math.exp(2) / (math.exp(2) + 3), rel=1e-6)


def test_a_line_of_blanks_is_empty_with_the_probability_of_being_so() -> None:
    decoded = greedy(logits_of([0, 0], 3))
    assert decoded.classes == ()
    assert decoded.confidence == pytest.approx((math.exp(4) / (math.exp(4) + 2)) ** 2, rel=1e-6)


def test_the_blank_may_be_any_class() -> None:
    assert greedy(logits_of([2, 0, 2, 1, 2], 3), blank=2).classes == (0, 1)


def test_padding_is_not_read() -> None:
    batch = np.zeros((2, 4, 3), np.float32)
    batch[0] = logits_of([1, 0, 2, 0], 3)
    batch[1, :2] = logits_of([2, 1], 3)
    assert [d.classes for d in greedy_lines(batch, frames=[4, 2])] == [(1, 2), (2, 1)]
    with pytest.raises(ModelError, match=r"frame 2 of line 1 .* zero throughout"):
        greedy_lines(batch)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_reads_what_joining_and_dropping_gives(path: list[int]) -> None:
    decoded = greedy(logits_of(path, 4))
    assert list(decoded.classes) == [c for c, _ in groupby(path) if c != 0]
    for c, start, end in zip(decoded.classes, decoded.starts, decoded.ends, strict=True):
        assert path[start:end] == [c] * (end - start)
        assert start < end


def broken(frame: int, value: float) -> Logits:
    logits = logits_of([1, 2, 0], 3)
    logits[frame, 1] = value
    return logits


@pytest.mark.parametrize(
    ("logits", "blank", "error", "message"),
    [
        (broken(1, math.nan), 0, ModelError, "frame 1 .* nan"),
        (broken(2, math.inf), 0, ModelError, "frame 2 .* inf"),
        (np.full((2, 3), -np.inf, np.float32), 0, ModelError, "frame 0 .* -inf"),
        (np.zeros((2, 3), np.float32), 0, ModelError, "frame 0 .* zero throughout"),
        (np.ones((2, 3), np.float64), 0, UsageError, "float64"),
        (np.ones((2, 3, 4), np.float32), 0, UsageError, "shape"),
        (np.ones((0, 3), np.float32), 0, UsageError, "at least one frame"),
        (np.ones((3, 1), np.float32), 0, UsageError, "two classes"),
        (np.ones((3, 3), np.float32), 3, UsageError, "blank is class 3"),
        (np.ones((3, 3), np.float32), -1, UsageError, "blank is class -1"),
    ],
)
def test_refuses(logits: Logits, blank: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        greedy(logits, blank)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_refuses_temperature(temperature: float) -> None:
    with pytest.raises(UsageError, match="temperature"):
        greedy(logits_of([1], 3), temperature=temperature)


def test_greedy_needs_no_compiler() -> None:
    code = "import sys, carrel.decode; print('numba' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
