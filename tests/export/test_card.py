"""The card of a model folder, written without PyTorch."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner

from carrel.errors import InputError
from carrel.models.folders import shipped_folder
from carrel_bench.figures import Figure, figures_of, json_lines
from carrel_export.__main__ import main


def _rows(program: str, source: str, cer: float) -> list[Figure]:
    numbers = {"lines": 7, "CER": cer, "CER, low": cer - 0.01, "CER, high": cer + 0.01}
    return list(figures_of("lines", program, source, numbers))


def test_card_quotes_the_figures_it_is_given(tmp_path: Path) -> None:
    folder = shutil.copytree(shipped_folder("handwriting-fast"), tmp_path / "model")
    figures = tmp_path / "figures.jsonl"
    sources = {"letters": 0.25, "deeds": 0.125, "overall": 0.15}
    rows = [row for source, cer in sources.items() for row in _rows("handwriting-fast int8 search", source, cer)]
    figures.write_text(json_lines({"processor": "any"}, rows), "utf-8")
    outcome = CliRunner().invoke(main, ["card", str(folder), str(figures)])
    assert outcome.exit_code == 0, outcome.output
    card = (folder / "card.md").read_text("utf-8")
    assert "| letters | 7 | 25.0 % [24.0, 26.0] |" in card
    assert "| **overall** | 7 | 15.0 % [14.0, 16.0] |" in card
    assert "reads worst: letters (25 %), deeds (12 %)" in card


def test_figures_of_another_model_are_refused(tmp_path: Path) -> None:
    figures = tmp_path / "figures.jsonl"
    figures.write_text(json_lines({}, _rows("other int8", "overall", 0.1)), "utf-8")
    outcome = CliRunner().invoke(main, ["card", str(shipped_folder("handwriting-fast")), str(figures)])
    assert isinstance(outcome.exception, InputError)
    assert "holds no figures of handwriting-fast" in str(outcome.exception)
