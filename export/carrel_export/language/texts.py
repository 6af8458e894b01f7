"""Running text that language models learn from, wrapped into lines like those of transcriptions."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from carrel.errors import InputError

TEXT_SUFFIX = ".txt.xz"


def read_paragraphs(corpora: Path) -> Iterator[str]:
    """Yield the paragraphs of all ``*.txt.xz`` of a folder, one a line of text.

    Raises
    ------
    InputError
        The folder has no such file.
    """
    files = sorted(corpora.glob(f"*{TEXT_SUFFIX}"))
    if not files:
        raise InputError(f"{corpora}: no corpora (*{TEXT_SUFFIX}) in it; name another folder")
    for file in files:
        with lzma.open(file, "rt", encoding="utf-8") as paragraphs:
            yield from (paragraph.strip() for paragraph in paragraphs)


def wrap(paragraphs: Iterable[str], lengths: Sequence[int], seed: int = 0) -> Iterator[str]:
    """Yield paragraphs as lines, broken at spaces, with lengths drawn from ``lengths``.

    So the model learns how lines begin and end: in archives, in the middle of a sentence.
    """
    drawn = _forever(lengths, seed)
    for paragraph in paragraphs:
        start = 0
        while start < len(paragraph):
            end = start + next(drawn)
            if end < len(paragraph):
                space = paragraph.rfind(" ", start + 1, end + 1)
                end = space if space > 0 else paragraph.find(" ", end)
                end = end if end > 0 else len(paragraph)
            yield paragraph[start:end]
            start = end + 1


def _forever(lengths: Sequence[int], seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    choices = np.array(lengths)
    while True:
        yield from choices[generator.integers(0, len(choices), 1 << 16)].tolist()
