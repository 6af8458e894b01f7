"""Words, or whole entries such as place names, that a reading should be made of.

A file of words is a header of `HEADER`, the letters as UTF-8 (in the order of their numbers), zeros up to a multiple of 8,
then little-endian arrays: ``nodes`` uint32, one more than there are, ``arcs`` uint32 of nodes and ``arcs`` uint16 of
letters; see `carrel.kernels.records.Lexicon`. The search reads it in place, and follows nothing that leads out of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import Buffer
from carrel.errors import ModelError, UsageError
from carrel.kernels.records import HYPHEN, NODE_END, OUTSIDE, SEPARATOR

MAGIC = b"CARRELWD"
VERSION = 1
HEADER = np.dtype(
    [("magic", "S8"), ("version", "<u4"), ("letters_bytes", "<u4"), ("nodes", "<u4"), ("arcs", "<u4")],
)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """Entries as a minimal automaton: the root is node 0, the arcs of node n are ``nodes[n]:nodes[n + 1]``."""

    nodes: NDArray[np.uint32]  # (nodes + 1,) first arc, and `NODE_END` where an entry ends
    arc_symbols: NDArray[np.uint16]  # (arcs,) ascending within a node
    arc_nodes: NDArray[np.uint32]  # (arcs,)


@dataclass(frozen=True, slots=True, eq=False)
class WordList:
    """Words in letters of their own."""

    letters: str
    automaton: Automaton

    def to_bytes(self) -> bytes:
        """Return the content of a file of words."""
        letters, words = self.letters.encode("utf-8"), self.automaton
        header = np.zeros(1, HEADER)
        header[0] = (MAGIC, VERSION, len(letters), len(words.nodes) - 1, len(words.arc_nodes))
        arrays = (words.nodes, words.arc_nodes, words.arc_symbols)
        return b"".join((header.tobytes(), letters, bytes(-len(letters) % 8), *(a.tobytes() for a in arrays)))

    def holds(self, word: str) -> bool:
        """Return whether it is one of the words. Plain Python: for checks, not for speed."""
        node = 0
        for letter in word:
            arcs = self._arcs_of(node)
            if (node := arcs.get(self.letters.find(letter), -1)) < 0:
                return False
        return bool(int(self.automaton.nodes[node]) & NODE_END)

    def with_words(self, words: Iterable[str]) -> WordList:
        """Return the list with more words, such as a user's own: their nodes go before the others."""
        more = sorted({word for word in words if word})
        letters = self.letters + "".join(sorted({c for word in more for c in word} - set(self.letters)))
        own: list[tuple[bool, dict[int, int]]] = [(False, self._arcs_of(0))]  # node -1 - n of the old ones is number n
        for word in more:
            node = 0
            for letter in word:
                symbol = letters.index(letter)
                following = own[node][1].get(symbol, 0)  # no arc leads to the root
                if following >= 0:
                    old = (bool(int(self.automaton.nodes[following]) & NODE_END), self._arcs_of(following))
                    own.append(old if following else (False, {}))
                    own[node][1][symbol] = following = -len(own)
                node = -following - 1
            own[node] = (True, own[node][1])
        return WordList(letters, _joined(own, self.automaton))

    def _arcs_of(self, node: int) -> dict[int, int]:
        words = self.automaton
        part = slice(*(int(n) & ~NODE_END for n in words.nodes[node : node + 2]))
        return dict(zip(words.arc_symbols[part].tolist(), words.arc_nodes[part].tolist(), strict=True))


def _joined(own: Sequence[tuple[bool, dict[int, int]]], words: Automaton) -> Automaton:
    """Nodes of ends and arcs (negative: to nodes of their own) before those of an automaton."""
    nodes: list[int] = []
    symbols: list[int] = []
    following: list[int] = []
    for ends, arcs in own:
        nodes.append(len(symbols) | (NODE_END if ends else 0))
        for symbol, node in sorted(arcs.items()):
            symbols.append(symbol)
            following.append(-node - 1 if node < 0 else node + len(own))
    return Automaton(
        np.concatenate([np.array(nodes, np.uint32), words.nodes + np.uint32(len(symbols))]),
        np.concatenate([np.array(symbols, np.uint16), words.arc_symbols]),
        np.concatenate([np.array(following, np.uint32), words.arc_nodes + np.uint32(len(own))]),
    )


def word_list(words: Iterable[str]) -> WordList:
    """Return a list of words, packed."""
    kept = sorted({word for word in words if word})
    letters = "".join(sorted({letter for word in kept for letter in word}))
    numbers = {letter: number for number, letter in enumerate(letters)}
    return WordList(letters, automaton_of([tuple(numbers[letter] for letter in word) for word in kept]))


