"""The compiled search on numbers of all kinds, each array between two pages that must not be touched.

``python tests/guarded_search.py SEED EXAMPLES`` dies where the search reads or writes outside an array.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carrel.decode.arrays import memory_for
from carrel.decode.beam import Search
from carrel.decode.lexicon import word_lexicon, word_list
from carrel.decode.ngram import Language, NgramModel
from carrel.decode.options import DecodeOptions
from carrel.kernels.records import SYMBOLS_AT_ONCE, Results, Workspace, tables_of
from carrel_export.language.pack import build

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
ALPHABET = "abcdefghijklmnopqrstuvwxyz éè-"
WORDS = ["hand", "handed", "and", "an", "the", "then", "lend", "end"]
LINES = ["the hand", "then an end", "lend the hand", "handed an end"] * 3
WIDTHS = st.sampled_from([1, 2, 3, 10, 40])
NUMBERS = st.floats(width=64) | st.sampled_from([0.0, 1e-300, 1e-30, 1.0, 1e4, 1e8, 1e30, 1e37, 1e300])


def guarded(items: int, dtype: np.dtype[Any], at_end: bool = True) -> NDArray[Any]:
    """Zeros that lie right before a page that must not be touched, or right behind one."""
    size = items * dtype.itemsize
    room = -(-max(size, 1) // PAGE) * PAGE
    memory = mmap.mmap(-1, room + 2 * PAGE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (first, first + PAGE + room):
        assert _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0, ctypes.get_errno()
    return np.frombuffer(memory, dtype, items, PAGE + (room - size if at_end else 0))


def guarded_copy(array: NDArray[Any], at_end: bool) -> NDArray[Any]:
    copy = guarded(array.size, array.dtype, at_end).reshape(array.shape)
    copy[...] = array
    return copy


class Placed:
    """A language model or lexicon, its arrays between guarded pages and damaged by ``damage``."""

    def __init__(self, source: Any, damage: Any, at_end: bool) -> None:
        self.start, self.classes, self.open_ends = source.start, source.classes, getattr(source, "open_ends", False)
        self._source, self._damage, self._at_end = source, damage, at_end

    def unknown(self, weight: float, bonus: float) -> float:
        return bonus * 10.0 ** min(300.0, weight * -6.0)

    def arrays(self, *settings: float) -> dict[str, NDArray[Any]]:
        with np.errstate(all="ignore"):
            arrays: dict[str, NDArray[Any]] = self._source.arrays(*settings)
        return {name: guarded_copy(self._damage(name, array), self._at_end) for name, array in arrays.items()}


def damage_of(rng: np.random.Generator, share: float) -> Any:
    """Numbers in place of some: bytes at random, and the largest there are."""

    def damage(name: str, array: NDArray[Any]) -> NDArray[Any]:
        if name == "symbols":  # Carrel's own
            return array
        content = np.frombuffer(array.tobytes(), np.uint8).copy()
        hit = rng.random(len(content)) < share
        content[hit] = rng.choice(np.array([0, 1, 127, 128, 255], np.uint8), int(hit.sum()))
        return np.frombuffer(content.tobytes(), array.dtype).reshape(array.shape)

    return damage


def logits_of(rng: np.random.Generator, frames: int, classes: int, kind: str) -> NDArray[np.float32]:
    spread = {"small": 0.01, "usual": 3.0, "large": 1e4, "huge": 1e38}.get(kind, 3.0)
    logits = rng.normal(0.0, spread, (frames, classes))
    logits[:, 0] += 2.0
    if kind == "impossible":
        logits[rng.random(logits.shape) < 0.5] = -np.inf
    if kind == "broken":
        logits[rng.integers(frames), rng.integers(classes)] = rng.choice([np.nan, np.inf])
    with np.errstate(over="ignore"):
        return logits.astype(np.float32)


def check(
    options: dict[str, Any], numbers: dict[str, float], kind: str, source: int, share: float, fused: tuple[bool, bool]
) -> None:
    """Read three lines; the process dies if memory outside is touched."""
    rng = np.random.default_rng(source)
    classes, frames, at_end = len(ALPHABET) + 1, int(rng.integers(1, 60)), bool(source % 2)
    chosen = DecodeOptions(**options)
    for name, value in numbers.items():  # as if nobody had looked at them
        object.__setattr__(chosen, name, value)
    damage = damage_of(rng, share)
    language: Any = Placed(Language(MODEL, ALPHABET), damage, at_end) if fused[0] else None
    lexicon: Any = Placed(LEXICON, damage, at_end) if fused[1] else None
    try:
        with np.errstate(all="ignore"):
            search = Search(chosen, language, lexicon, 0, classes)
    except (OverflowError, ZeroDivisionError):
        return
    memory = memory_for(
        chosen.beam_width,
        classes,
        chosen.alternatives,
        frames,
        3,
        frames * 3 * chosen.alternatives,
        lambda items, dtype: guarded(items, dtype, at_end),
    )
    lines = [guarded_copy(logits_of(rng, frames, classes, kind), at_end) for _ in range(3)]
    try:
        found = search.read(lines, memory=memory)
    except Exception as error:
        assert type(error).__name__ == "_BrokenLineError", error
        return
    for readings in found:
        for reading in readings:
            assert set(reading.classes) <= set(range(1, classes))
            assert list(reading.starts) == sorted(set(reading.starts))
            assert all(0 <= start < end <= frames for start, end in zip(reading.starts, reading.ends, strict=True))


MODEL: NgramModel = build(LINES, ALPHABET, order=4)
LEXICON = word_lexicon(word_list(WORDS), ALPHABET)
assert len(MODEL.arc_symbols) == len(MODEL.arcs) + SYMBOLS_AT_ONCE
assert {table.name for kind in (Workspace, Results) for table in tables_of(kind)} >= {"nodes", "memo", "readings"}


def main(first: int, examples: int) -> None:
    """Try so many sets of numbers."""
    named = st.sampled_from(["temperature", "language_weight", "length_bonus", "lexicon_penalty", "beam_threshold"])

    @seed(first)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=False,
    )
    @given(
        options=st.fixed_dictionaries({"beam_width": WIDTHS, "candidate_threshold": st.sampled_from([0.0, 1e-3, 0.9])}),
        alternatives=st.sampled_from([1, 3]),
        numbers=st.dictionaries(named | st.just("candidate_threshold"), NUMBERS, max_size=3),
        kind=st.sampled_from(["small", "usual", "large", "huge", "impossible", "broken"]),
        source=st.integers(0, 1 << 30),
        share=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
        fused=st.tuples(st.booleans(), st.booleans()),
    )
    def run(options: dict[str, Any], alternatives: int, **others: Any) -> None:
        check({**options, "alternatives": min(alternatives, options["beam_width"])}, **others)

    run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
