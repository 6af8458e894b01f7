"""The beam search against slow decoding in float64, on real lines: ``python -m carrel_bench.decode_oracle --data DIR``.

Logits of test lines by the shipped network (DIR holds line packs). At each width the text must be the one that a search
with a dictionary of texts finds, and no score may be above the exact one of its text, summed over all alignments. Times
must increase; the share that equals the first frame on the best alignment (Viterbi) is given. Takes minutes: progress
goes to standard error. The exit code is 1 where one of this does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from carrel.decode.beam import beam_search_lines
from carrel.decode.options import DecodeOptions
from carrel.decode.types import Decoded
from carrel_bench.ctc_reference import cut, forward_score, prefix_search, softmax, viterbi_starts
from carrel_bench.decode import load_logits, shipped_logits

WIDTHS = (5, 10, 25, 100)
LEAST_SAME, LEAST_VITERBI = 0.999, 0.95
ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Agreement:
    """On how many of ``lines`` what holds; ``starts`` are first frames of characters, at Viterbi's and in all."""

    width: int
    lines: int
    same_text: int
    score_below_exact: int
    times_increase: int
    viterbi_starts: int
    starts: int

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return (
            self.same_text >= LEAST_SAME * self.lines
            and self.score_below_exact == self.times_increase == self.lines
            and self.viterbi_starts >= LEAST_VITERBI * self.starts
        )


def agreement(lines: Sequence[NDArray[np.float32]], width: int, threshold: float = 1e-3) -> Agreement:
    """Search all lines both ways."""
    options = DecodeOptions(beam_width=width, candidate_threshold=threshold)
    found = [readings[0] for readings in beam_search_lines(lines, options=options)]
    checks = np.zeros(5, np.int64)
    for i, (logits, reading) in enumerate(zip(lines, found, strict=True), 1):
        checks += _check(softmax(logits), reading, width, threshold)
        if i % 100 == 0:
            print(f"width {width}: {i} lines, {checks[0]} texts the same", file=sys.stderr, flush=True)
    return Agreement(width, len(lines), *checks.tolist())


def _check(probabilities: NDArray[np.float64], reading: Decoded, width: int, threshold: float) -> list[int]:
    expected = prefix_search(cut(probabilities, threshold), width)[0][0]
    exact = forward_score(probabilities, reading.classes)
    best = viterbi_starts(probabilities, reading.classes)
    return [
        reading.classes == expected,
        reading.log_score <= exact + ROUNDING,
        all(a < b for a, b in pairwise(reading.starts)),
        sum(a == b for a, b in zip(reading.starts, best, strict=True)),
        len(best),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a width, or JSON."""
    parser = argparse.ArgumentParser(prog="carrel_bench.decode_oracle", description="The beam search, checked.")
    parser.add_argument("--data", type=Path, help="folder of line packs (*.zip)")
    parser.add_argument(
        "--logits", type=Path, help="npz with logits (rows, classes), frames (lines,), alphabet instead"
    )
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        file = options.logits or Path(folder) / "logits.npz"
        if options.logits is None:
            if options.data is None:
                parser.error("give --data or --logits")
            shipped_logits(options.data, options.lines, file)
        lines = load_logits(file)[0][: options.lines]
    rows: list[Agreement] = []
    for width in options.widths:
        began = time.process_time()
        rows.append(agreement(lines, width))
        if not options.json:
            row = rows[-1]
            print(
                f"width {width:3}: {row.same_text} of {row.lines} texts the same, {row.score_below_exact} scores at most "
                f"the exact one, times increase on {row.times_increase}, {row.viterbi_starts / row.starts:.2%} of "
                f"{row.starts} first frames are Viterbi's ({time.process_time() - began:.0f} s)",
                flush=True,
            )
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
