"""Line packs (``source.zip`` with ``lines.jsonl`` and the images that it names), for the benches that read lines."""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel_bench.figures import BenchError


@dataclass(frozen=True)
class TrueLine:
    """A line image, uint8 ``(height, width)``, and its text."""

    source: str
    page: str
    text: str
    gray: NDArray[np.uint8]


def read_lines(folder: Path, split: str, sources: Sequence[str] | None = None) -> Iterator[TrueLine]:
    """Yield the lines of a split, pack by pack."""
    for pack in sorted(folder.glob("*.zip")):
        if sources and pack.stem not in sources:
            continue
        with zipfile.ZipFile(pack) as archive:
            for row in map(json.loads, archive.read("lines.jsonl").decode("utf-8").splitlines()):
                if row["split"] == split:
                    with Image.open(io.BytesIO(archive.read(row["image"]))) as image:
                        yield TrueLine(pack.stem, row["page"], row["text"], np.asarray(image.convert("L")))


def add_pack_options(parser: argparse.ArgumentParser) -> None:
    """Add which lines to read."""
    parser.add_argument("--split", default="test")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")


def lines_of(options: argparse.Namespace) -> list[TrueLine]:
    """Return the lines that the options ask for.

    Raises
    ------
    BenchError
        There are none.
    """
    split = getattr(options, "split", "test")
    lines = list(read_lines(options.data, split, getattr(options, "source", None)))
    if not lines:
        raise BenchError(f"no {split} lines in {options.data}", 3)
    return lines


def drawn_evenly(lines: Sequence[TrueLine], count: int) -> list[TrueLine]:
    """Return so many of the lines; 0 for all."""
    chosen = np.linspace(0, len(lines) - 1, count or len(lines)).astype(int)
    return [lines[i] for i in np.unique(chosen)]
