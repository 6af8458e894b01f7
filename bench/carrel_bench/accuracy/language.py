"""Language models on lines of handwriting: CER and perplexity per source, settings fitted or as the network's manifest says.

``python -m carrel_bench language --data DIR [--split val] [--model DIR] [--ngrams FILE]... [--fit]``: DIR holds line
packs. The network runs once; every n-gram file then reads the same logits. ``--fit`` looks for the settings with the
lowest CER on every third line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.decode.beam import beam_search_lines
from carrel.decode.lexicon import Lexicon, parse_words
from carrel.decode.model import LanguageModel
from carrel.decode.ngram import Language, NgramModel
from carrel.decode.options import DecodeOptions
from carrel.evaluate import character_errors
from carrel.loading import language_of
from carrel.models.folders import Model
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import lines_of, pack_options
from carrel_bench.figures import OVERALL, Figure, Options, Table, by_source, figures_of
from carrel_bench.measure import cost_of
from carrel_bench.models import handwriting_model, recognizer_of

FITTED_ON = 3
"""Every so many lines are looked at by the fit."""
STEPS = {"language_weight": 0.08, "length_bonus": 0.8, "lexicon_penalty": 0.1}
Bound = tuple[Language, Lexicon | None]
DATA = "lines"
OPTIONS: Table = {
    **pack_options("val"),
    "--model": {"type": Path, "help": "folder of a handwriting model (default: the shipped one)"},
    "--ngrams": {"type": Path, "action": "append", "help": "n-gram file; may be repeated (default: shipped)"},
    "--lexicon": {"type": Path, "help": "file of words, for n-gram files (the shipped model has its own)"},
    "--fit": {"action": "store_true", "help": "fit language weight, length bonus and lexicon penalty"},
}


@dataclass(frozen=True)
class Outputs:
    """Lines with the network's logits, the class bias added; the network's alphabet and settings."""

    lines: Sequence[LineSample]
    logits: Sequence[NDArray[np.float32]]
    alphabet: Sequence[str]
    options: DecodeOptions


def outputs_of(model: Model, lines: Sequence[LineSample]) -> Outputs:
    """Return the network's outputs for lines."""
    recognizer = recognizer_of(model)
    logits = [recognizer.logits_of(line.gray) + recognizer.class_bias for line in lines]
    return Outputs(lines, logits, recognizer.symbols, replace(recognizer.search_options, alternatives=1))


def errors_of(outputs: Outputs, known: Bound, options: DecodeOptions) -> NDArray[np.int64]:
    """Return the character errors of every line."""
    found = beam_search_lines(outputs.logits, None, options, *known)
    texts = ["".join(outputs.alphabet[c - 1] for c in readings[0].classes).strip() for readings in found]
    return np.array([character_errors(line.text, text) for line, text in zip(outputs.lines, texts, strict=True)])


def fit(outputs: Outputs, known: Bound) -> DecodeOptions:
    """Return the options with the lowest CER, each of `STEPS` moved in turn while that helps, then by half of it."""
    best = outputs.options
    lowest = int(errors_of(outputs, known, best).sum())
    for part in (1.0, 0.5):
        moved = True
        while moved:
            moved = False
            for name, step in STEPS.items():
                for sign in (part, -part):
                    value = round(getattr(best, name) + sign * step, 3)
                    if not 0.02 <= value <= (1.0 if name == "lexicon_penalty" else 10.0):
                        continue
                    tried = replace(best, **{name: value})
                    errors = int(errors_of(outputs, known, tried).sum())
                    if errors < lowest:
                        best, lowest, moved = tried, errors, True
    return best


def perplexity(model: NgramModel, texts: Sequence[str]) -> float:
    """Return the perplexity per character, line ends counted as characters."""
    score = sum(map(model.score, texts))
    return float(10.0 ** (-score / sum(len(text) + 1 for text in texts)))


def numbers_of(outputs: Outputs, model: LanguageModel, fitted: bool) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield CER and perplexity per source and over all; there with settings and milliseconds of search a line."""
    known, options = model.bound(outputs.alphabet), outputs.options
    if fitted:
        some = replace(outputs, lines=outputs.lines[::FITTED_ON], logits=outputs.logits[::FITTED_ON])
        options = fit(some, known)
    cost = cost_of(lambda: errors_of(outputs, known, options))
    errors = cost.answer
    for source, own in by_source([(line.source, i) for i, line in enumerate(outputs.lines)]):
        texts = [outputs.lines[i].text for i in own]
        cer = float(errors[own].sum() / sum(map(len, texts)))
        yield source, {"CER": cer, "perplexity": perplexity(model.ngrams, texts)}
    settings = {
        "n-grams": len(model.ngrams.arcs),
        "language weight": options.language_weight,
        "length bonus": options.length_bonus,
        "lexicon penalty": options.lexicon_penalty if model.words else 1.0,
        "ms/line": 1e3 * cost.cpu_s / len(errors),
    }
    yield OVERALL, settings


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of every n-gram file."""
    outputs = outputs_of(handwriting_model(options.model), lines_of(options))
    words = parse_words(options.lexicon.read_bytes(), str(options.lexicon)) if options.lexicon else None
    for file in options.ngrams or [None]:
        known = language_of(file)
        known = replace(known, words=words or known.words)
        for source, numbers in numbers_of(outputs, known, options.fit):
            yield from figures_of("language", str(file or "shipped"), source, numbers)
