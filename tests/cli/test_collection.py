"""A folder's ``carrel.toml``: what commands that read take from it, and what they refuse."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from carrel.collection import KEYS, find_collection, read_collection
from carrel.errors import InputError, UsageError
from carrel.loading import language_for
from carrel.models.folders import shipped_folder
from carrel.options import ReadOptions
from carrel_cli.common.reading import reading_options


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@reading_options
def reading(files: tuple[Path, ...], read: ReadOptions) -> None:
    """Say what the pages would be read with."""
    chosen = [getattr(read, key) for key in KEYS]
    click.echo("|".join(str(value.name if isinstance(value, Path) else value) for value in chosen))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(reading, list(map(str, arguments)))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """``parish/1790/page.png``, with a ``carrel.toml`` and names in ``parish``."""
    folder = tmp_path / "parish" / "1790"
    folder.mkdir(parents=True)
    (folder / "page.png").write_bytes(b"")
    (tmp_path / "parish/names.txt").write_text("Kervadec\nPlougastel\n", "utf-8")
    (tmp_path / "parish/carrel.toml").write_text(
        'model = "handwriting-fast"\nwords = "names.txt"\nlanguages = "fr"\ndeskew = false\n', "utf-8"
    )
    return folder


def test_a_collection_is_followed_from_its_subfolders(scans: Path) -> None:
    for place in (scans / "page.png", scans, scans.parent):
        told = run(place)
        assert told.stdout == "handwriting-fast|names.txt|('fra',)|auto|True|True|False|False|None|0.8\n", (
            told.exception
        )
        assert "carrel.toml: model handwriting-fast, words names.txt, languages fr, deskew false" in told.stderr


def test_what_is_asked_for_goes_first(scans: Path) -> None:
    told = run(scans, "--lang", "en", "--deskew")
    assert told.stdout == "handwriting-fast|names.txt|('eng',)|auto|True|True|True|False|None|0.8\n"
    assert (
        run(scans, "--no-language-model").stdout
        == "handwriting-fast|None|('fra',)|auto|False|True|False|False|None|0.8\n"
    )
    assert "|('eng', 'fra')|" in run(scans, "--no-collection").stdout


def test_files_of_two_collections_are_refused(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "loose.png").write_bytes(b"")
    told = run(scans / "page.png", tmp_path / "loose.png")
    assert isinstance(told.exception, UsageError) and "several collections" in str(told.exception)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model = ", "cannot be read as TOML"),
        ('lang = "fr"', "'lang' is no choice of a collection; those are model, words"),
        ("languages = 3", "languages must be a text or a list of texts, not 3"),
        ('deskew = "yes"', "deskew must be true or false, not 'yes'"),
        ("model = 7", "model must be a text, not 7"),
    ],
)
def test_a_faulty_file_is_refused_by_key(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "carrel.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as refusal:
        read_collection(file)
    assert reason in str(refusal.value) and str(file) in str(refusal.value)


def test_a_file_of_another_user_does_not_count(scans: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    assert find_collection(scans) == scans.parent / "carrel.toml"
    os.chown(scans.parent / "carrel.toml", 12345, 12345)
    assert find_collection(scans) is None


def test_words_are_known_to_the_search(tmp_path: Path) -> None:
    if not shipped_folder("language-fr-en-de").is_dir():
        pytest.skip("the language model is not installed")
    file = tmp_path / "names.txt"
    file.write_text("Kervadec, recteur de Plougastel-Daoulas\n", "utf-8")
    shipped, _ = language_for(ReadOptions())
    known, identity = language_for(ReadOptions(words=file))
    names: tuple[str, ...] = ("Kervadec", "Plougastel", "Daoulas")
    lists: list[Any] = [shipped.words, known.words]
    assert [[words.holds(name) for name in names] for words in lists] == [[False] * 3, [True] * 3]
    assert "words@" in identity
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        language_for(ReadOptions(words=file))
    with pytest.raises(UsageError, match="switched off"):
        ReadOptions(words=file, language_model=False)


def test_a_second_opinion_may_be_of_the_collection(scans: Path) -> None:
    file = scans.parent / "carrel.toml"
    file.write_text('second = "handwriting-best"\nsecond_below = 0.5\n', "utf-8")
    assert run(scans).stdout.endswith("|handwriting-best|0.5\n")
    for faulty in ("second_below = 2", "second_below = true", 'second_below = "much"'):
        file.write_text(f"{faulty}\n", "utf-8")
        with pytest.raises(InputError, match="second_below must be a number from 0 to 1"):
            read_collection(file)
