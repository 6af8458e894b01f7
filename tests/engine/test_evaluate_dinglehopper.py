"""CER and WER beside dinglehopper, to the last digit, where it is installed (``pip install dinglehopper``).

dinglehopper counts a letter and its marks as one unit even where they have no common code point; its command also counts
line breaks as characters, takes some letters for others, and for its WER ends words where Unicode's annex 29 says.
``CARREL_TEXTS=TRANSCRIPTIONS:HYPOTHESES`` names two folders of text to compare as well.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from carrel.evaluate import Counts, count, from_text
from carrel.evaluate.normalize import AS_IS

pytestmark = pytest.mark.skipif(find_spec("dinglehopper") is None, reason="dinglehopper is not installed")


class Rates(NamedTuple):
    """CER and WER of one text, as parts of one."""

    cer: float
    wer: float


class Comparison(NamedTuple):
    """One document: Carrel's rates, dinglehopper's on the same text, those of dinglehopper's command; ``composed`` says
    whether every unit of the texts is one code point."""

    name: str
    carrel: Rates
    same_text: Rates
    command: Rates
    composed: bool

    @property
    def agrees(self) -> bool:
        """To the last digit, where a unit is a code point."""
        return self.carrel == self.same_text or not self.composed


def compare(name: str, ground_truth: str, hypothesis: str) -> Comparison:
    """Both programs on one document; needs dinglehopper."""
    from dinglehopper.character_error_rate import character_error_rate  # pyright: ignore[reportMissingImports]
    from dinglehopper.extracted_text import normalize_sbb  # pyright: ignore[reportMissingImports]
    from dinglehopper.word_error_rate import word_error_rate_n, words_normalized  # pyright: ignore[reportMissingImports]
    from uniseg.graphemecluster import grapheme_clusters  # pyright: ignore[reportMissingImports]

    counts: Counts = count(from_text(name, ground_truth).text, from_text(name, hypothesis).text)
    folded = AS_IS.apply(ground_truth), AS_IS.apply(hypothesis)
    word_lists: list[Any] = [text.split() for text in folded]
    raw: list[str] = [normalize_sbb(text.strip()) for text in (ground_truth, hypothesis)]
    raw_words: list[Any] = [list(words_normalized(text)) for text in raw]
    return Comparison(
        name,
        Rates(counts.cer, counts.wer),
        Rates(float(character_error_rate(*folded)), float(word_error_rate_n(*word_lists)[0])),
        Rates(float(character_error_rate(*raw)), float(word_error_rate_n(*raw_words)[0])),
        all(len(list(grapheme_clusters(text))) == len(text) for text in folded),
    )


CASES = (
    ("", ""), ("abc", ""), ("kitten", "sitting"), ("the cat sat", "cat sat the"), ("a  b\nc", "a b c"),
    ("Größe", "Groesse"), ("Dr. Hooker", "Dr Hooker,"), ("l'été", "l ete"), ("e\u0301te\u0301", "été"),
    ("one two\nthree", "one twothree"), ("ſtraße — ’tis", "strasse - 'tis"), ("क्षत्रिय", "क्षत्रि"),
)  # fmt: skip


@pytest.mark.parametrize(("ground_truth", "hypothesis"), CASES)
def test_rates_are_dinglehoppers(ground_truth: str, hypothesis: str) -> None:
    found = compare("case", ground_truth, hypothesis)
    assert found.agrees
    assert found.composed == (ground_truth != "क्षत्रिय")


@pytest.mark.skipif("CARREL_TEXTS" not in os.environ, reason="CARREL_TEXTS names no folders")
def test_rates_of_documents_are_dinglehoppers() -> None:
    folders = [Path(folder) for folder in os.environ["CARREL_TEXTS"].split(":")]
    texts = [{f.name.split(".")[0]: f.read_text("utf-8") for f in sorted(folder.glob("*.txt"))} for folder in folders]
    names = sorted(texts[0].keys() & texts[1].keys())
    assert names
    assert [name for name in names if not compare(name, texts[0][name], texts[1][name]).agrees] == []
