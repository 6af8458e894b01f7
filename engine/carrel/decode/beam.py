"""Beam search over a batch of lines, with a language model and a lexicon if wanted. Loads compiled kernels when called."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carrel.decode.arrays import Memory, memory_for
from carrel.decode.checks import check_shape, check_shares, check_values
from carrel.decode.lexicon import Lexicon, no_lexicon
from carrel.decode.ngram import Language, no_language
from carrel.decode.options import DecodeOptions
from carrel.decode.types import Decoded
from carrel.errors import UsageError
from carrel.kernels import records
from carrel.kernels.lookup import kernel
from carrel.kernels.native import Kernel
from carrel.kernels.records import BROKEN, SETTINGS, address_of, addresses_record, sides_record

Readings = tuple[Decoded, ...]
LINES_AT_ONCE, ROOM = 64, 8192
"""Lines, and characters of all their readings, in one call of the kernel."""
MOST_HELD_BYTES = 8 * 2**20
"""Of memories that a thread keeps: a field is searched along its constraint, free of it, and its page with a language model."""
NOTHING_ALLOWED = (Decoded((), (), (), (), -math.inf, 0.0),)
_thread = threading.local()


def beam_search(
    logits: NDArray[np.float32],
    options: DecodeOptions | None = None,
    language: Language | None = None,
    lexicon: Lexicon | None = None,
    blank: int = 0,
    *,
    normalized: bool = False,
) -> Readings:
    """Read one line ``(t, c)``; see `beam_search_lines`."""
    return beam_search_lines([logits], None, options, language, lexicon, blank, normalized=normalized)[0]


def beam_search_lines(
    logits: NDArray[np.float32] | Sequence[NDArray[np.float32]],
    frames: Sequence[int] | None = None,
    options: DecodeOptions | None = None,
    language: Language | None = None,
    lexicon: Lexicon | None = None,
    blank: int = 0,
    *,
    normalized: bool = False,
) -> list[Readings]:
    """Read lines by CTC prefix beam search.

    Parameters
    ----------
    logits
        float32 ``(n, t, c)``, or a sequence of ``(t, c)``; unnormalized, log probabilities do as well.
    frames
        Number of frames of each line that belong to it; the rest is padding and is not looked at.
    options
        See `DecodeOptions`.
    language, lexicon
        Bound to the same classes as the logits.
    blank
        Class index of the blank.
    normalized
        The logits are probabilities: each frame sums to 1. Needs a temperature of 1.

    Returns
    -------
    list of tuple of Decoded
        For each line the best readings, best first, at least one and at most ``options.alternatives``. Where a lexicon
        with penalty 0 allows nothing that the beam holds, the one reading is empty, with confidence 0.

    Raises
    ------
    UsageError, ModelError
        See `carrel.decode.checks`; a language model or lexicon for other classes.

    References
    ----------
    A. Hannun et al., arXiv:1408.2873; A. Graves, "Supervised Sequence Labelling with Recurrent Neural Networks", 2012,
    doi:10.1007/978-3-642-24797-2.
    """
    options = options or DecodeOptions()
    lines = [row if frames is None else row[: frames[i]] for i, row in enumerate(logits)]
    for i, line in enumerate(lines):
        check_shape(line, blank, options.temperature, line=i)
    if normalized and options.temperature != 1.0:
        raise UsageError(f"temperature is {options.temperature}; probabilities have none, pass logits or take 1")
    if not lines:
        return []
    classes = lines[0].shape[1]
    _check_classes(lines, classes, language, lexicon)
    search = _search(options, language, lexicon, blank, classes, normalized)
    try:
        if options.threads == 1 or len(lines) == 1:
            return search.read(lines)
        return _read_in_threads(search, lines, options.threads)
    except _BrokenLineError:
        for i, line in enumerate(lines):
            check_shares(line, i) if normalized else check_values(line, i)
        raise


def _check_classes(
    lines: list[NDArray[np.float32]], classes: int, language: Language | None, lexicon: Lexicon | None
) -> None:
    for i, line in enumerate(lines):
        if line.shape[1] != classes:
            raise UsageError(f"line {i} has {line.shape[1]} classes, line 0 has {classes}")
    for name, bound in (("language model", language), ("lexicon", lexicon)):
        if bound is not None and bound.classes != classes:
            raise UsageError(f"the {name} is bound to {bound.classes} classes, the logits have {classes}")


def _read_in_threads(search: Search, lines: list[NDArray[np.float32]], threads: int) -> list[Readings]:
    share = -(-len(lines) // (4 * threads))  # a few parts a thread: lines differ in length
    parts = [lines[i : i + share] for i in range(0, len(lines), share)]
    from concurrent.futures import ThreadPoolExecutor  # for many lines at once, not at every start

    with ThreadPoolExecutor(threads, "carrel-decode") as pool:
        return [readings for part in pool.map(search.read, parts) for readings in part]


class _BrokenLineError(Exception):
    """A line holds values that `check_values` refuses; the search looks at them all anyway."""


class Search:
    """The settings of calls in the kernel's terms; `read` may run in several threads at once."""

    def __init__(
        self,
        options: DecodeOptions,
        language: Language | None,
        lexicon: Lexicon | None,
        blank: int,
        classes: int,
        normalized: bool = False,
    ) -> None:
        model, words = language or no_language(classes), lexicon or no_lexicon(classes)
        self.shape = (options.beam_width, classes, options.alternatives)
        self.language = model.arrays(options.language_weight, options.length_bonus)  # kept as long as their addresses
        self.lexicon = words.arrays()
        numbers = {
            "classes": classes,
            "blank": blank,
            "width": options.beam_width,
            "alternatives": options.alternatives,
            "use_language": language is not None,
            "use_lexicon": lexicon is not None,
            "normalized": normalized,
            "first_context": model.start,
            "first_node": words.start,
            "open_ends": words.open_ends,
            "threshold": options.candidate_threshold,
            "beam_threshold": options.beam_threshold,
            "scale": math.log2(math.e) / options.temperature,
            "unknown": model.unknown(options.language_weight, options.length_bonus),
            "penalty": options.lexicon_penalty,
        }
        sides = {
            "classes": classes,
            "labels": classes + 1,
            "states": len(self.language["states"]),
            "arcs": len(self.language["arcs"]),
            "lexicon_nodes": len(self.lexicon["nodes"]),
            "lexicon_arcs": len(self.lexicon["arc_nodes"]),
        }
        self.parts = (
            sides_record(sides),
            addresses_record(records.Language, self.language),
            addresses_record(records.Lexicon, self.lexicon),
        )
        addresses = zip(("at_sizes", "at_language", "at_lexicon"), map(address_of, self.parts), strict=True)
        self.record = np.zeros(1, SETTINGS)
        for name, value in {**numbers, **dict(addresses)}.items():
            self.record[name] = value
        self.address = address_of(self.record)

    def read(
        self, lines: Sequence[NDArray[np.float32]], read_lines: Kernel | None = None, memory: Memory | None = None
    ) -> list[Readings]:
        """Read lines, as many in a call of the kernel as there is room for."""
        read_lines = read_lines or kernel("read_lines")
        memory = memory or _memory(*self.shape, max(map(len, lines)))
        found: list[Readings] = []
        for part in _parts(lines, memory.lines, memory.room // self.shape[2]):
            rows = [np.ascontiguousarray(line) for line in part]
            memory.places[: len(rows)] = [(address_of(line), len(line)) for line in rows]
            read_lines(self.address, *memory.addresses, len(rows))
            found += _readings(memory, len(rows), self.shape[2])
        return found


@lru_cache(maxsize=4)
def _search(
    options: DecodeOptions,
    language: Language | None,
    lexicon: Lexicon | None,
    blank: int,
    classes: int,
    normalized: bool = False,
) -> Search:
    """Made once: lines often come one at a time."""
    return Search(options, language, lexicon, blank, classes, normalized)


def _parts(
    lines: Sequence[NDArray[np.float32]], most_lines: int, most_frames: int
) -> Iterator[Sequence[NDArray[np.float32]]]:
    """The lines in parts of at most so many lines and frames."""
    first = frames = 0
    for i, line in enumerate(lines):
        if i - first == most_lines or frames + len(line) > most_frames:
            yield lines[first:i]
            first, frames = i, 0
        frames += len(line)
    yield lines[first:]


def _memory(width: int, classes: int, alternatives: int, frames: int) -> Memory:
    """The thread's memory, made anew when something longer comes, or what is unlike the last few."""
    held: dict[tuple[int, int, int], Memory] = _thread.__dict__.setdefault("held", {})
    key = (width, classes, alternatives)
    made = held.pop(key, None)
    if made is None or made.longest < frames:
        longest = -(-frames // 128) * 128
        made = memory_for(width, classes, alternatives, longest, LINES_AT_ONCE, max(ROOM, longest * alternatives))
    held[key] = made  # the last in order
    while len(held) > 1 and sum(memory.size_bytes for memory in held.values()) > MOST_HELD_BYTES:
        del held[next(iter(held))]
    return made


def _readings(memory: Memory, lines: int, alternatives: int) -> list[Readings]:
    """What the kernel wrote, taken over at once: single items of arrays are slow to get at."""
    rows: list[tuple[int, float, float]] = memory.readings[: lines * alternatives].tolist()
    if any(row[0] == BROKEN for row in rows):
        raise _BrokenLineError
    used = sum(row[0] for row in rows if row[0] > 0)
    classes, starts, ends = (tuple(row) for row in memory.characters[:, :used].tolist())
    certainties = tuple(memory.certainties[:used].tolist())
    found: list[Readings] = []
    first = 0
    for n in range(0, len(rows), alternatives):
        readings: list[Decoded] = []
        for length, score, confidence in rows[n : n + alternatives]:
            if length >= 0:
                part = slice(first, first + length)
                readings.append(Decoded(classes[part], certainties[part], starts[part], ends[part], score, confidence))
                first += length
        found.append(tuple(readings) or NOTHING_ALLOWED)
    return found
