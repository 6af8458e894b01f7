"""The bench of second opinions: the first network where it is sure, the second where that is surer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carrel.review.training_lines import LineRow, write_pack
from carrel_bench.command import main
from carrel_bench.figures import OVERALL, load
from drawn_lines import WORDS, draw_line

PROGRAMS = ("handwriting-fast", "handwriting-best", "both")


@pytest.mark.parametrize("below", ["0", "1"])
def test_both_are_the_first_where_nothing_is_unsure(tmp_path: Path, below: str) -> None:
    rows = [(LineRow(f"{n}.png", text, "0", "test"), np.asarray(draw_line(text))) for n, text in enumerate(WORDS[:6])]
    write_pack(tmp_path / "one.zip", rows)
    file = tmp_path / "second.jsonl"
    options = ["--data", str(tmp_path), "--below", below, "--each", "4", "--json", str(file)]
    assert main(["second", *options]) == 0
    found = {(f.program, f.name): f.value for f in load(file) if f.case == OVERALL}
    assert {found[program, "lines"] for program in PROGRAMS} == {4}
    first, _, both = (found[program, "CER"] for program in PROGRAMS)
    assert found["both", "asked"] == float(below)
    if below == "0":
        assert found["both", "won"] == 0 and both == first
