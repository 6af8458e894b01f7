"""The decoding benches run, and the search holds against slow decoding on real lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from carrel_bench import decode, decode_oracle
from carrel_bench.decode_oracle import Agreement, agreement

PACKS = Path(__file__).parents[3] / "shared" / "data" / "lines"


@pytest.fixture
def drawn_logits(tmp_path: Path) -> Path:
    """Six lines of logits as a network could give them, in the form of `shipped_logits`."""
    rng = np.random.default_rng(1)
    alphabet = "abcdefghijklmnop qrstuvwxyz"
    frames = rng.integers(30, 60, 6)
    logits = rng.normal(0.0, 1.0, (int(frames.sum()), len(alphabet) + 1)).astype(np.float32)
    logits[:, 0] += 5.0
    peaks = np.arange(1, len(logits), 4)
    logits[peaks, rng.integers(1, len(alphabet) + 1, len(peaks))] += 9.0
    file = tmp_path / "logits.npz"
    np.savez(file, logits=logits, frames=frames, alphabet=np.array(alphabet))
    return file


def test_the_oracle_command_holds_and_says_so(drawn_logits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decode_oracle.main(["--logits", str(drawn_logits), "--widths", "3", "5", "--json"]) == 0
    rows = [Agreement(**row) for row in json.loads(capsys.readouterr().out)]
    assert [(row.width, row.lines, row.same_text) for row in rows] == [(3, 6, 6), (5, 6, 6)]


def test_an_agreement_that_does_not_hold() -> None:
    good = Agreement(5, 1000, 999, 1000, 1000, 95, 100)
    assert good.holds
    assert not replace(good, same_text=998).holds
    assert not replace(good, score_below_exact=999).holds
    assert not replace(good, times_increase=999).holds
    assert not replace(good, viterbi_starts=94).holds


def test_the_bench_measures_carrel_where_there_are_no_peers(
    drawn_logits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    decode.main(["--logits", str(drawn_logits), "--peers", "--rounds", "1", "--out", str(out)])
    rows = json.loads(out.read_text("utf-8"))["rows"]
    batches = [row for row in rows if "width" in row]
    assert {row["width"] for row in batches} == set(decode.WIDTHS)
    assert all(row["us_per_line"]["carrel"] > 0 for row in batches)
    assert "language_model_overhead" in capsys.readouterr().out
    found = decode.figures(json.loads(out.read_text("utf-8"))["rows"])
    assert found["batch from probabilities x1.0 width 25"]["carrel us/line"] > 0
    assert found["x0.6"]["language model overhead"] > 0


@pytest.mark.parametrize("width", [5, 25])
def test_real_lines_are_searched_as_a_dictionary_search_does(tmp_path: Path, width: int) -> None:
    if not PACKS.exists():
        pytest.skip("the line packs in ../shared/data are not here")
    file = tmp_path / "logits.npz"
    decode.shipped_logits(PACKS, 24, file)
    lines, _ = decode.load_logits(file)
    assert len(lines) == 24
    assert agreement(lines, width).holds
