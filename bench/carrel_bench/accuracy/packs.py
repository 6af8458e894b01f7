"""Lines of line packs that a bench reads; the packs are read by `carrel.review.training_lines`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import model_folders
from carrel.review.training_lines import LineSample, read_packs
from carrel_bench.figures import BenchError


def add_pack_options(parser: argparse.ArgumentParser, split: str = "test") -> None:
    """Add which lines to read."""
    parser.add_argument("--split", default=split, help=f"[default: {split}]")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")


def lines_of(options: argparse.Namespace) -> list[LineSample]:
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


def drawn_evenly(lines: Sequence[LineSample], count: int) -> list[LineSample]:
    """Return so many of the lines; 0 for all."""
    chosen = np.linspace(0, len(lines) - 1, count or len(lines)).astype(int)
    return [lines[i] for i in np.unique(chosen)]


def handwriting_folders() -> list[Path]:
    """Return the folders of the shipped handwriting models, the default first."""
    shipped = [folder for folder in model_folders() if folder.name.startswith("handwriting-")]
    return sorted(shipped, key=lambda folder: folder.name != HANDWRITING_MODEL)
