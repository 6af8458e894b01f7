"""A second opinion on unsure lines: CER by source of the first network alone, the second alone, and both.

``python -m carrel_bench second --data DIR [--second MODEL] [--below 0.8] [--each 40]``: DIR holds line packs, of which so many
lines of each source are read with the language model. Both: lines that the first reads with less confidence than ``--below``
are read by the second, too, and the more confident reading is taken, as ``carrel read --second`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from carrel.evaluate import character_errors
from carrel.loading import HANDWRITING_MODEL, shipped_language
from carrel.models.folders import Model, shipped_folder
from carrel.options import SECOND_BELOW
from carrel.review.training_lines import LineSample
from carrel_bench.accuracy.packs import drawn_evenly, lines_of, pack_options
from carrel_bench.figures import Figure, Options, Table, by_source, figures_of
from carrel_bench.measure import Cost, cost_of
from carrel_bench.models import handwriting_model, recognizer_of

DATA = "lines"
DEFAULT_SECOND = "handwriting-best"
OPTIONS: Table = {
    **pack_options(),
    "--second": {"type": Path, "help": f"model folder [default: {DEFAULT_SECOND}]"},
    "--below": {"type": float, "default": SECOND_BELOW, "help": f"confidence [default: {SECOND_BELOW}]"},
    "--each": {"type": int, "default": 40, "help": "lines of each source, 0 for all [default: 40]"},
}


def measure(options: Options) -> Iterator[Figure]:
    """Yield CER by source of the three ways to read, and the share of lines that the second was asked for and won."""
    second = handwriting_model(options.second or shipped_folder(DEFAULT_SECOND))
    by_name: dict[str, list[LineSample]] = {}
    for line in lines_of(options):
        by_name.setdefault(line.source, []).append(line)
    lines = [line for of in by_name.values() for line in drawn_evenly(of, options.each)]
    costs = [_read(handwriting_model(), lines), _read(second, lines)]
    first, other = (cost.answer for cost in costs)
    asked = [read.confidence < options.below for read in first]
    won = [a and b.confidence > f.confidence for a, f, b in zip(asked, first, other, strict=True)]
    both = [b if wins else f for wins, f, b in zip(won, first, other, strict=True)]
    for program, read in {HANDWRITING_MODEL: first, second.name: other, "both": both}.items():
        errors = [(character_errors(line.text, r.text), len(line.text)) for line, r in zip(lines, read, strict=True)]
        for source, own in by_source([(line.source, pair) for line, pair in zip(lines, errors, strict=True)]):
            cer = sum(e for e, _ in own) / max(1, sum(n for _, n in own))
            yield from figures_of("second", program, source, {"lines": len(own), "CER": cer})
    for source, own in by_source(
        [(line.source, pair) for line, pair in zip(lines, zip(asked, won, strict=True), strict=True)]
    ):
        shares = {"asked": sum(a for a, _ in own) / len(own), "won": sum(w for _, w in own) / len(own)}
        yield from figures_of("second", "both", source, shares)
    for program, cost in zip((HANDWRITING_MODEL, second.name), costs, strict=True):
        yield Figure("second", program, "all", "CPU ms a line", 1000 * cost.cpu_s / len(lines))


def _read(model: Model, lines: Sequence[LineSample]) -> Cost:
    """Recognitions in int8, or fp32 where there is no int8, with the language model, and what they cost."""
    return cost_of(partial(recognizer_of(model, shipped_language()).read, [line.gray for line in lines]))
