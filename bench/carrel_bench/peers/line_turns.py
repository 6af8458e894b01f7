"""Workers that read the same lines in turns, and what is counted of them.

A question names a file of line images (``.npz``, a uint8 array ``(h, w)`` a line); the answer holds ``texts`` and the
processor seconds from the images to them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from carrel.evaluate import character_errors
from carrel.review.training_lines import LineSample
from carrel_bench.measure import Figures, Name
from carrel_bench.worker import Worker, take_turns


@dataclass(frozen=True, slots=True)
class LinesRead:
    """Texts of all lines, what each turn cost, and how many lines each turn had; ``figures.cold`` is of one line."""

    texts: tuple[str, ...]
    figures: Figures
    counts: tuple[int, ...]

    def numbers(self, lines: Sequence[LineSample], base: LinesRead) -> dict[str, float]:
        """Return CER (of lines with a text), agreement with ``base``, speed with its ratio to that of ``base``, memory."""
        wrong = sum(character_errors(line.text, text) for line, text in zip(lines, self.texts, strict=True))
        other = sum(character_errors(theirs, mine) for theirs, mine in zip(base.texts, self.texts, strict=True))
        turns = list(zip(self.counts, self.figures.runs, strict=True))
        ratios, characters = base.figures.ratios(self.figures), sum(len(line.text) for line in lines)
        return ({"CER": wrong / characters} if characters else {}) | {
            "agreement": 1 - other / max(1, sum(map(len, base.texts))),
            "lines/CPU s": median(count / run.cpu_s for count, run in turns),
            "lines/s": median(count / run.answer.get("read_s", run.wall_s) for count, run in turns),
            "speed, ratio": median(ratios),
            "speed, least ratio": min(ratios),
            "cold ms": 1000 * self.figures.cold.wall_s,
            "peak MiB": self.figures.peak_mib,
        }


def read_in_turns(
    programs: Mapping[Name, Callable[[], Worker]], lines: Sequence[LineSample], lines_a_turn: int
) -> dict[Name, LinesRead]:
    """Let workers read lines, so many in a turn; each starts with one line alone, cold, and all do the first turn twice."""
    starts = range(0, len(lines), lines_a_turn)
    turns = [lines[:1], *(lines[start : start + lines_a_turn] for start in (0, *starts))]
    with tempfile.TemporaryDirectory() as folder:
        costs = take_turns(programs, _questions(turns, Path(folder) / "turn.npz"))
    counts = tuple(len(turn) for turn in turns[2:])
    return {
        name: LinesRead(
            tuple(text.strip() for cost in found for text in cost.answer["texts"]), Figures(cold, tuple(found)), counts
        )
        for name, (cold, _, *found) in costs.items()
    }


def _questions(turns: Sequence[Sequence[LineSample]], file: Path) -> Iterator[dict[str, str]]:
    for turn in turns:
        np.savez(file, **{str(i): line.gray for i, line in enumerate(turn)})  # type: ignore[arg-type]
        yield {"lines": str(file)}
