"""The card of a model folder, written without PyTorch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from carrel.errors import InputError
from carrel.models.folders import shipped_folder
from carrel_export.__main__ import main


def _row(cer: float) -> dict[str, object]:
    return {"cer": cer, "cer_interval": [cer - 0.01, cer + 0.01], "lines": 7}


def test_card_quotes_the_figures_it_is_given(tmp_path: Path) -> None:
    folder = shutil.copytree(shipped_folder("handwriting-fast"), tmp_path / "model")
    figures = tmp_path / "figures.json"
    sources = {"letters": _row(0.25), "deeds": _row(0.125), "overall": _row(0.15)}
    figures.write_text(json.dumps({"handwriting-fast int8 search": {"sources": sources}}), "utf-8")
    outcome = CliRunner().invoke(main, ["card", str(folder), str(figures)])
    assert outcome.exit_code == 0, outcome.output
    card = (folder / "card.md").read_text("utf-8")
    assert "| letters | 7 | 25.0 % [24.0, 26.0] |" in card
    assert "| **overall** | 7 | 15.0 % [14.0, 16.0] |" in card
    assert "reads worst: letters (25 %), deeds (12 %)" in card


def test_figures_of_another_model_are_refused(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text('{"other int8": {"sources": {}}}', "utf-8")
    outcome = CliRunner().invoke(main, ["card", str(shipped_folder("handwriting-fast")), str(figures)])
    assert isinstance(outcome.exception, InputError)
    assert "holds no figures of handwriting-fast" in str(outcome.exception)
