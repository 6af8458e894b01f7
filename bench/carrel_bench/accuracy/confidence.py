"""The worth of confidences: how often confident readings are right, and what review of the least confident lines removes.

``python -m carrel_bench.confidence --data DIR [--split test] [--plot FILE.png]``: DIR holds line packs. Lines are read as
by default: int8, language model. Two figures of each source: the expected calibration error of its characters
(10.1609/aaai.v29i1.9602; equal numbers in each bin), and the share of all errors in the fifth of the lines with the
lowest confidence, which is what a person who corrects these removes. ``--plot`` draws both curves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.backends.ort import OrtBackend
from carrel.evaluate import character_errors
from carrel.evaluate.coverage import coverage, share_removed, wrong_characters
from carrel.evaluate.distance import align
from carrel.loading import HANDWRITING_MODEL, shipped_language
from carrel.models.folders import open_model, shipped_model
from carrel.recognizers.ctc import CtcRecognizer
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import add_pack_options, lines_of
from carrel_bench.figures import Figure, figures_of

DATA = "lines"
BINS = 15
REVIEWED = 0.2
"""Share of the lines that a person looks at."""
OVERALL = "overall"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A line that was read: errors expected and made, and each character's confidence and whether it is right."""

    source: str
    expected_errors: float
    errors: int
    characters: tuple[tuple[float, bool], ...]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which lines and model."""
    add_pack_options(parser)
    parser.add_argument("--model", type=Path, help="model folder (default: the shipped one)")


def judge(recognizer: CtcRecognizer, line: LineSample) -> Judged:
    """Read a line and compare it with its transcription."""
    reading = recognizer.read([line.gray])[0]
    true = "".join(line.text.split())  # spaces have no confidence of their own
    spans = [character for word in reading.words for character in word.characters]
    read = "".join(span.text for span in spans)
    right = {j for i, j in align(true, read) if i is not None and j is not None and true[i] == read[j]}
    characters = tuple((span.confidence, j in right) for j, span in enumerate(spans))
    errors = character_errors(line.text, reading.text)
    return Judged(line.source, wrong_characters(reading.text, reading.confidence), errors, characters)


def reliability(judged: Sequence[Judged]) -> Floats:
    """Return mean confidence, share that is right and number, ``(bins, 3)``, of bins of equal number."""
    pairs = np.array([c for line in judged for c in line.characters], np.float64).reshape(-1, 2)
    order = np.argsort(pairs[:, 0], kind="stable")
    bins = [pairs[part] for part in np.array_split(order, BINS) if len(part)]
    return np.array([(*part.mean(0), len(part)) for part in bins]).reshape(-1, 3)


def calibration_error(table: Floats) -> float:
    """Return the mean distance of confidence and share right, weighted by number."""
    return float(np.average(np.abs(table[:, 0] - table[:, 1]), weights=table[:, 2]))


def review_curve(judged: Sequence[Judged]) -> Floats:
    """Return the share of errors removed by the share of lines reviewed, ``(lines + 1, 2)``."""
    return coverage([line.expected_errors for line in judged], [line.errors for line in judged])


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Yield both figures of each source and overall, and points of both curves."""
    lines, folder = lines_of(options), options.model
    task = "recognition"
    model = open_model(folder, task) if folder else shipped_model(HANDWRITING_MODEL, task)
    language = shipped_language()
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-int8"), model.name), language)
    judged = [judge(recognizer, line) for line in lines]
    for source in (*sorted({line.source for line in judged}), OVERALL):
        own = [line for line in judged if source in (line.source, OVERALL)]
        numbers = {
            "lines": len(own),
            "calibration error": calibration_error(reliability(own)),
            "share of errors in the first fifth": share_removed(review_curve(own), REVIEWED),
        }
        yield from figures_of("confidence", source, "", numbers)
    for confidence, right, _ in reliability(judged):
        yield Figure("confidence", OVERALL, f"{confidence:.3f}", "share right, by confidence", float(right))
    curve = review_curve(judged)
    for share in np.linspace(0, 1, 11):
        yield Figure(
            "confidence", OVERALL, f"{share:.1f}", "share of errors, by share of lines", share_removed(curve, share)
        )