def parse_words(content: Buffer, name: str) -> WordList:
    """Take over a file of words that lies in memory; ``name`` is for messages.

    Raises
    ------
    ModelError
        The file is cut short, or of another kind or version.
    """
    if len(content) < HEADER.itemsize or content[: len(MAGIC)] != MAGIC:
        raise ModelError(f"{name} is no file of words; install the model again")
    header = np.frombuffer(content, HEADER, 1)[0]
    if header["version"] != VERSION:
        raise ModelError(f"{name} has format {header['version']}, this Carrel reads format {VERSION}; update Carrel")
    length, nodes, arcs = (int(header[field]) for field in ("letters_bytes", "nodes", "arcs"))
    place = HEADER.itemsize + length + (-length % 8)
    size = place + 4 * (nodes + 1) + 6 * arcs
    if len(content) != size or not nodes:
        raise ModelError(f"{name} is {len(content)} bytes long and should be {size}; install the model again")
    try:
        letters = content[HEADER.itemsize : HEADER.itemsize + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"the letters in {name} are damaged; install the model again") from error
    after = place + 4 * (nodes + 1)
    following = np.frombuffer(content, np.uint32, arcs, after)
    symbols = np.frombuffer(content, np.uint16, arcs, after + 4 * arcs)
    return WordList(letters, Automaton(np.frombuffer(content, np.uint32, nodes + 1, place), symbols, following))


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Entries bound to a network's classes. ``start`` is the node at the beginning of a line, ``open_ends`` says that a
    part of a word may end it."""

    symbols: NDArray[np.int32]  # (classes + 1,) of each class and of the line's end, see `carrel.kernels.records`
    automaton: Automaton
    start: int = 0
    open_ends: bool = False

    @property
    def classes(self) -> int:
        """Of the network, the blank too."""
        return len(self.symbols) - 1

    def arrays(self) -> Arrays:
        """Return the arrays of `carrel.kernels.records.Lexicon`."""
        words = self.automaton
        return {
            "symbols": self.symbols,
            "nodes": words.nodes,
            "arc_symbols": words.arc_symbols,
            "arc_nodes": words.arc_nodes,
        }


def entry_lexicon(entries: Iterable[str], alphabet: str, separators: str = "", blank: int = 0) -> Lexicon:
    """Bind entries to a network's classes.

    Parameters
    ----------
    entries
        Those with characters that the network cannot write, and empty ones, are left out.
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
    symbols = _symbols_of(alphabet, blank, dict.fromkeys(separators, SEPARATOR))
    classes = {c: i + (i >= blank) for i, c in enumerate(alphabet) if c not in separators}
    kept = sorted({tuple(classes[c] for c in e) for e in entries if e and all(c in classes for c in e)})
    if not kept:
        raise UsageError("no entry of the lexicon can be written with the model's alphabet and separators")
    for number in classes.values():
        symbols[number] = number
    return Lexicon(symbols, automaton_of(kept))


def word_lexicon(words: WordList, alphabet: str, blank: int = 0) -> Lexicon:
    """Bind words to a network's classes: all that is no letter stands between words.

    The first word of a line may be the end of one, and the last word the beginning, with a hyphen or without.
    """
    numbers = {letter: number for number, letter in enumerate(words.letters)}
    marks = {c: HYPHEN if c == "-" else SEPARATOR for c in alphabet if not _is_letter(c)}
    symbols = _symbols_of(alphabet, blank, {**marks, **numbers})
    return Lexicon(symbols, words.automaton, OUTSIDE, open_ends=True)


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def _symbols_of(alphabet: str, blank: int, numbers: dict[str, int]) -> NDArray[np.int32]:
    """Symbol of each class, and of the line's end; -1 for the others."""
    if not 0 <= blank <= len(alphabet):
        raise UsageError(f"blank is class {blank}, but there are classes 0 to {len(alphabet)}")
    symbols = [numbers.get(c, -1) for c in alphabet]
    symbols.insert(blank, -1)
    return np.array([*symbols, SEPARATOR], np.int32)


def automaton_of(entries: Sequence[tuple[int, ...]]) -> Automaton:
    """Return the minimal automaton of sorted entries, none of them empty; doi:10.1162/089120100561601."""
    numbers: dict[tuple[bool, tuple[tuple[int, int], ...]], int] = {}
    path: list[tuple[list[bool], list[tuple[int, int]]]] = [([False], [])]  # of the entry before: ends, arcs

    def settle(depth: int) -> None:
        while len(path) > depth + 1:
            ends, arcs = path.pop()
            number = numbers.setdefault((ends[0], tuple(arcs)), len(numbers))
            path[-1][1][-1] = (path[-1][1][-1][0], number)

    before: tuple[int, ...] = ()
    for entry in entries:
        common = next((i for i, (a, b) in enumerate(zip(before, entry, strict=False)) if a != b), len(before))
        settle(common)
        for symbol in entry[common:]:
            path[-1][1].append((symbol, -1))
            path.append(([False], []))
        path[-1][0][0] = True
        before = entry
    settle(0)
    settled = [*numbers, (path[0][0][0], tuple(path[0][1]))][::-1]  # the root first
    sizes = np.cumsum([0, *(len(arcs) for _, arcs in settled)])
    ends = np.array([*(node_ends for node_ends, _ in settled), False])
    arcs = np.array([arc for _, of_node in settled for arc in of_node], np.int64).reshape(-1, 2)
    return Automaton(
        sizes.astype(np.uint32) | np.where(ends, np.uint32(NODE_END), np.uint32(0)),
        arcs[:, 0].astype(np.uint16),
        (len(settled) - 1 - arcs[:, 1]).astype(np.uint32),
    )


@cache
def no_lexicon(classes: int) -> Lexicon:
    """Return a lexicon for searches without one."""
    return Lexicon(np.zeros(classes + 1, np.int32), automaton_of([(0,)]))
