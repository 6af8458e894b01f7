"""Counts of n-grams of characters, taken in chunks so that memory does not grow with the text. numpy alone.

An n-gram is a whole number: one byte a symbol, the oldest first. Line ends are the symbol ``"\\n"``; as the first symbol
of a context it stands for the beginning of a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import LINE_END

Keys = NDArray[np.uint64]
Integers = NDArray[np.int64]
MOST_SYMBOLS = 255
MAX_ORDER = 8
"""Symbols of a byte in a key of 64 bits."""
CHUNK_CHARACTERS = 12_000_000
"""About 1.5 GB while they are counted at order 7."""


@dataclass(frozen=True)
class Counts:
    """The n-grams of one order that occur: sorted keys, and how often."""

    keys: Keys
    counts: Integers


def symbols_of(lines: Iterable[str], alphabet: str = "") -> str:
    """Return the characters of the lines and of ``alphabet``, most frequent first, with the line's end; at most 255.

    With an alphabet, these and no others.
    """
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line)
        counts[LINE_END] += 1
    if alphabet:
        counts = Counter({c: counts[c] for c in alphabet + LINE_END})
    return "".join(c for c, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_SYMBOLS])


def count_ngrams(lines: Iterable[str], symbols: str, order: int, chunk: int = CHUNK_CHARACTERS) -> list[Counts]:
    """Count all n-grams of orders 1 to ``order``. None spans a line's end or a character without a number.

    Raises
    ------
    ValueError
        ``order`` is above `MAX_ORDER`: the keys would overflow.
    """
    if order > MAX_ORDER:
        raise ValueError(f"order {order}: at most {MAX_ORDER}, since a key has a byte for each symbol")
    total = [Counts(np.zeros(0, np.uint64), np.zeros(0, np.int64))] * order
    for part in _chunks(lines, chunk):
        found = [Counts(*np.unique(keys, return_counts=True)) for keys in _occurrences(part, symbols, order)]
        total = [add(before, now) for before, now in zip(total, found, strict=True)]
    return total


def add(a: Counts, b: Counts) -> Counts:
    """Return the counts of two texts together."""
    keys = np.concatenate([a.keys, b.keys])
    order = np.argsort(keys, kind="stable")  # merges two sorted runs
    keys, counts = keys[order], np.concatenate([a.counts, b.counts])[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, np.int64)
    return Counts(keys[first], np.add.reduceat(counts, first) if len(first) else counts)


def _chunks(lines: Iterable[str], characters: int) -> Iterator[str]:
    """Yield the lines in chunks of about so many characters, each line between two line ends."""
    chunk: list[str] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line) + 1
        if size >= characters:
            yield LINE_END + LINE_END.join(chunk) + LINE_END
            chunk, size = [], 0
    if chunk:
        yield LINE_END + LINE_END.join(chunk) + LINE_END


def _occurrences(text: str, symbols: str, order: int) -> Iterator[Keys]:
    """Yield all n-grams of a text, with repeats, order by order."""
    codes = numbers_of(text, symbols)
    known = codes >= 0
    within = known & (codes != symbols.index(LINE_END))
    values = codes.astype(np.uint64)
    yield values[1:][known[1:]]  # the first line end is only a beginning
    keys, sound = values, known
    for n in range(2, order + 1):
        keys = (keys[:-1] << np.uint64(8)) | values[n - 1 :]
        sound = sound[:-1] if n == 2 else sound[:-1] & within[n - 2 : -1]
        yield keys[sound & known[n - 1 :]]


def numbers_of(text: str, symbols: str) -> NDArray[np.int16]:
    """Return the number of each character among the symbols; -1 where it has none."""
    table = np.full(0x110000, -1, np.int16)
    table[[ord(c) for c in symbols]] = np.arange(len(symbols))
    return table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]


def mask_of(n: int) -> np.uint64:
    """Return the mask of the last ``n`` symbols of a key."""
    return np.uint64((1 << (8 * n)) - 1)


def places_of(keys: Keys, wanted: Keys) -> tuple[Integers, NDArray[np.bool_]]:
    """Return where each wanted key stands in the sorted keys, and whether it is there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, keys[places] == wanted


def counts_at(counts: Counts, keys: Keys) -> Integers:
    """Return how often each key occurs."""
    places, found = places_of(counts.keys, keys)
    return np.where(found, counts.counts[places], 0) if len(counts.keys) else np.zeros(len(keys), np.int64)


def total_of(counts: Sequence[Counts]) -> int:
    """Return how many characters and line ends were counted."""
    return int(counts[0].counts.sum())
