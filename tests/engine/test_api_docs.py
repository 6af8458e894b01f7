"""The page of the programming interface: as the script makes it, and its examples run."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

import carrel
import make_api_docs

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


def test_the_page_is_what_the_docstrings_say() -> None:
    assert make_api_docs.TARGET.read_text("utf-8") == make_api_docs.made(), "run python scripts/make_api_docs.py"


def test_every_public_name_is_described() -> None:
    named = {name for _, names in make_api_docs.CHAPTERS for name in names}
    assert named == set(carrel.__all__)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(LETTER, tmp_path)
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(make_api_docs.TARGET), module_relative=False, verbose=False)
    assert not failed and tried > 20
