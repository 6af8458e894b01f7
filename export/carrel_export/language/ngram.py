"""Character n-gram models: interpolated modified Kneser-Ney from lines of text, or read from ARPA. numpy alone.

R. Kneser, H. Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995, doi:10.1109/ICASSP.1995.479394;
S. F. Chen, J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech & Language
13 (1999), doi:10.1006/csla.1999.0128; pruning by weighted difference: K. Seymore, R. Rosenfeld, "Scalable backoff
language models", ICSLP 1996, doi:10.1109/ICSLP.1996.607084.

An n-gram is a whole number: one byte a symbol, the oldest first. Line ends are the symbol ``"\\n"``; as the first symbol
of a context it stands for the beginning of a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import ARC_ON_DISK, LINE_END, STATE_ON_DISK, NgramModel

Keys = NDArray[np.uint64]
Reals = NDArray[np.float64]
MAX_ORDER = 8
UNKNOWN_LOG10 = -6.0
"""Score of a character that the model has never seen."""


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: sorted keys, log10 of their probabilities and of their back-off weights as contexts."""

    keys: Keys
    scores: Reals
    backoffs: Reals


def symbols_of(lines: Sequence[str], alphabet: str = "") -> str:
    """Characters of the lines and of ``alphabet``, most frequent first, with the line's end; at most 255."""
    counts = Counter(c for line in lines for c in line)
    counts[LINE_END] = len(lines)
    if alphabet:
        counts = Counter({c: counts[c] for c in alphabet + LINE_END})
    return "".join(c for c, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:255])


def grams_of(lines: Iterable[str], symbols: str, order: int) -> list[Keys]:
    """All n-grams of orders 1 to ``order``, with repeats. None spans a line's end or a character without a number."""
    numbers = {c: i for i, c in enumerate(symbols)}
    text = LINE_END + "".join(line + LINE_END for line in lines)
    codes = np.array([numbers.get(c, -1) for c in text])
    known, ends = codes >= 0, codes == numbers[LINE_END]
    grams = [codes[1:][known[1:]].astype(np.uint64)]
    for n in range(2, order + 1):
        windows = len(codes) - n + 1
        keys = np.zeros(windows, np.uint64)
        kept = np.ones(windows, bool)
        for k in range(n):
            part = slice(k, k + windows)
            keys = (keys << np.uint64(8)) | codes[part].astype(np.uint64)
            kept &= known[part] if k in (0, n - 1) else known[part] & ~ends[part]
        grams.append(keys[kept])
    return grams


def estimate(grams: Sequence[Keys], symbols: str) -> list[Level]:
    """Interpolated modified Kneser-Ney probabilities of all n-grams that occur, and of every symbol."""
    unique = [np.unique(keys, return_counts=True) for keys in grams]
    bos = np.uint64(symbols.index(LINE_END))
    levels: list[Level] = []
    for n, (keys, raw) in enumerate(unique, 1):
        counts = _continuations(keys, raw, unique[n][0], bos, n) if n < len(unique) else raw
        if n == 1:
            everything = np.arange(len(symbols), dtype=np.uint64)
            all_counts = np.zeros(len(symbols), np.int64)
            all_counts[keys.astype(np.int64)] = counts
            levels.append(_unigrams(everything, all_counts))
        else:
            levels.append(_interpolate(keys, counts, levels[-1], n))
    return levels


def _mask(n: int) -> np.uint64:
    return np.uint64((1 << (8 * n)) - 1)


