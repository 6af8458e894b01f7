"""What the search found, written out: characters with places and probabilities. Compiled, unchecked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import array_at, inner
from carrel.kernels.ctc_context import Language, Trie, language_step, trie_end
from carrel.kernels.ctc_frames import LOG2_E
from carrel.kernels.ctc_search import (
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
from carrel.kernels.records import ARC, BROKEN, LINE, MEMO, MEMO_BITS, MEMORY, NONE, PADDING, READING, SETTINGS, STATE

# rows of `characters`
LABELS, STARTS, ENDS = range(3)
MOST_CALLS = 1 << 19
"""Numbers of calls go into the keys of the memo."""


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
    shares: NDArray[np.float64],
) -> None:
    """Ends of the characters, and what share of the mass of all characters in its span each has.

    The span reaches to the first frame of the next character; the end is where the blank takes over from the peak on.
    """
    for i in range(length):
        label, first = characters[LABELS, i], characters[STARTS, i]
        after = characters[STARTS, i + 1] if i + 1 < length else len(logits)
        own, others, highest = 0.0, 0.0, 0.0
        end = first + 1
        held = False
        for t in range(first, after):
            p = np.float64(logits[t, label])
            if not rules.normalized:
                p = math.exp((p * rules.scale - work.frames[0, t]) / LOG2_E)
            p *= work.frames[1, t]
            blank = work.frames[2, t]
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
    work: Workspace, occupied: int, length: int, characters: NDArray[np.int32], support: NDArray[np.float64]
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


@inner
def write_reading(
    logits: NDArray[np.float32],
    rules: Rules,
    work: Workspace,
    slot: int,
    occupied: int,
    characters: NDArray[np.int32],
    probabilities: NDArray[np.float64],
) -> tuple[int, float]:
    """The reading in ``slot``. Returns its length and its confidence, the mean of the ``probabilities``."""
    length = write_characters(work, slot, characters)
    write_spans(logits, rules, work, length, characters, work.chances[0])
    set_path(work, slot, length)
    write_support(work, occupied, length, characters, work.chances[1])
    set_path(work, slot, np.int64(0))
    total = 0.0
    for i in range(length):
        # what the network says of the place and what the readings agree on: their mean tells right from wrong best
        probabilities[i] = 0.5 * (work.chances[0, i] + work.chances[1, i])
        total += probabilities[i]
    return length, total / max(length, 1)


@inner
def read_line(
    logits: NDArray[np.float32],
    rules: Rules,
    language: Language,
    trie: Trie,
    first_context: int,
    work: Workspace,
    readings: NDArray[np.void],
    characters: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    used: int,
) -> int:
    """The best ``len(readings)`` readings of a line. Their characters go behind the ``used`` ones; returns how many are
    used then."""
    occupied, log_scale = search_line(logits, rules, language, trie, first_context, work)
    for reading in readings:
        reading.length = BROKEN if occupied < 0 else NONE  # type: ignore[attr-defined]
    if occupied < 0:
        return used
    close_line(work, rules, language, trie, occupied, logits.shape[1])
    for s in range(occupied):
        work.masses[TOTAL, s] = work.masses[NEXT_TOTAL, s]
        work.nodes[work.slots[NODE, s], SLOT] = -1
    for k in range(len(readings)):
        slot = best_slot(work, occupied)
        if slot < 0:
            break
        score = math.log(work.masses[TOTAL, slot]) + log_scale
        work.masses[NEXT_TOTAL, slot] = -1.0
        length, confidence = write_reading(
            logits, rules, work, slot, occupied, characters[:, used:], probabilities[used:]
        )
        readings[k].length = length  # type: ignore[attr-defined]
        readings[k].score = score  # type: ignore[attr-defined]
        readings[k].confidence = confidence if length > 0 else min(1.0, math.exp(score))  # type: ignore[attr-defined]
        used += length
    return used


@inner
def begin_call(memory: Any) -> None:
    """Number the call: steps that the memo holds may be those of another language model, and carry an older number."""
    memory.calls += 1
    if memory.calls == MOST_CALLS:
        memory.calls = 1
        memo = array_at(memory.at_memo, (1 << MEMO_BITS,), MEMO)
        for place in range(1 << MEMO_BITS):
            memo[place].key = 0  # type: ignore[attr-defined]


def read_lines(at_settings: int, at_memory: int, at_lines: int, count: int) -> None:
    """Read ``count`` lines; at the addresses lie `SETTINGS`, `MEMORY` and records `LINE`."""
    s = array_at(at_settings, (1,), SETTINGS)[0]
    m = array_at(at_memory, (1,), MEMORY)[0]
    begin_call(m)
    rules = Rules(
        s.blank,
        s.width,
        s.threshold,
        s.beam_threshold,
        s.scale,
        s.use_language != 0,
        s.unknown,
        s.use_lexicon != 0,
        s.penalty,
        s.normalized != 0,
    )
    language = Language(
        array_at(s.at_states, (s.states,), STATE),
        array_at(s.at_arcs, (s.arcs,), ARC),
        array_at(s.at_arc_symbols, (s.arcs,), np.uint8),
        array_at(s.at_language_symbols, (s.classes + 1,), np.int32),
    )
    trie = Trie(
        array_at(s.at_trie_first, (s.trie_states + 1,), np.int32),
        array_at(s.at_trie_symbols, (s.trie_arcs,), np.int32),
        array_at(s.at_trie_next, (s.trie_arcs,), np.int32),
        array_at(s.at_trie_ends, (s.trie_states,), np.int32),
        array_at(s.at_lexicon_symbols, (s.classes + 1,), np.int32),
    )
    pairs = s.width * s.classes
    nodes = 1 + s.width * m.longest
    padded = (s.classes + PADDING - 1) // PADDING * PADDING
    work = Workspace(
        array_at(m.at_nodes, (nodes, 7), np.int32),
        array_at(m.at_factors, (nodes,), np.float64),
        array_at(m.at_marks, (2 * nodes, 2), np.int32),
        array_at(m.at_masses, (8, s.width), np.float64),
        array_at(m.at_slots, (4, s.width), np.int32),
        array_at(m.at_pool, (s.width + pairs + PADDING,), np.float64),
        array_at(m.at_extensions, (pairs,), np.float64),
        array_at(m.at_origins, (8, pairs), np.int32),
        array_at(m.at_taken, (pairs,), np.uint8),
        array_at(m.at_probabilities, (s.classes,), np.float64),
        array_at(m.at_candidates, (s.classes,), np.int32),
        array_at(m.at_tries, (s.classes,), np.int32),
        array_at(m.at_try_chances, (s.classes,), np.float64),
        array_at(m.at_powers, (padded,), np.float32),
        array_at(m.at_levels, (3,), np.float64),
        array_at(m.at_levels, (3,), np.int64),
        array_at(m.at_frames, (3, m.longest), np.float64),
        array_at(m.at_memo, (1 << MEMO_BITS,), MEMO),
        np.int64(m.calls << 44),
        array_at(m.at_chances, (2, m.longest), np.float64),
    )
    readings = array_at(m.at_readings, (count, s.alternatives), READING)
    characters = array_at(m.at_characters, (3, m.room), np.int32)
    probabilities = array_at(m.at_certainties, (m.room,), np.float64)
    lines = array_at(at_lines, (count,), LINE)
    used = np.int64(0)
    for n in range(count):
        logits = array_at(lines[n].rows, (lines[n].frames, s.classes), np.float32)
        used = read_line(
            logits, rules, language, trie, s.first_context, work, readings[n], characters, probabilities, used
        )
