"""Words of a collection: texts mixed into the language model that ships, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from carrel.errors import InputError
from carrel.loading import language_for
from carrel.models.folders import open_model, shipped_folder
from carrel.options import ReadOptions
from carrel_export.language.pack import build, pack
from carrel_export.learn.words import levels_of, mixed_with
from carrel_export.learn.words_command import command

LINES = [
    f"{name} {place} zwqx {number}"
    for number, (name, place) in enumerate(
        zip(
            ("Kervadec", "Quemeneur", "Le Goff") * 8, ("Plougastel", "Daoulas", "Landerneau", "Crozon") * 6, strict=True
        )
    )
]


def test_a_packed_model_unpacks_to_what_it_was_made_of() -> None:
    model = build([*LINES, "the keeper of tide tables", "wrote both figures down"], order=4)
    levels = levels_of(model)
    assert len(levels) == 4 and all((np.diff(level.keys.astype(np.int64)) > 0).all() for level in levels)
    again = pack(levels, model.symbols)
    for line in (*LINES[:3], "the tables of Kervadec", ""):
        assert again.score(line) == pytest.approx(model.score(line), abs=0.02)


@pytest.fixture(scope="module")
def shipped() -> Path:
    folder = shipped_folder("language-fr-en-de")
    if not folder.is_dir():
        pytest.skip("the language model is not installed")
    return folder


def test_texts_become_likelier_and_their_words_known(shipped: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(LINES), "utf-8")
    result = CliRunner().invoke(command, [str(names), "--to", str(tmp_path / "words")])
    assert result.exit_code == 0, result.exception
    made, identity = language_for(ReadOptions(words=tmp_path / "words"))
    before, _ = language_for(ReadOptions())
    assert identity.startswith("words@") and made.words is not None and made.words.holds("Quemeneur")
    figures = open_model(tmp_path / "words", "language").manifest.figures
    assert figures["text_weight"] > 0 and figures["text_perplexity_held_out"] < figures["text_perplexity_before"]
    unseen = "Le Goff Crozon zwqx 7"
    assert made.ngrams.score(unseen) > before.ngrams.score(unseen) + 2
    usual = "the keeper of the tables wrote it down"
    assert made.ngrams.score(usual) > before.ngrams.score(usual) - len(usual) * 0.31  # half of each chance at the worst
    assert "Kervadec" not in (tmp_path / "words/manifest.json").read_text("utf-8")


def test_few_lines_are_words_alone(shipped: Path) -> None:
    before, _ = language_for(ReadOptions())
    mixed = mixed_with(before, LINES[:3])
    assert mixed.weight == 0.0 and mixed.model.ngrams is before.ngrams
    assert mixed.model.words is not None and mixed.model.words.holds("Kervadec")


def test_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n\n", "utf-8")
    for file in ("empty.txt", "nosuch.txt"):
        result = CliRunner().invoke(command, [str(tmp_path / file), "--to", str(tmp_path / "m")])
        assert isinstance(result.exception, InputError)
    assert not (tmp_path / "m").exists()
