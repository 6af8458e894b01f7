"""Workers that read the same lines in turns, and what is counted of them.

A question names a file of line images (``.npz``, a uint8 array ``(h, w)`` a line); the answer holds ``texts`` and the
processor seconds from the images to them, one line a call.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from carrel.evaluate import character_errors
from carrel.review.training_lines import LineSample
from carrel_bench.measure import Cost, Figures
from carrel_bench.worker import Worker


@dataclass(frozen=True, slots=True)
class LinesRead:
    """Texts of all lines, what each turn cost, and how many lines each turn had."""

    texts: tuple[str, ...]
    figures: Figures
    counts: tuple[int, ...]

    @property
    def lines_per_cpu_s(self) -> float:
        """Median over the turns."""
        return median(count / run.cpu_s for count, run in zip(self.counts, self.figures.runs, strict=True))

    def numbers(self, lines: Sequence[LineSample], base: LinesRead) -> dict[str, float]:
        """Return CER, agreement with what ``base`` read, speed with its ratio to that of ``base``, and memory."""
        wrong = sum(character_errors(line.text, text) for line, text in zip(lines, self.texts, strict=True))
        other = sum(character_errors(theirs, mine) for theirs, mine in zip(base.texts, self.texts, strict=True))
        ratios = base.figures.ratios(self.figures)
        return {
            "CER": wrong / max(1, sum(len(line.text) for line in lines)),
            "agreement": 1 - other / max(1, sum(map(len, base.texts))),
            "lines/CPU s": self.lines_per_cpu_s,
            "speed, ratio": median(ratios),
            "speed, least ratio": min(ratios),
            "peak MiB": self.figures.peak_mib,
        }


def read_in_turns(
    workers: Mapping[str, Worker], lines: Sequence[LineSample], lines_a_turn: int
) -> dict[str, LinesRead]:
    """Let workers read lines, so many in a turn; the first turn is done twice, because it warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in workers}
    starts = range(0, len(lines), lines_a_turn)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "turn.npz"
        for start in (0, *starts):
            turn = lines[start : start + lines_a_turn]
            np.savez(file, **{str(i): line.gray for i, line in enumerate(turn)})  # type: ignore[arg-type]
            for name, worker in workers.items():
                costs[name].append(worker.asking(lines=str(file))())
    counts = tuple(min(lines_a_turn, len(lines) - start) for start in starts)
    return {
        name: LinesRead(
            tuple(text.strip() for cost in found[1:] for text in cost.answer["texts"]),
            Figures(found[0], tuple(found[1:])),
            counts,
        )
        for name, found in costs.items()
    }
