"""Lines of line packs that a bench reads; the packs are read by `carrel.review.training_lines`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carrel.review.training_lines import LineSample, read_packs
from carrel_bench.figures import BenchError, Options, T, Table


def pack_options(split: str = "test") -> Table:
    """Return the options that say which lines to read."""
    return {
        "--split": {"default": split, "help": f"[default: {split}]"},
        "--source": {"action": "append", "help": "only this source; may be repeated"},
    }


def lines_of(options: Options) -> list[LineSample]:
    """Return the lines that the options ask for.

    Raises
    ------
    BenchError
        There are none.
    """
    lines = list(read_packs(options.data, (options.split,), options.source))
    if not lines:
        raise BenchError(f"no {options.split} lines in {options.data}", 3)
    return lines


def drawn_evenly(items: Sequence[T], count: int) -> list[T]:
    """Return so many of the lines, or of what else there is; 0 for all."""
    chosen = np.linspace(0, len(items) - 1, count or len(items)).astype(int)
    return [items[i] for i in np.unique(chosen)]
