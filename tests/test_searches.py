"""Who searches the engine for a term of the field finds the right file first."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[1] / "engine" / "carrel"
SEARCHES = {
    "bleed-through": "recognizers/bleed_through.py",
    "ground truth": "evaluate/",
    "tile": "layout/lines/fine_scale.py",
    "detect language": "recognizers/printed.py",
    "orientation": "orientation.py",
    "split cells": "layout/tables/split_cells.py",
    "normalize line": "image/crop.py",
    "binarize": "image/prepare.py",
    "fallback": "backends/runtimes/fallback.py",
    "classify": "recognizers/writing.py",
    "segment": "layout/",
    "skew": "image/prepare.py",
}


def pattern_of(term: str) -> re.Pattern[str]:
    """Return what finds a term with any ending of its words, and with an article between them."""
    stems = (re.escape(re.sub(r"(?<=\w{4})[ey]$", "", word)) for word in re.split(r"[ -]", term))
    return re.compile(r"(?<![a-z])" + r"\w*[ _-](?:an? |the )?".join(stems), re.IGNORECASE)


def rank(file: Path, pattern: re.Pattern[str]) -> tuple[bool, bool, bool, int]:
    """Return whether a file's name, its docstring's first line or a definition has the term, and how many hits it has."""
    text = file.read_text("utf-8")
    tree = ast.parse(text)
    headings = [f"{node.name}" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    first = (ast.get_docstring(tree) or "").partition("\n")[0]
    found = (bool(pattern.search(each)) for each in (file.stem, first, "\n".join(headings)))
    return (*found, len(pattern.findall(text)))  # type: ignore[return-value]


@pytest.mark.parametrize(("term", "right"), SEARCHES.items())
def test_a_search_finds_the_right_file_first(term: str, right: str) -> None:
    pattern = pattern_of(term)
    ranks = {str(file.relative_to(ENGINE)): rank(file, pattern) for file in ENGINE.rglob("*.py")}
    best = sorted(ranks, key=lambda name: ranks[name], reverse=True)[:3]
    assert best[0].startswith(right), f"{best}: {[ranks[name] for name in best]}"
