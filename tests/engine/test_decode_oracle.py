"""The beam search against slow decoding in float64, on drawn and on real lines.

At each width the text must be the one that a search with a dictionary of texts finds, and no score may be above the exact
one of its text, summed over all alignments. Times must increase, most of them those of the best alignment (Viterbi).
``CARREL_ORACLE_LINES=1000 pytest tests/engine/test_decode_oracle.py`` takes more of the real lines and every width, which
takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.decode.beam import beam_search_lines
from carrel.decode.options import DecodeOptions
from carrel.decode.types import Decoded
from carrel_bench.peers.decode_worker import load_logits
from carrel_bench.speed.decode import shipped_logits
from ctc_reference import cut, forward_score, prefix_search, softmax, viterbi_starts

PACKS = Path(__file__).parents[3] / "shared" / "data" / "lines"
MORE_LINES = int(os.environ.get("CARREL_ORACLE_LINES", "0"))
WIDTHS = (5, 10, 25, 100) if MORE_LINES else (5, 25)
LEAST_SAME, LEAST_VITERBI = 0.999, 0.95
ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Agreement:
    """On how many of ``lines`` what holds; ``starts`` are first frames of characters, at Viterbi's and in all."""

    width: int
    lines: int
    same_text: int
    score_below_exact: int
    times_increase: int
    viterbi_starts: int
    starts: int

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return (
            self.same_text >= LEAST_SAME * self.lines
            and self.score_below_exact == self.times_increase == self.lines
            and self.viterbi_starts >= LEAST_VITERBI * self.starts
        )


def agreement(lines: Sequence[NDArray[np.float32]], width: int, threshold: float = 1e-3) -> Agreement:
    """Search all lines both ways."""
    options = DecodeOptions(beam_width=width, candidate_threshold=threshold)
    found = [readings[0] for readings in beam_search_lines(lines, options=options)]
    checks = np.zeros(5, np.int64)
    for logits, reading in zip(lines, found, strict=True):
        checks += _check(softmax(logits), reading, width, threshold)
    return Agreement(width, len(lines), *checks.tolist())


def _check(probabilities: NDArray[np.float64], reading: Decoded, width: int, threshold: float) -> list[int]:
    expected = prefix_search(cut(probabilities, threshold), width)[0][0]
    exact = forward_score(probabilities, reading.classes)
    best = viterbi_starts(probabilities, reading.classes)
    return [
        reading.classes == expected,
        reading.log_score <= exact + ROUNDING,
        all(a < b for a, b in pairwise(reading.starts)),
        sum(a == b for a, b in zip(reading.starts, best, strict=True)),
        len(best),
    ]


def test_drawn_lines_are_searched_as_a_dictionary_search_does(drawn_logits: Path) -> None:
    lines, _ = load_logits(drawn_logits)
    for width in (3, 5):
        found = agreement(lines, width)
        assert (found.lines, found.same_text) == (6, 6)
        assert found.holds


def test_an_agreement_that_does_not_hold() -> None:
    good = Agreement(5, 1000, 999, 1000, 1000, 95, 100)
    assert good.holds
    assert not replace(good, same_text=998).holds
    assert not replace(good, score_below_exact=999).holds
    assert not replace(good, times_increase=999).holds
    assert not replace(good, viterbi_starts=94).holds


@pytest.mark.parametrize("width", WIDTHS)
def test_real_lines_are_searched_as_a_dictionary_search_does(tmp_path: Path, width: int) -> None:
    if not PACKS.exists():
        pytest.skip("the line packs in ../shared/data are not here")
    file = tmp_path / "logits.npz"
    shipped_logits(PACKS, MORE_LINES or 24, file)
    lines, _ = load_logits(file)
    assert len(lines) == (MORE_LINES or 24)
    found = agreement(lines, width)
    assert found.holds, found
