"""What the search found, written out: characters with places and probabilities. Compiled, unchecked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray

from carrel.kernels.compiled import compiled, inner
from carrel.kernels.ctc_context import ARC, STATE, Language, Trie, language_step, trie_end
from carrel.kernels.ctc_frames import LOG2_E, PADDING
from carrel.kernels.ctc_search import (
    BROKEN,
    CONTEXT,
    LABEL,
    MARK,
    NEXT_TOTAL,
    NODE,
    PARENT,
    SLOT,
    TOTAL,
    WORD,
    Rules,
    Workspace,
    search_line,
)

# rows of `characters`
LABELS, STARTS, ENDS = range(3)


@inner
def close_line(work: Workspace, rules: Rules, language: Language, trie: Trie, occupied: int, end_label: int) -> float:
    """Multiply the factors of ending the line into ``masses[NEXT_TOTAL]``. Returns the sum of these."""
    total = 0.0
    for s in range(occupied):
        node = work.slots[NODE, s]
        mass = work.masses[TOTAL, s]
        if rules.use_language and end_label >= 0:
            mass *= language_step(language, np.int64(work.nodes[node, CONTEXT]), end_label, rules.unknown)[0]
        if rules.use_lexicon:
            mass *= trie_end(trie, np.int64(work.nodes[node, WORD]), rules.penalty)
        work.masses[NEXT_TOTAL, s] = mass
        total += mass
    return total


@inner
def best_slot(work: Workspace, occupied: int) -> int:
    """Slot of the largest mass not yet taken (taken ones are negative); -1 if none is above 0."""
    best, best_mass = -1, 0.0
    for s in range(occupied):
        if work.masses[NEXT_TOTAL, s] > best_mass:
            best, best_mass = s, work.masses[NEXT_TOTAL, s]
    return best


@inner
def write_characters(work: Workspace, slot: int, characters: NDArray[np.int32]) -> int:
    """Classes and first frames of the prefix in ``slot``. Returns how many characters it has."""
    length = 0
    node = work.slots[NODE, slot]
    while work.nodes[node, PARENT] >= 0:
        node = work.nodes[node, PARENT]
        length += 1
    node, mark = work.slots[NODE, slot], work.slots[MARK, slot]
    for i in range(length - 1, -1, -1):
        characters[LABELS, i] = work.nodes[node, LABEL]
        characters[STARTS, i] = work.marks[mark, 0]
        node, mark = work.nodes[node, PARENT], work.marks[mark, 1]
    return length


@inner
def write_spans(
    logits: NDArray[np.float32],
    rules: Rules,
    work: Workspace,
    length: int,
    characters: NDArray[np.int32],
    shares: NDArray[np.float32],
) -> None:
    """Ends of the characters, and what share of the mass of all characters in its span each has.

    The span reaches to the first frame of the next character; the end is where the blank takes over from the peak on.
    """
    scale = rules.scale / LOG2_E
    for i in range(length):
        label, first = characters[LABELS, i], characters[STARTS, i]
        after = characters[STARTS, i + 1] if i + 1 < length else len(logits)
        own, others, highest = 0.0, 0.0, 0.0
        end = first + 1
        held = False
        for t in range(first, after):
            p = math.exp((logits[t, label] - work.frames[0, t]) * scale) * work.frames[1, t]
            blank = math.exp((logits[t, rules.blank] - work.frames[0, t]) * scale) * work.frames[1, t]
            own += p
            others += 1.0 - blank
            if p > highest:
                highest, held = p, True
                end = t + 1
            elif held and p >= blank:
                end = t + 1
            else:
                held = False
        characters[ENDS, i] = end
        shares[i] = min(1.0, own / max(others, 1e-30))


@inner
def set_path(work: Workspace, slot: int, length: int) -> None:
    """Note the depth of every node of the reading in ``slot`` in the column ``SLOT``; a ``length`` of 0 clears it."""
    node = work.slots[NODE, slot]
    depth = length
    while node >= 0:
        work.nodes[node, SLOT] = depth - 1 if length > 0 else -1
        depth -= 1
        node = work.nodes[node, PARENT]


@inner
def write_support(
    work: Workspace, occupied: int, length: int, characters: NDArray[np.int32], support: NDArray[np.float32]
) -> None:
    """For each character, the mass of the readings in the beam that have it too: the same class between its neighbours."""
    starts, labels = characters[STARTS], characters[LABELS]
    support[:length] = 0.0
    total = 0.0
    for s in range(occupied):
        mass = work.masses[TOTAL, s]
        total += mass
        node, mark = work.slots[NODE, s], work.slots[MARK, s]
        j = length - 1
        while j >= 0 and work.nodes[node, PARENT] >= 0:
            depth = work.nodes[node, SLOT]
            if depth >= 0:  # from here on it is the same text
                for i in range(min(depth, j) + 1):
                    support[i] += mass
                break
            frame, label = work.marks[mark, 0], work.nodes[node, LABEL]
            while j > 0 and starts[j - 1] >= frame:
                j -= 1
            if labels[j] == label and (j + 1 == length or frame < starts[j + 1]):
                support[j] += mass
                j -= 1
            elif j > 0 and labels[j - 1] == label and frame < starts[j]:
                support[j - 1] += mass
                j -= 2
            node, mark = work.nodes[node, PARENT], work.marks[mark, 1]
    for i in range(length):
        support[i] = min(1.0, support[i] / total)


@inner(forceinline=False)
def read_line(
    logits: NDArray[np.float32],
    rules: Rules,
    language: Language,
    trie: Trie,
    first_context: int,
    end_label: int,
    work: Workspace,
    lengths: NDArray[np.int32],
    scores: NDArray[np.float64],
    characters: NDArray[np.int32],
    chances: NDArray[np.float32],
) -> None:
    """The best ``len(lengths)`` readings of a line; ``lengths`` is -1 where there are fewer, `BROKEN` if
    a frame is none that a network should give.

    ``characters`` is ``(k, 3, t)``, ``chances`` ``(k, 2, t)``: share in the span, support in the beam.
    """
    occupied, log_scale = search_line(logits, rules, language, trie, first_context, work)
    if occupied < 0:
        lengths[:] = BROKEN
        return
    close_line(work, rules, language, trie, occupied, end_label)
    for s in range(occupied):
        work.masses[TOTAL, s] = work.masses[NEXT_TOTAL, s]
        work.nodes[work.slots[NODE, s], SLOT] = -1
    for k in range(len(lengths)):
        slot = best_slot(work, occupied)
        if slot < 0:
            lengths[k] = -1
            continue
        scores[k] = math.log(work.masses[TOTAL, slot]) + log_scale
        work.masses[NEXT_TOTAL, slot] = -1.0
        length = write_characters(work, slot, characters[k])
        lengths[k] = length
        write_spans(logits, rules, work, length, characters[k], chances[k, 0])
        set_path(work, slot, length)
        write_support(work, occupied, length, characters[k], chances[k, 1])
        set_path(work, slot, np.int64(0))


@compiled
def read_lines(
    logits: NDArray[np.float32],
    lines: NDArray[np.int64],
    counts: NDArray[np.int64],
    levels: NDArray[np.float64],
    states: NDArray[np.void],
    arcs: NDArray[np.void],
    arc_symbols: NDArray[np.uint8],
    trie: NDArray[np.int32],
    symbols: NDArray[np.int32],
    integers: NDArray[np.int32],
    reals: NDArray[np.float64],
    flags: NDArray[np.uint8],
    lengths: NDArray[np.int32],
    scores: NDArray[np.float64],
    characters: NDArray[np.int32],
    chances: NDArray[np.float32],
) -> None:
    """Read lines, each some rows of ``logits (rows, c)``: ``lines`` is ``(n, 2)``, first row and number of rows.

    Plain arrays and few of them, as taking one apart costs about as much as a frame. ``counts`` and ``levels`` hold
    the settings, ``integers``, ``reals`` and ``flags`` are scratch memory; `carrel.decode.arrays` lays all of them out.
    """
    blank, width, use_language, use_lexicon, first_context, longest = counts
    threshold, beam_threshold, scale, unknown, penalty = levels
    rules = Rules(
        blank,
        width,
        threshold,
        beam_threshold,
        scale,
        use_language != 0,
        unknown,
        use_lexicon != 0,
        penalty,
    )
    classes = logits.shape[1]
    language = Language(states, arcs, arc_symbols, symbols[0])
    dictionary = trie_of(trie, symbols[1])
    work = workspace_of(integers, reals, flags, width, classes, longest)
    for n in range(len(lines)):
        rows = logits[lines[n, 0] : lines[n, 0] + lines[n, 1]]
        read_line(
            rows,
            rules,
            language,
            dictionary,
            first_context,
            classes,
            work,
            lengths[n],
            scores[n],
            characters[n],
            chances[n],
        )


@inner(_nrt=True)
def trie_of(packed: NDArray[np.int32], symbols: NDArray[np.int32]) -> Trie:
    """Take a packed trie apart: number of states and arcs, firsts, ends, symbols, next states."""
    states, arcs = packed[0], packed[1]
    first = 2
    ends = first + states + 1
    arc_symbols = ends + states
    arc_next = arc_symbols + arcs
    return Trie(packed[first:ends], packed[arc_symbols:arc_next], packed[arc_next:], packed[ends:arc_symbols], symbols)


@inner(_nrt=True)
def workspace_of(
    integers: NDArray[np.int32],
    reals: NDArray[np.float64],
    flags: NDArray[np.uint8],
    width: int,
    classes: int,
    longest: int,
) -> Workspace:
    """Lay scratch memory out for lines of up to ``longest`` frames; `carrel.decode.arrays` knows the sizes."""
    nodes = 1 + width * longest
    pairs = width * classes
    a = 7 * nodes
    b = a + 4 * (nodes - 1)
    c = b + 4 * width
    d = c + 7 * pairs
    e = nodes + 7 * width
    f = e + 2 * pairs
    g = f + classes
    padded = (classes + PADDING - 1) // PADDING * PADDING
    return Workspace(
        integers[:a].reshape((nodes, 7)),
        reals[:nodes],
        integers[a:b].reshape((2 * (nodes - 1), 2)),
        reals[nodes:e].reshape((7, width)),
        integers[b:c].reshape((4, width)),
        reals[e:f].reshape((2, pairs)),
        integers[c:d].reshape((7, pairs)),
        flags[padded : padded + pairs],
        reals[f:g],
        integers[d : d + classes],
        integers[d + classes : d + 2 * classes],
        flags[:padded],
        integers[d + 2 * classes : d + 3 * classes].view(np.float32),
        reals[g : g + 3],
        reals[g : g + 3].view(np.int64),
        reals[g + 3 : g + 3 + 2 * longest].reshape((2, longest)),
    )


def warm_up() -> None:
    """Compile the search, or take it from the cache, for the types that `carrel.decode.beam` passes."""
    read_lines.compile(signature())


def signature() -> tuple[Any, ...]:
    """Types of the arguments of `read_lines`: C-ordered, writable arrays."""
    integers, longs = types.Array(types.int32, 1, "C"), types.Array(types.int64, 1, "C")
    reals, bytes_ = types.Array(types.float64, 1, "C"), types.Array(types.uint8, 1, "C")
    return (
        types.Array(types.float32, 2, "C"),
        types.Array(types.int64, 2, "C"),
        longs,
        reals,
        types.Array(from_dtype(STATE), 1, "C"),
        types.Array(from_dtype(ARC), 1, "C"),
        bytes_,
        integers,
        types.Array(types.int32, 2, "C"),
        integers,
        reals,
        bytes_,
        types.Array(types.int32, 2, "C"),
        types.Array(types.float64, 2, "C"),
        types.Array(types.int32, 4, "C"),
        types.Array(types.float32, 4, "C"),
    )
