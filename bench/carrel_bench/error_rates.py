"""Does ``carrel eval`` count as dinglehopper does? Both on the same texts, compared to the last digit.

dinglehopper brings much along; an environment of its own is enough::

    uv venv oracle && uv pip install --python oracle dinglehopper
    PYTHONPATH=engine:bench oracle/bin/python -m carrel_bench.error_rates TRUTH HYPOTHESIS

TRUTH and HYPOTHESIS are folders of text (``NAME.gt.txt`` or ``NAME.txt`` in both). For every document:

- CER of the whole text in order by Carrel, and by dinglehopper's functions on that text (NFC, white space folded);
- WER over words between white space by both;
- what dinglehopper's command makes of the same files: line breaks count as characters, some letters are taken for others
  (its substitutions for German print), a letter and its marks are one unit, words end where Unicode's annex 29 says and
  those of punctuation alone are none.

Ends with status 1 where the first two differ although no letter of the document needs a mark without a common code point.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from carrel.evaluate import Counts, count, from_text
from carrel.evaluate.normalize import AS_IS


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


def compare(name: str, truth: str, hypothesis: str) -> Comparison:
    """Both programs on one document; needs dinglehopper."""
    from dinglehopper.character_error_rate import character_error_rate  # pyright: ignore[reportMissingImports]
    from dinglehopper.extracted_text import normalize_sbb  # pyright: ignore[reportMissingImports]
    from dinglehopper.word_error_rate import word_error_rate_n, words_normalized  # pyright: ignore[reportMissingImports]
    from uniseg.graphemecluster import grapheme_clusters  # pyright: ignore[reportMissingImports]

    counts: Counts = count(from_text(name, truth).text, from_text(name, hypothesis).text)
    folded = AS_IS.apply(truth), AS_IS.apply(hypothesis)
    word_lists: list[Any] = [text.split() for text in folded]
    raw: list[str] = [normalize_sbb(text.strip()) for text in (truth, hypothesis)]
    raw_words: list[Any] = [list(words_normalized(text)) for text in raw]
    return Comparison(
        name,
        Rates(counts.cer, counts.wer),
        Rates(float(character_error_rate(*folded)), float(word_error_rate_n(*word_lists)[0])),
        Rates(float(character_error_rate(*raw)), float(word_error_rate_n(*raw_words)[0])),
        all(len(list(grapheme_clusters(text))) == len(text) for text in folded),
    )


def text_pairs(truth: Path, hypothesis: Path) -> Iterator[tuple[str, str, str]]:
    """Name, truth and hypothesis of every document that both folders hold."""
    texts = [
        {file.name.removesuffix(".txt").removesuffix(".gt"): file for file in sorted(folder.glob("*.txt"))}
        for folder in (truth, hypothesis)
    ]
    for name in sorted(texts[0].keys() & texts[1].keys()):
        yield name, texts[0][name].read_text("utf-8"), texts[1][name].read_text("utf-8")


def main(arguments: list[str]) -> int:
    """Compare two folders; 1 where the programs differ without reason."""
    truth, hypothesis = map(Path, arguments)
    found = [compare(*pair) for pair in text_pairs(truth, hypothesis)]
    print(f"{'':28}{'Carrel CER':>12}{'WER':>9}  {'same text':12}{'command CER':>12}{'WER':>9}")
    for one in found:
        same = "equal" if one.carrel == one.same_text else "agrees" if one.agrees else "DIFFERS"
        rates = f"{100 * one.carrel.cer:>11.4f}%{100 * one.carrel.wer:>8.3f}%"
        print(f"{one.name:28}{rates}  {same:12}{100 * one.command.cer:>11.4f}%{100 * one.command.wer:>8.3f}%")
    equal = sum(one.carrel == one.same_text for one in found)
    marks = sum(not one.composed for one in found)
    print(f"{equal} of {len(found)} equal to the last digit; {marks} hold letters of several code points")
    return int(not found or not all(one.agrees for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
