"""Words, or whole entries such as place names, that a reading should be made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.errors import UsageError
from carrel.kernels.records import SEPARATOR


@dataclass(frozen=True, slots=True)
class Trie:
    """Prefixes of entries as states, the empty one first, breadth first; all int32.

    Arcs of state ``s`` are ``first[s]:first[s + 1]``, ascending by symbol.
    """

    first: NDArray[np.int32]  # (states + 1,)
    ends: NDArray[np.int32]  # (states,) 1 where an entry ends
    symbols: NDArray[np.int32]  # (arcs,)
    next: NDArray[np.int32]  # (arcs,)


class Lexicon:
    """A list of words bound to a network's classes, as a trie.

    Parameters
    ----------
    entries
        The words. Those with characters that the network cannot write, and empty ones, are left out.
    alphabet
        The characters of the classes other than the blank, in order.
    separators
        Characters that stand between words. Empty: a whole line is one entry, such as the value of a form field.
    blank
        Class index of the blank.

    Raises
    ------
    UsageError
        No entry is left, or the blank is outside the classes.
    """

    def __init__(self, entries: Iterable[str], alphabet: str, separators: str = "", blank: int = 0) -> None:
        if not 0 <= blank <= len(alphabet):
            raise UsageError(f"blank is class {blank}, but there are classes 0 to {len(alphabet)}")
        classes = {c: i + (i >= blank) for i, c in enumerate(alphabet) if c not in separators}
        kept = sorted({tuple(classes[c] for c in e) for e in entries if e and all(c in classes for c in e)})
        if not kept:
            raise UsageError("no entry of the lexicon can be written with the model's alphabet and separators")
        self.entries = len(kept)
        self.classes = len(alphabet) + 1
        self.trie = trie_of(kept)
        symbols = np.arange(len(alphabet) + 2, dtype=np.int32)
        for i, c in enumerate(alphabet):
            if c in separators:
                symbols[i + (i >= blank)] = SEPARATOR
        self.symbols = symbols


def trie_of(entries: list[tuple[int, ...]]) -> Trie:
    """The trie of sorted entries."""
    first: list[int] = []
    ends: list[int] = []
    symbols: list[int] = []
    following: list[int] = []
    level = [(0, len(entries), 0)]  # states to come: range of entries that pass through, depth
    states = 1
    while level:
        deeper: list[tuple[int, int, int]] = []
        for low, high, depth in level:
            first.append(len(symbols))
            ends.append(int(len(entries[low]) == depth))
            start = low + ends[-1]
            while start < high:
                symbol = entries[start][depth]
                end = start
                while end < high and entries[end][depth] == symbol:
                    end += 1
                symbols.append(symbol)
                following.append(states)
                states += 1
                deeper.append((start, end, depth + 1))
                start = end
        level = deeper
    parts = ([*first, len(symbols)], ends, symbols, following)
    return Trie(*(np.array(part, np.int32) for part in parts))
