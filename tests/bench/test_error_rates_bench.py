"""Error rates side by side with dinglehopper, where it is installed; which texts are compared, always."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from carrel_bench.error_rates import compare, text_pairs

CASES = (
    ("", ""), ("abc", ""), ("kitten", "sitting"), ("the cat sat", "cat sat the"), ("a  b\nc", "a b c"),
    ("Größe", "Groesse"), ("Dr. Hooker", "Dr Hooker,"), ("l'été", "l ete"), ("e\u0301te\u0301", "été"),
    ("one two\nthree", "one twothree"), ("ſtraße — ’tis", "strasse - 'tis"), ("क्षत्रिय", "क्षत्रि"),
)  # fmt: skip


@pytest.mark.parametrize(("truth", "hypothesis"), CASES)
def test_rates_are_dinglehoppers(truth: str, hypothesis: str) -> None:
    if find_spec("dinglehopper") is None:
        pytest.skip("dinglehopper is not installed")
    found = compare("case", truth, hypothesis)
    assert found.agrees
    assert found.composed == (truth != "क्षत्रिय")


def test_documents_are_found_by_name(tmp_path: Path) -> None:
    for file in ("t/a.gt.txt", "t/b.txt", "h/a.txt", "h/c.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(file)
    assert list(text_pairs(tmp_path / "t", tmp_path / "h")) == [("a", "t/a.gt.txt", "h/a.txt")]
