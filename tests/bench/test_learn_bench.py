"""The bench of learning: without lines to learn it reads with the parent; a command that fails is told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from carrel.review.training_lines import LineRow, write_pack
from carrel_bench.command import main
from carrel_bench.figures import load
from drawn_lines import WORDS, draw_line


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        rows = [
            (LineRow(f"{n}.png", text, str(n // 4), split), np.asarray(draw_line(text)))
            for n, (text, split) in enumerate(zip(WORDS[:12], ("train", "test") * 6, strict=True))
        ]
        write_pack(tmp_path / f"{name}.zip", rows)
    return tmp_path


def test_nothing_learned_is_the_parent(packs: Path, tmp_path: Path) -> None:
    file = tmp_path / "learn.jsonl"
    assert main(["learn", "--data", str(packs), "--lines", "0", "--source", "one", "--json", str(file)]) == 0
    found = {figure.name: (figure.program, figure.case, figure.value) for figure in load(file)}
    assert set(found) == {"CER", "CER, other hands"} and found["CER"][:2] == ("one", "0")
    assert found["CER"][2] == found["CER, other hands"][2] < 0.5  # the same lines in both packs


def test_too_few_lines_and_no_torch_are_told(packs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["learn", "--data", str(packs), "--lines", "6", "--source", "one"])
    told = capsys.readouterr()
    if find_spec("torch") is None:
        assert code == 1 and "carrel learn failed with exit status 2" in told.err
    else:
        assert code == 0 and "published" in told.out
