"""The cold-start bench, with the library alone: compiling anew takes too long for the suite."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from carrel.kernels.build import LINKERS, warm
from carrel_bench.cold import SEARCH, fresh, show, summary

PAGE = Path(__file__).parents[1] / "pages" / "letter.jpg"


def test_a_search_out_of_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not any(map(shutil.which, LINKERS)):
        pytest.skip("no linker")
    assert warm([tmp_path]).library
    found = fresh(SEARCH, PAGE, tmp_path)
    row = summary("ahead of time", [(found, [1.0, 200.0, False])])
    assert not row.numba
    assert 0 < row.first_search_s < 5
    assert 10 < row.search_mib < 200
    show([row])
    assert "not loaded" in capsys.readouterr().out
