"""Handwriting recognition on line images: CER and WER per source, greedy and with the language model, fp32 and int8.

``python -m carrel_bench.lines --data DIR [--split test] [--model DIR]... [--json]``: DIR holds line packs
(``source.zip`` with ``lines.jsonl`` and the images it names). ``overall`` is the micro average; the interval is the 95 %
bootstrap over pages.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.backends.ort import OrtBackend
from carrel.decode.ngram import NgramModel
from carrel.evaluate import character_errors, word_errors
from carrel.loading import HANDWRITING_MODEL, shipped_ngrams
from carrel.models.folders import Model, model_folders, open_model
from carrel.recognizers.ctc import CtcRecognizer
from carrel.review.training_lines import read_packs

RESAMPLES = 1000


@dataclass(frozen=True)
class TrueLine:
    """A line image, uint8 ``(height, width)``, and its text."""

    source: str
    page: str
    text: str
    gray: NDArray[np.uint8]


@dataclass(frozen=True)
class Counted:
    """Errors on one line."""

    source: str
    page: str
    characters: int
    character_errors: int
    words: int
    word_errors: int


def read_lines(folder: Path, split: str, sources: Sequence[str] | None = None) -> Iterator[TrueLine]:
    """The lines of a split, pack by pack."""
    for sample in read_packs(folder, (split,), sources):
        yield TrueLine(sample.source, sample.page, sample.text, sample.gray)


def handwriting_folders() -> list[Path]:
    """The folders of the shipped handwriting models, the default first."""
    shipped = [folder for folder in model_folders() if folder.name.startswith("handwriting-")]
    return sorted(shipped, key=lambda folder: folder.name != HANDWRITING_MODEL)


def count_errors(line: TrueLine, text: str) -> Counted:
    """Compare a reading with the truth."""
    return Counted(
        line.source,
        line.page,
        len(line.text),
        character_errors(line.text, text),
        len(line.text.split()),
        word_errors(line.text, text),
    )


def summarize(counted: Sequence[Counted]) -> dict[str, float | int | list[float]]:
    """CER, its 95 % interval by resampling pages, WER."""
    pages = sorted({(c.source, c.page) for c in counted})
    totals = {page: np.zeros(2, np.int64) for page in pages}
    for c in counted:
        totals[c.source, c.page] += (c.character_errors, c.characters)
    table = np.array([totals[page] for page in pages])  # (pages, 2)
    drawn = np.random.default_rng(0).integers(0, len(pages), (RESAMPLES, len(pages)))
    sums = table[drawn].sum(1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], (2.5, 97.5))
    return {
        "lines": len(counted),
        "cer": round(float(table[:, 0].sum() / table[:, 1].sum()), 4),
        "cer_interval": [round(float(low), 4), round(float(high), 4)],
        "wer": round(sum(c.word_errors for c in counted) / max(1, sum(c.words for c in counted)), 4),
    }


def read_all(recognizer: CtcRecognizer, lines: Sequence[TrueLine]) -> tuple[list[Counted], float]:
    """Errors on every line, and lines per CPU second."""
    began = time.process_time()
    texts = [recognizer.text_of(recognizer.decode(recognizer.logits_of(line.gray))[0]) for line in lines]
    rate = len(lines) / (time.process_time() - began)
    return [count_errors(line, text) for line, text in zip(lines, texts, strict=True)], rate


def measure(
    model: Model, lines: Sequence[TrueLine], language: NgramModel
) -> Iterator[tuple[str, str, list[Counted], float]]:
    """Every precision of a model, greedy and with the language model."""
    for role in ("onnx-fp32", "onnx-int8"):
        backend = OrtBackend(model.read_file(role), model.name)
        for name, ngrams in (("greedy", None), ("language model", language)):
            counted, rate = read_all(CtcRecognizer(model, backend, ngrams), lines)
            yield role.removeprefix("onnx-"), name, counted, rate


def _by_source(counted: Sequence[Counted]) -> dict[str, dict[str, float | int | list[float]]]:
    sources = sorted({c.source for c in counted})
    groups = {source: summarize([c for c in counted if c.source == source]) for source in sources}
    return {**groups, "overall": summarize(counted)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table per model and precision, or one JSON object."""
    parser = argparse.ArgumentParser(prog="carrel_bench.lines", description="CER and WER of handwriting recognition.")
    parser.add_argument("--data", type=Path, required=True, help="folder of line packs (*.zip)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")
    parser.add_argument(
        "--model", type=Path, action="append", help="model folder; may be repeated (default: all shipped ones)"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    lines = list(read_lines(options.data, options.split, options.source))
    if not lines:
        print(f"carrel_bench.lines: no {options.split} lines in {options.data}", file=sys.stderr)
        return 3
    language = shipped_ngrams()
    folders = options.model or handwriting_folders()
    report: dict[str, object] = {}
    for model in (open_model(folder, "recognition") for folder in folders):
        for precision, decoding, counted, rate in measure(model, lines, language):
            rows = _by_source(counted)
            report[f"{model.name} {precision} {decoding}"] = {"sources": rows, "lines_per_cpu_second": round(rate, 1)}
            if not options.json:
                print(f"\n{model.identity} {precision}, {decoding}: {rate:.1f} lines per CPU second")
                for source, row in rows.items():
                    low, high = row["cer_interval"]  # type: ignore[misc]
                    print(
                        f"  {source:12s} {row['lines']:5d} lines  CER {row['cer']:6.2%} [{low:.2%}, {high:.2%}]  WER {row['wer']:6.2%}"
                    )
    if options.json:
        print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
