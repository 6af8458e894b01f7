"""The recipe of the shipped language model, made of line packs and corpora: a mixture of three estimates, pruned and packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carrel.decode.ngram import NgramModel
from carrel_export.language.counts import MOST_SYMBOLS, Counts, count_ngrams, symbols_of
from carrel_export.language.kneser_ney import estimate
from carrel_export.language.mix import Part, gains_of, mix, prune_to
from carrel_export.language.pack import pack
from carrel_export.language.texts import read_paragraphs, wrap
from carrel_export.language.words import known_words

ORDER = 7
REGISTERS = ("bronod", "lectaurep", "lectaurep-2", "mariages")
"""Packs that are no prose: names, amounts, dates. The corpora hold nothing like them, so they are counted once more."""
WEIGHTS = {"packs": 0.42, "registers": 0.08, "corpora": 0.50}
"""Of all packs, of `REGISTERS` once more, of corpora. On lines of documents that the packs' text is of, more weight of
the packs reads better; on other archives, less."""
CORPORA_CUTS = (1, 1, 1, 2, 3, 3, 3)
"""Least count of an n-gram of each order of the corpora; rarer ones never outlive the pruning."""
MORE_SYMBOLS = "@ßãìò"
"""Of networks that are trained at present."""


@dataclass(frozen=True)
class Texts:
    """Texts that a model learns from: lines by kind of pack, and a folder of corpora. ``symbols`` are its characters."""

    lines: Mapping[str, Sequence[str]]
    corpora: Path
    symbols: str
    lengths: Sequence[int]


def texts_of(train: Mapping[str, Sequence[str]], corpora: Path, alphabet: str, without: str | None = None) -> Texts:
    """Return the texts of packs by kind; ``alphabet`` are characters to know beside those that occur.

    Without one source, its lines are left out, but symbols and lengths stay what they were: so counts of the corpora
    can be used again.
    """
    every = [line for lines in train.values() for line in lines]
    found = symbols_of(every)
    more = "".join(c for c in sorted({*alphabet, *MORE_SYMBOLS}) if c not in found)
    kept = {source: lines for source, lines in train.items() if source != without}
    lines = {
        "packs": [line for lines in kept.values() for line in lines],
        "registers": [line for source, lines in kept.items() if source in REGISTERS for line in lines],
    }
    return Texts(lines, corpora, (found + more)[:MOST_SYMBOLS], [*map(len, every)])


def counts_of(texts: Texts, kept: Path | None = None) -> dict[str, list[Counts]]:
    """Return the n-gram counts of all texts; those of the corpora are read from ``kept`` if it is there, else left there."""
    counts = {kind: count_ngrams(lines, texts.symbols, ORDER) for kind, lines in texts.lines.items()}
    if kept is not None and kept.exists():
        counts["corpora"] = _read_counts(kept, texts.symbols)
        return counts
    counts["corpora"] = count_ngrams(wrap(read_paragraphs(texts.corpora), texts.lengths), texts.symbols, ORDER)
    if kept is not None:
        arrays = {
            f"{part}{n}": getattr(c, part) for n, c in enumerate(counts["corpora"]) for part in ("keys", "counts")
        }
        np.savez(kept, symbols=np.array(texts.symbols), **arrays)
    return counts


def words_of(texts: Texts) -> set[str]:
    """Return the words that the model knows."""
    return known_words(texts.lines["packs"], read_paragraphs(texts.corpora))


def _read_counts(file: Path, symbols: str) -> list[Counts]:
    with np.load(file) as arrays:
        if str(arrays["symbols"]) != symbols:
            raise ValueError(f"{file} was counted for other symbols; remove it, and it will be made anew")
        return [Counts(arrays[f"keys{n}"], arrays[f"counts{n}"]) for n in range(ORDER)]


def models_of(
    counts: Mapping[str, Sequence[Counts]], symbols: str, weights: Mapping[str, float], sizes: Sequence[int]
) -> list[NgramModel]:
    """Return the mixture of the texts' estimates, pruned to each of the sizes (numbers of n-grams)."""
    parts = [
        Part(counts[kind], estimate(counts[kind], symbols, CORPORA_CUTS if kind == "corpora" else ()), weight)
        for kind, weight in weights.items()
        if weight > 0.0
    ]
    levels = mix(parts)
    gains = gains_of(levels, parts)
    return [pack(prune_to(levels, gains, size), symbols) for size in sizes]
