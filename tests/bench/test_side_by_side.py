"""The comparison of print: that it measures, adds up, and says what changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from carrel_bench.__main__ import OWN_PAGES, Reading, degraded, main, markdown, ratios, summarize


def reading(program: str, page: str, cold: bool, errors: int, seconds: float) -> Reading:
    return Reading(program, page, cold, 200, errors, seconds, seconds, 100.0)


def test_figures_add_up_and_are_compared() -> None:
    table = summarize(
        [reading("a", "p", True, 2, 3.0), reading("a", "q", False, 0, 1.0), reading("a", "q", False, 4, 2.0)]
    )
    assert table["a"]["CER p"] == pytest.approx(0.01) and table["a"]["CER q"] == pytest.approx(0.01)
    assert (table["a"]["cold s"], table["a"]["warm s/page"], table["a"]["CPU s/page, least"]) == (3.0, 1.5, 1.0)
    assert "| CER p | 1.00% |" in markdown(table)
    halved = {"a": {k: v / 2 for k, v in table["a"].items()}}
    assert "warm s/page" in ratios(halved, table) and "0.50" in ratios(halved, table)


def test_a_degraded_page_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        degraded(OWN_PAGES / "french.jpg", tmp_path / name)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(OWN_PAGES / "french.jpg", tmp_path / "french.jpg")
    shutil.copy(OWN_PAGES / "french.gt.txt", tmp_path / "french.gt.txt")
    report, picture = tmp_path / "report.json", tmp_path / "bars.png"
    arguments = ["--pages", str(tmp_path), "--quick", "--json", str(report), "--plot", str(picture)]
    assert main(arguments) == 0
    table = json.loads(report.read_text("utf-8"))["table"]
    assert table["carrel"]["CER french"] < 0.02 and table["carrel"]["cold s"] > 0
    assert "| CER french |" in capsys.readouterr().out and picture.stat().st_size > 5000
    assert main(["--pages", str(tmp_path / "none"), "--quick"]) == 3
