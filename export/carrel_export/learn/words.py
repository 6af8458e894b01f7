"""Words of a collection: a small character n-gram model of its texts mixed into the one that ships. numpy alone.

Linear interpolation, its weight by cross-validation on the texts (F. Jelinek, R. Mercer 1980).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.decode.model import LanguageModel
from carrel.decode.ngram import LINE_END, NgramModel
from carrel.decode.word_files import read_text, words_of_text
from carrel.errors import InputError
from carrel.kernels.records import LINK, LINK_BITS
from carrel.loading import LANGUAGE_MODEL, LEXICON, NGRAMS, load_language
from carrel.models.folders import Model, shipped_model
from carrel.models.publish import MANIFEST, publish
from carrel.review.training_lines import read_packs
from carrel_export.language.counts import Keys, count_ngrams
from carrel_export.language.kneser_ney import Level, estimate
from carrel_export.language.mix import Part, mix
from carrel_export.language.pack import pack

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
FOLDS = 5
LEAST_LINES = 10
"""Lines from which n-grams of the texts are mixed in; of fewer, the words alone count."""
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Mixed:
    """The language model of a collection: weight of its texts, and perplexities on held-out lines of them, before and after."""

    model: LanguageModel
    weight: float
    perplexity_before: float
    perplexity_after: float


def read_texts(paths: Sequence[Path]) -> list[str]:
    """Read the lines of text files and line packs.

    Raises
    ------
    InputError
        One cannot be read, or there is no text in them.
    """
    lines: list[str] = []
    for path in paths:
        if path.suffix.lower() == ".zip":
            samples = read_packs(path.parent, ("train", "val", "test"), [path.stem])
            lines += [sample.text for sample in samples]
        else:
            lines += read_text(path).splitlines()
    found = [text for line in lines if (text := " ".join(line.split()))]
    if not found:
        raise InputError(f"no text in {', '.join(map(str, paths))}")
    return found


def mixed_with(shipped: LanguageModel, lines: Sequence[str]) -> Mixed:
    """Return the shipped language model with the n-grams and the words of ``lines``."""
    known = shipped.with_words(word for line in lines for word in words_of_text(line))
    ngrams = shipped.ngrams
    before = [_chances(ngrams, line) for line in lines]
    if len(lines) < LEAST_LINES:
        perplexity = _perplexity(before, before, 0.0)
        return Mixed(known, 0.0, perplexity, perplexity)
    held_out = _held_out(lines, ngrams)
    weight = min(WEIGHTS, key=lambda tried: _perplexity(before, held_out, tried))
    figures = _perplexity(before, before, 0.0), _perplexity(before, held_out, weight)
    if weight == 0.0:
        return Mixed(known, 0.0, *figures)
    own = [*lines]
    parts = [Part((), levels_of(ngrams), 1 - weight), Part((), _estimated(own, ngrams), weight)]
    made = pack(mix(parts), ngrams.symbols)
    return Mixed(LanguageModel(made, known.words), weight, *figures)


def _held_out(lines: Sequence[str], ngrams: NgramModel) -> list[Reals]:
    """The chances of each line's characters by a model of the lines of the other folds."""
    found: list[Reals] = [np.zeros(0)] * len(lines)
    for fold in range(FOLDS):
        others = [line for number, line in enumerate(lines) if number % FOLDS != fold]
        model = pack(_estimated(others, ngrams), ngrams.symbols)
        for number in range(fold, len(lines), FOLDS):
            found[number] = _chances(model, lines[number])
    return found


def _estimated(lines: Sequence[str], ngrams: NgramModel) -> list[Level]:
    return estimate(count_ngrams(lines, ngrams.symbols, ngrams.order), ngrams.symbols)


def _chances(model: NgramModel, line: str) -> Reals:
    """The probability of each character of a line, its end included, after those before it."""
    numbers = {symbol: number for number, symbol in enumerate(model.symbols)}
    state, chances = model.start, list[float]()
    for symbol in line + LINE_END:
        score, state = model.step(state, numbers.get(symbol, -1))
        chances.append(10.0**score)
    return np.array(chances)


def _perplexity(before: Sequence[Reals], own: Sequence[Reals], weight: float) -> float:
    shares = np.concatenate([(1 - weight) * a + weight * b for a, b in zip(before, own, strict=True)])
    return float(np.exp(-np.log(np.maximum(shares, 1e-12)).mean()))


def levels_of(model: NgramModel) -> list[Level]:
    """Return the n-grams that a packed model lists, order by order: what `carrel_export.language.pack.pack` was given."""
    states = len(model.states) - 1
    first = (model.states["first"] & LINK).astype(np.int64)
    targets = (model.arcs & LINK).astype(np.int64)
    scores = model.scores[model.arcs >> LINK_BITS].astype(np.float64)
    keys_of = np.zeros(states, np.uint64)
    backoffs = model.backoffs[model.states["shorter"][:-1] >> LINK_BITS].astype(np.float64)
    levels: list[Level] = []
    begin, end = 0, 1  # the states of one length of context
    while begin < end:
        part = slice(first[begin], first[end])
        contexts = np.repeat(keys_of[begin:end], np.diff(first[begin : end + 1]))
        keys: Keys = (contexts << np.uint64(8)) | model.arc_symbols[part].astype(np.uint64)
        longer = targets[part] >= end
        keys_of[targets[part][longer]] = keys[longer]
        own = np.zeros(len(keys))
        own[longer] = backoffs[targets[part][longer]]
        levels.append(Level(keys, scores[part], own))
        begin, end = end, int(targets[part].max(initial=end - 1)) + 1
    return levels


def publish_words(paths: Sequence[Path], target: Path) -> tuple[Model, Mixed]:
    """Make the language model folder ``target`` of the shipped model and the texts in ``paths``.

    Raises
    ------
    InputError
        No text is there.
    OutputError
        The folder cannot be written.
    """
    lines = read_texts(paths)
    shipped = shipped_model(LANGUAGE_MODEL, "language")
    mixed = mixed_with(load_language(shipped), lines)
    manifest: dict[str, Any] = json.loads((shipped.folder / MANIFEST).read_text("utf-8"))
    kept = {name: value for name, value in manifest.items() if name not in ("format_version", "files", "figures")}
    told = {
        "name": target.name,
        "parent": shipped.identity,
        "figures": {
            "text_lines": len(lines),
            "text_weight": mixed.weight,
            "text_perplexity_before": round(mixed.perplexity_before, 3),
            "text_perplexity_held_out": round(mixed.perplexity_after, 3),
        },
    }
    with tempfile.TemporaryDirectory(prefix="carrel-words-") as folder:
        files = {NGRAMS: Path(folder) / "ngram.bin"}
        files[NGRAMS].write_bytes(mixed.model.ngrams.to_bytes())
        if mixed.model.words is not None:
            files[LEXICON] = Path(folder) / "lexicon.bin"
            files[LEXICON].write_bytes(mixed.model.words.to_bytes())
        return publish(target, {**kept, **told}, files), mixed
