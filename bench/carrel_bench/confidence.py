"""What confidences are worth: how often sure readings are right, and what looking at the least sure lines removes.

``python -m carrel_bench.confidence --data DIR [--split test] [--plot FILE.png] [--json]``: DIR holds line packs as for
`carrel_bench.lines`. Lines are read as by default: int8, language model. Two figures of each text: the expected
calibration error of its characters (10.1609/aaai.v29i1.9602; equal numbers in each bin), and the share of all errors in
the fifth of the lines with the lowest confidence, which is what a person who corrects these removes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel.backends.ort import OrtBackend
from carrel.evaluate import character_errors
from carrel.evaluate.coverage import coverage, share_removed, wrong_characters
from carrel.evaluate.distance import align
from carrel.loading import HANDWRITING_MODEL, shipped_ngrams
from carrel.models.folders import open_model, shipped_model
from carrel.recognizers.ctc import CtcRecognizer
from carrel_bench.lines import TrueLine, read_lines

BINS = 15
LOOKED_AT = 0.2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A line that was read: errors expected and made, and each character's confidence and whether it is right."""

    source: str
    expected_errors: float
    errors: int
    characters: tuple[tuple[float, bool], ...]


def judge(recognizer: CtcRecognizer, line: TrueLine) -> Judged:
    """Read a line and hold it against the truth."""
    reading = recognizer.read([line.gray])[0]
    truth = "".join(line.text.split())  # spaces have no confidence of their own
    spans = [character for word in reading.words for character in word.characters]
    read = "".join(span.text for span in spans)
    right = {j for i, j in align(truth, read) if i is not None and j is not None and truth[i] == read[j]}
    characters = tuple((span.confidence, j in right) for j, span in enumerate(spans))
    errors = character_errors(line.text, reading.text)
    return Judged(line.source, wrong_characters(reading.text, reading.confidence), errors, characters)


def reliability(confidences: Floats, right: Floats) -> Floats:
    """Mean confidence, share that is right and number, ``(bins, 3)``, of bins of equal number."""
    order = np.argsort(confidences, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return np.array([(confidences[part].mean(), right[part].mean(), len(part)) for part in bins])


def calibration_error(table: Floats) -> float:
    """Mean distance of confidence and share right, weighted by number."""
    return float(np.average(np.abs(table[:, 0] - table[:, 1]), weights=table[:, 2]))


@dataclass(frozen=True)
class Worth:
    """Reliability of characters ``(bins, 3)`` and the review curve ``(lines + 1, 2)``."""

    lines: int
    reliability: Floats
    review: Floats

    @property
    def figures(self) -> dict[str, float]:
        return {
            "lines": self.lines,
            "calibration_error": round(calibration_error(self.reliability), 4),
            "errors_in_first_fifth": round(share_removed(self.review, LOOKED_AT), 4),
        }


def worth_of(judged: Sequence[Judged]) -> Worth:
    """Both curves of the lines given."""
    characters = np.array([c for line in judged for c in line.characters], np.float64).reshape(-1, 2)
    curve = coverage([line.expected_errors for line in judged], [line.errors for line in judged])
    return Worth(len(judged), reliability(characters[:, 0], characters[:, 1]), curve)


def plot(worth: Worth, file: Path) -> None:
    """Draw the reliability diagram and the review curve; needs matplotlib (the bench group)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    left.plot(worth.reliability[:, 0], worth.reliability[:, 1], "o-", color="tab:blue", markersize=4)
    left.set(xlabel="confidence of a character", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    left.set_title(f"Reliability, calibration error {calibration_error(worth.reliability):.1%}")
    removed = share_removed(worth.review, LOOKED_AT)
    right.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    right.plot(worth.review[:, 0], worth.review[:, 1], color="tab:blue")
    right.plot([LOOKED_AT, LOOKED_AT, 0], [0, removed, removed], ":", color="0.3")
    right.set(xlabel="share of lines looked at, most errors expected first", ylabel="share of errors removed")
    right.set(xlim=(0, 1), ylim=(0, 1))
    right.set_title(f"Review: {LOOKED_AT:.0%} of the lines hold {removed:.0%} of the errors")
    figure.savefig(file, dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row a source and overall, or one JSON object."""
    parser = argparse.ArgumentParser(prog="carrel_bench.confidence", description="What confidences are worth.")
    parser.add_argument("--data", type=Path, required=True, help="folder of line packs (*.zip)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")
    parser.add_argument("--model", type=Path, help="model folder (default: the shipped one)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw both curves; needs matplotlib")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    lines = list(read_lines(options.data, options.split, options.source))
    if not lines:
        print(f"carrel_bench.confidence: no {options.split} lines in {options.data}", file=sys.stderr)
        return 3
    task = "recognition"
    model = open_model(options.model, task) if options.model else shipped_model(HANDWRITING_MODEL, task)
    language = shipped_ngrams()
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-int8"), model.name), language)
    judged = [judge(recognizer, line) for line in lines]
    overall = worth_of(judged)
    rows = {s: worth_of([j for j in judged if j.source == s]).figures for s in sorted({j.source for j in judged})}
    rows["overall"] = overall.figures
    if options.plot:
        plot(overall, options.plot)
    if options.json:
        print(json.dumps({"model": model.identity, "split": options.split, "sources": rows}, indent=1))
        return 0
    for name, row in rows.items():
        print(
            f"{name:12s} {row['lines']:5d} lines  calibration error {row['calibration_error']:6.2%}"
            f"  errors in the first fifth of the review {row['errors_in_first_fifth']:6.1%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