def _places(keys: Keys, wanted: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each wanted key stands in the sorted keys, and whether it is there."""
    places = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    return places, keys[places] == wanted if len(keys) else np.zeros(len(wanted), bool)


def _continuations(keys: Keys, counts: NDArray[np.int64], longer: Keys, bos: np.uint64, n: int) -> NDArray[np.int64]:
    """In how many ways an n-gram is continued to the left; its count where it begins a line (n > 1)."""
    suffixes, ways = np.unique(longer & _mask(n), return_counts=True)
    places, found = _places(suffixes, keys)
    begins = (keys >> np.uint64(8 * (n - 1)) == bos) & (n > 1)
    return np.where(found & ~begins, ways[places], counts)


def _discounts(counts: NDArray[np.int64]) -> Reals:
    """Discount of each count: 0 of 0, then one each for 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (max(1, int((counts == k).sum())) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    steps = (0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    table = np.array([0.0, *(min(max(step, 0.1 * k), 0.95 * k) for k, step in enumerate(steps[1:], 1))])
    return table[np.minimum(counts, 3)]


def _unigrams(keys: Keys, counts: NDArray[np.int64]) -> Level:
    discounts = _discounts(counts)
    total = counts.sum()
    chances = (counts - discounts) / total + discounts.sum() / total / len(keys)
    return Level(keys, np.log10(chances), np.zeros(len(keys)))


def _interpolate(keys: Keys, counts: NDArray[np.int64], shorter: Level, n: int) -> Level:
    """Probabilities of one order; writes the back-off weights of its contexts into ``shorter``."""
    discounts = _discounts(counts)
    contexts, group = np.unique(keys >> np.uint64(8), return_inverse=True)
    totals = np.bincount(group, counts)
    left_over = np.bincount(group, discounts) / totals
    places, found = _places(shorter.keys, keys & _mask(n - 1))
    below = np.where(found, 10.0 ** shorter.scores[places], 0.0)
    chances = (counts - discounts) / totals[group] + left_over[group] * below
    at, known = _places(shorter.keys, contexts)
    shorter.backoffs[at[known]] = np.log10(left_over[known])
    return Level(keys, np.log10(chances), np.zeros(len(keys)))


def prune(levels: Sequence[Level], grams: Sequence[Keys], threshold: float) -> list[Level]:
    """Drop n-grams whose loss costs the training text less than ``threshold`` (log10 of its probability), longest first,
    unless a longer one that is kept begins with it. The back-off weights are made to add up again."""
    kept: list[Level] = []
    needed = np.zeros(0, np.uint64)
    for n in range(len(levels), 1, -1):
        level, shorter = levels[n - 1], levels[n - 2]
        _, counts = np.unique(grams[n - 1], return_counts=True)
        gain = (
            level.scores - _context_backoffs(shorter, level.keys) - _lookup(levels[: n - 1], level.keys & _mask(n - 1))
        )
        keep = (counts * gain >= threshold) | np.isin(level.keys, needed)
        kept.append(Level(level.keys[keep], level.scores[keep], np.zeros(int(keep.sum()))))
        needed = np.unique(kept[-1].keys >> np.uint64(8))
    kept.append(Level(levels[0].keys, levels[0].scores, np.zeros(len(levels[0].keys))))
    kept.reverse()
    for n in range(2, len(kept) + 1):
        _balance(kept, n)
    return kept


def _context_backoffs(shorter: Level, keys: Keys) -> Reals:
    places, found = _places(shorter.keys, keys >> np.uint64(8))
    return np.where(found, shorter.backoffs[places], 0.0) if len(shorter.keys) else np.zeros(len(keys))


def _lookup(levels: Sequence[Level], keys: Keys) -> Reals:
    """log10 probability of the last symbol of each n-gram (of order ``len(levels)``) after the others."""
    level = levels[-1]
    places, found = _places(level.keys, keys)
    scores = level.scores[places] if len(level.keys) else np.zeros(len(keys))
    missing = np.flatnonzero(~found)
    if len(missing):
        rest = keys[missing]
        scores[missing] = _context_backoffs(levels[-2], rest) + _lookup(levels[:-1], rest & _mask(len(levels) - 1))
    return scores


def _balance(levels: list[Level], n: int) -> None:
    """Back-off weights of the contexts of order n - 1: what their n-grams leave, over what these leave one order down."""
    level, shorter = levels[n - 1], levels[n - 2]
    contexts, group = np.unique(level.keys >> np.uint64(8), return_inverse=True)
    left = 1.0 - np.bincount(group, 10.0**level.scores)
    below = 1.0 - np.bincount(group, 10.0 ** _lookup(levels[: n - 1], level.keys & _mask(n - 1)))
    at, known = _places(shorter.keys, contexts)
    ratio = np.maximum(left, 1e-9) / np.maximum(below, 1e-9)
    shorter.backoffs[at[known]] = np.log10(ratio[known])


def build(lines: Sequence[str], alphabet: str = "", order: int = 6, threshold: float = 0.0) -> NgramModel:
    """A model of lines of text. ``threshold`` prunes, see `prune`; 0 keeps every n-gram that helps."""
    symbols = symbols_of(lines, alphabet)
    grams = grams_of(lines, symbols, order)
    return assemble(prune(estimate(grams, symbols), grams, threshold), symbols)


def assemble(levels: Sequence[Level], symbols: str) -> NgramModel:
    """States and arcs from n-grams: each context with n-grams is a state."""
    order = len(levels)
    contexts = [np.zeros(1, np.uint64), *(np.unique(level.keys >> np.uint64(8)) for level in levels[1:])]
    offsets = np.cumsum([0, *map(len, contexts)])
    states = np.zeros(int(offsets[-1]), STATE_ON_DISK)
    arcs = np.zeros(sum(len(level.keys) for level in levels), ARC_ON_DISK)
    arc_symbols = np.concatenate([level.keys & np.uint64(255) for level in levels]).astype(np.uint8)
    begin = 0
    for n, level in enumerate(levels, 1):
        part = slice(int(offsets[n - 1]), int(offsets[n]))
        states["first"][part] = begin + np.searchsorted(level.keys >> np.uint64(8), contexts[n - 1])
        states["shorter"][part] = _longest_state(contexts[n - 1], n - 2, contexts, offsets)
        if n > 1:
            places, found = _places(levels[n - 2].keys, contexts[n - 1])
            states["backoff"][part] = np.where(found, levels[n - 2].backoffs[places], 0.0)
        end = begin + len(level.keys)
        arcs["score"][begin:end] = np.minimum(level.scores, 0.0)
        arcs["next"][begin:end] = _longest_state(level.keys, min(n, order - 1), contexts, offsets)
        begin = end
    start = int(_longest_state(np.array([symbols.index(LINE_END)], np.uint64), 1, contexts, offsets)[0])
    return NgramModel(order, symbols, states, arcs, arc_symbols, start, UNKNOWN_LOG10)


def _longest_state(keys: Keys, longest: int, contexts: Sequence[Keys], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """State of the longest suffix, of at most ``longest`` symbols, that is one."""
    states = np.zeros(len(keys), np.int64)
    for length in range(1, longest + 1):
        places, found = _places(contexts[length], keys & _mask(length))
        states = np.where(found, offsets[length] + places, states)
    return states


def read_arpa(source: TextIO, space: str = "\u2581") -> NgramModel:
    """A model from ARPA with one character a word; ``space`` is how the space is written there.

    Raises
    ------
    ValueError
        No n-grams, words of several characters, or more than 255 symbols.
    """
    rows: dict[int, dict[tuple[str, ...], tuple[float, float]]] = {}
    order = 0
    for line in map(str.rstrip, source):
        if line.endswith("-grams:"):
            order = int(line[1:-7])
            rows[order] = {}
        elif order and line and not line.startswith("\\"):
            score, words, *backoff = line.split("\t")
            gram = tuple(_word_of(word, space) for word in words.split(" "))
            if "<unk>" not in gram:
                rows[order][gram] = (float(score), float(backoff[0]) if backoff else 0.0)
    if not rows or max(rows) > MAX_ORDER:
        raise ValueError(f"no n-grams of order 1 to {MAX_ORDER} in this ARPA file")
    words = [gram[0] for gram, _ in sorted(rows[1].items(), key=lambda row: -row[1][0]) if gram[0] != "<s>"]
    symbols = "".join(words)
    if LINE_END not in words or len(words) > 255 or len(symbols) != len(words):
        raise ValueError("an ARPA file of up to 255 words of one character each is needed")
    return assemble([_level_of(rows[n], symbols) for n in sorted(rows)], symbols)


def _word_of(word: str, space: str) -> str:
    return {"<s>": "<s>", "</s>": LINE_END, "<unk>": "<unk>", space: " "}.get(word, word)


def _level_of(rows: dict[tuple[str, ...], tuple[float, float]], symbols: str) -> Level:
    """One order of an ARPA file. The line's beginning and end are one symbol: the score is the end's, the back-off
    weight the beginning's."""
    numbers = {**{c: i for i, c in enumerate(symbols)}, "<s>": symbols.index(LINE_END)}
    scores: dict[int, float] = {}
    backoffs: dict[int, float] = {}
    for gram, (score, backoff) in rows.items():
        key = int.from_bytes(bytes(numbers[word] for word in gram), "big")
        if gram[-1] != "<s>":
            scores[key] = score
        if gram[-1] != LINE_END:
            backoffs[key] = backoff
    keys = sorted(scores)
    values = np.array([scores[key] for key in keys])
    return Level(np.array(keys, np.uint64), values, np.array([backoffs.get(key, 0.0) for key in keys]))


def write_arpa(levels: Sequence[Level], symbols: str, target: TextIO, space: str = "\u2581") -> None:
    """Write n-grams as ARPA, one character a word; ``space`` stands for the space."""
    target.write("\\data\\\n")
    for n, level in enumerate(levels, 1):
        target.write(f"ngram {n}={len(level.keys) + (n == 1)}\n")
    for n, level in enumerate(levels, 1):
        target.write(f"\n\\{n}-grams:\n")
        for key, score, backoff in zip(level.keys.tolist(), level.scores, level.backoffs, strict=True):
            words = [space if symbols[b] == " " else symbols[b] for b in key.to_bytes(n, "big")]
            if n == 1 and words[0] == LINE_END:
                target.write(f"-99\t<s>\t{backoff:.6f}\n")
            first = "<s>" if n > 1 and words[0] == LINE_END else words[0]
            words = [first, *words[1:]] if n > 1 else words
            words = ["</s>" if word == LINE_END else word for word in words]
            ending = "" if n == len(levels) or words[-1] == "</s>" else f"\t{backoff:.6f}"
            target.write(f"{score:.6f}\t{' '.join(words)}{ending}\n")
    target.write("\n\\end\\\n")
