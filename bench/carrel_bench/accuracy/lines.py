"""Handwriting recognition on line images: CER and WER per source, greedy and with the language model, fp32 and int8.

``python -m carrel_bench.lines --data DIR [--split test] [--model DIR]... [--json]``: DIR holds line packs. ``overall`` is
the micro average; the interval is the 95 % bootstrap over pages.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carrel.backends.ort import OrtBackend
from carrel.decode.model import LanguageModel
from carrel.evaluate import character_errors, word_errors
from carrel.loading import shipped_language
from carrel.models.folders import Model, open_model
from carrel.recognizers.ctc import CtcRecognizer
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import add_pack_options, handwriting_folders, lines_of
from carrel_bench.figures import Figure, figures_of, warn

DATA = "lines"
RESAMPLES = 1000
OVERALL = "overall"


@dataclass(frozen=True)
class Counted:
    """Errors on one line."""

    source: str
    page: str
    characters: int
    character_errors: int
    words: int
    word_errors: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which lines and models."""
    add_pack_options(parser)
    parser.add_argument("--model", type=Path, action="append", help="model folder; may be repeated (default: shipped)")


def count_errors(line: LineSample, text: str) -> Counted:
    """Compare a reading with the transcription."""
    return Counted(
        line.source,
        line.page,
        len(line.text),
        character_errors(line.text, text),
        len(line.text.split()),
        word_errors(line.text, text),
    )


def summarize(counted: Sequence[Counted]) -> dict[str, float]:
    """Return CER, its 95 % interval by resampling pages, WER."""
    totals: dict[tuple[str, str], list[int]] = {}
    for c in counted:
        total = totals.setdefault((c.source, c.page), [0, 0])
        total[0] += c.character_errors
        total[1] += c.characters
    table = np.array([totals[page] for page in sorted(totals)])  # (pages, 2)
    drawn = np.random.default_rng(0).integers(0, len(table), (RESAMPLES, len(table)))
    sums = table[drawn].sum(1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], (2.5, 97.5))
    return {
        "lines": len(counted),
        "CER": float(table[:, 0].sum() / table[:, 1].sum()),
        "CER, low": float(low),
        "CER, high": float(high),
        "WER": sum(c.word_errors for c in counted) / max(1, sum(c.words for c in counted)),
    }


def read_all(recognizer: CtcRecognizer, lines: Sequence[LineSample]) -> tuple[list[Counted], float]:
    """Return the errors on every line, and lines per CPU second."""
    began = time.process_time()
    texts = [recognizer.text_of(recognizer.decode(recognizer.logits_of(line.gray))[0]) for line in lines]
    rate = len(lines) / (time.process_time() - began)
    return [count_errors(line, text) for line, text in zip(lines, texts, strict=True)], rate


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of every precision of each model, greedy and with the language model."""
    lines = lines_of(options)
    language = shipped_language()
    for folder in options.model or handwriting_folders():
        yield from _of_model(open_model(folder, "recognition"), lines, {"greedy": None, "language model": language})


def _of_model(
    model: Model, lines: Sequence[LineSample], decoders: Mapping[str, LanguageModel | None]
) -> Iterator[Figure]:
    for role in ("onnx-fp32", "onnx-int8"):
        backend = OrtBackend(model.read_file(role), model.name)
        for decoding, known in decoders.items():
            counted, rate = read_all(CtcRecognizer(model, backend, known), lines)
            program = f"{model.name} {role.removeprefix('onnx-')} {decoding}"
            warn(f"{program}: {rate:.1f} lines per CPU second")
            for source in (*sorted({c.source for c in counted}), OVERALL):
                own = [c for c in counted if source in (c.source, OVERALL)]
                yield from figures_of("lines", program, source, summarize(own))
            yield Figure("lines", program, OVERALL, "lines/CPU s", rate)
