"""Handwriting recognition on line images: CER, WER and the worth of confidences per source, for every precision.

``python -m carrel_bench lines --data DIR [--split test] [--model DIR]... [--plot FILE.png]``: DIR holds line packs, which
are read greedily and with the language model. ``overall`` is the micro average; the interval is the 95 % bootstrap over
pages. Lone numbers count where a line is nothing but one, and is read whole. ``--margin 0.35`` adds so much of the height
as paper above and below each line, as a loose crop does. Confidences have two figures: the expected calibration error of characters (10.1609/aaai.v29i1.9602; equal numbers
in each bin), and the share of all errors in the fifth of the lines with the lowest confidence, which is what a person who
corrects these removes. ``--plot`` draws both curves, of int8 with the language model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.decode.model import LanguageModel
from carrel.evaluate import Counts, count
from carrel.evaluate.bootstrap import resampled_rates
from carrel.evaluate.coverage import coverage, share_removed, wrong_characters
from carrel.evaluate.distance import align
from carrel.loading import shipped_language
from carrel.models.folders import Model, open_model
from carrel.recognizers import Recognition
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import lines_of, pack_options
from carrel_bench.figures import OVERALL, Figure, Options, Table, by_source, figures_of, warn
from carrel_bench.measure import cost_of
from carrel_bench.models import handwriting_folders, recognizer_of

DATA = "lines"
BINS = 15
REVIEWED = 0.2
"""Share of the lines that a person looks at."""
LONE_NUMBER = re.compile(r"[0-9]{1,4}\.?")
PAPER_PERCENTILE = 80
"""Of a line's gray levels, the one taken for paper."""
Floats = NDArray[np.float64]
OPTIONS: Table = {
    **pack_options(),
    "--model": {"type": Path, "action": "append", "help": "model folder; may be repeated (default: shipped)"},
    "--margin": {"type": float, "default": 0.0, "help": "paper above and below, as a share of the height"},
}


@dataclass(frozen=True)
class Judged:
    """A line that was read: errors made and expected, and each character's confidence and whether it is right."""

    page: tuple[str, str]
    counts: Counts
    expected_errors: float
    lone_number: bool
    spans: tuple[tuple[float, bool], ...]


def judge(line: LineSample, found: Recognition) -> Judged:
    """Compare a recognized line with its transcription."""
    true = "".join(line.text.split())  # spaces have no confidence of their own
    spans = [span for word in found.words for span in word.characters]
    read = "".join(span.text for span in spans)
    right = {j for i, j in align(true, read) if i is not None and j is not None and true[i] == read[j]}
    return Judged(
        (line.source, line.page),
        count(line.text, found.text),
        wrong_characters(found.text, found.confidence),
        LONE_NUMBER.fullmatch(line.text) is not None,
        tuple((span.confidence, j in right) for j, span in enumerate(spans)),
    )


def summarize(judged: Sequence[Judged]) -> dict[str, float]:
    """Return CER, its 95 % interval by resampling pages, WER, and what confidences are worth."""
    pages: dict[tuple[str, str], Counts] = {}
    for line in judged:
        pages[line.page] = pages.get(line.page, Counts()) + line.counts
    total = sum(pages.values(), Counts())
    rates = resampled_rates(np.array([(page.character_errors, page.characters) for page in pages.values()]))
    low, high = np.percentile(rates, (2.5, 97.5))
    numbers = [line.counts.character_errors == 0 for line in judged if line.lone_number]
    whole = {"lone numbers": len(numbers), "lone numbers read whole": sum(numbers) / len(numbers)} if numbers else {}
    return {
        "lines": len(judged),
        "CER": total.cer,
        "CER, low": float(low),
        "CER, high": float(high),
        "WER": total.wer,
        "calibration error": calibration_error(reliability(judged)),
        "share of errors in the first fifth": share_removed(review_curve(judged), REVIEWED),
        **whole,
    }


def with_margin(line: LineSample, margin: float) -> LineSample:
    """Return the line with paper above and below, each ``margin`` of its height."""
    rows = round(margin * len(line.gray))
    paper = int(np.percentile(line.gray, PAPER_PERCENTILE))
    return replace(line, gray=np.pad(line.gray, ((rows, rows), (0, 0)), constant_values=paper))


def reliability(judged: Sequence[Judged]) -> Floats:
    """Return mean confidence, share that is right and number, ``(bins, 3)``, of bins of equal number."""
    pairs = np.array([span for line in judged for span in line.spans], np.float64).reshape(-1, 2)
    order = np.argsort(pairs[:, 0], kind="stable")
    bins = [pairs[part] for part in np.array_split(order, BINS) if len(part)]
    return np.array([(*part.mean(0), len(part)) for part in bins]).reshape(-1, 3)


def calibration_error(table: Floats) -> float:
    """Return the mean distance of confidence and share right, weighted by number; 0 where nothing was read."""
    return float(np.average(np.abs(table[:, 0] - table[:, 1]), weights=table[:, 2])) if len(table) else 0.0


def review_curve(judged: Sequence[Judged]) -> Floats:
    """Return the share of errors removed by the share of lines reviewed, ``(lines + 1, 2)``."""
    return coverage([line.expected_errors for line in judged], [line.counts.character_errors for line in judged])


def curves(program: str, judged: Sequence[Judged]) -> Iterator[Figure]:
    """Yield points of both curves, a suite of their own."""
    for confidence, right, _ in reliability(judged):
        yield Figure("confidence", program, f"{confidence:.3f}", "share right, by confidence", float(right))
    curve = review_curve(judged)
    for part in np.linspace(0, 1, 11):
        removed = share_removed(curve, part)
        yield Figure("confidence", program, f"{part:.1f}", "share of errors, by share of lines", removed)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of every precision of each model, greedy and with the language model."""
    lines, language = [with_margin(line, options.margin) for line in lines_of(options)], shipped_language()
    for folder in options.model or handwriting_folders():
        yield from _of_model(open_model(folder, "recognition"), lines, {"greedy": None, "language model": language})


def _of_model(
    model: Model, lines: Sequence[LineSample], decoders: Mapping[str, LanguageModel | None]
) -> Iterator[Figure]:
    for precision in ("fp32", "int8"):
        for decoding, known in decoders.items():
            cost = cost_of(
                partial(recognizer_of(model, known, f"onnx-{precision}").read, [line.gray for line in lines])
            )
            rate = len(lines) / cost.cpu_s
            judged = [judge(line, read) for line, read in zip(lines, cost.answer, strict=True)]
            program = f"{model.name} {precision} {decoding}"
            warn(f"{program}: {rate:.1f} lines per CPU second")
            for source, own in by_source([(line.page[0], line) for line in judged]):
                yield from figures_of("lines", program, source, summarize(own))
            yield Figure("lines", program, OVERALL, "lines/CPU s", rate)
            if known and precision == "int8":
                yield from curves(program, judged)
