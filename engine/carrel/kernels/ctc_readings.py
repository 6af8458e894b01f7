"""Results of the search, written out: characters with places and probabilities. Compiled, unchecked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import array_at, arrays_at, inner
from carrel.kernels.ctc_context import language_step, word_end
from carrel.kernels.ctc_frames import LOG2_E, within_scales
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
    search_line,
)
from carrel.kernels.records import (
    BROKEN,
    HYPHENED,
    LINE,
    MEMO_BITS,
    MEMORY,
    NONE,
    SETTINGS,
    Language,
    Lexicon,
    Results,
    Workspace,
)

# rows of `characters`
LABELS, STARTS, ENDS = range(3)
MOST_CALLS = 1 << 19
"""Numbers of calls go into the keys of the memo."""


@inner
def close_line(
    work: Workspace, rules: Rules, language: Language, lexicon: Lexicon, occupied: int, end_label: int
) -> float:
    """Multiply the factors of ending the line into ``masses[NEXT_TOTAL]``. Returns the sum of these."""
    total = 0.0
    for s in range(occupied):
        node = work.slots[NODE, s]
        mass = work.masses[TOTAL, s]
        if rules.use_language and end_label >= 0:
            mass *= language_step(language, np.int64(work.nodes[node, CONTEXT]), end_label, rules.unknown)[0]
        if rules.use_lexicon:
            mass *= last_word_end(lexicon, rules, np.int64(work.nodes[node, WORD]))
        work.masses[NEXT_TOTAL, s] = mass
        total += mass
    return total


@inner
def last_word_end(lexicon: Lexicon, rules: Rules, node: int) -> float:
    """Return `word_end` at the line's end, where a word may go on in the next line."""
    return 1.0 if rules.open_ends or node == HYPHENED else word_end(lexicon, node, rules.penalty)


@inner
def best_slot(work: Workspace, occupied: int) -> int:
    """Return slot of the largest mass not yet taken (taken ones are negative); -1 if none is above 0."""
    best, best_mass = -1, 0.0
    for s in range(occupied):
        if work.masses[NEXT_TOTAL, s] > best_mass:
            best, best_mass = s, work.masses[NEXT_TOTAL, s]
    return best


@inner
def write_characters(work: Workspace, slot: int, characters: NDArray[np.int32]) -> int:
    """Return classes and first frames of the prefix in ``slot``. Returns how many characters it has."""
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
    """Write the ends of the characters, and what share of the mass of all characters in its span each has.

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
    """Write for each character the mass of the readings in the beam that have it too: the same class between its neighbours."""
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
    """Return the reading in ``slot``. Returns its length and its confidence, the mean of the ``probabilities``."""
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
    lexicon: Lexicon,
    first_context: int,
    first_node: int,
    work: Workspace,
    readings: NDArray[np.void],
    characters: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    used: int,
) -> int:
    """Return the best ``len(readings)`` readings of a line. Their characters go behind the ``used`` ones; returns how many are
    used then."""
    occupied, log_scale = search_line(logits, rules, language, lexicon, first_context, first_node, work)
    for reading in readings:
        reading.length = BROKEN if occupied < 0 else NONE  # type: ignore[attr-defined]
    if occupied < 0:
        return used
    close_line(work, rules, language, lexicon, occupied, logits.shape[1])
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
def begin_call(memory: Any, work: Workspace) -> int:
    """Number the call: steps that the memo holds may be those of another language model, and carry an older number."""
    memory.calls += 1
    if memory.calls == MOST_CALLS:
        memory.calls = 1
        for place in range(1 << MEMO_BITS):
            work.memo[place].key = 0  # type: ignore[attr-defined]
    return np.int64(memory.calls << 44)  # type: ignore[return-value]


def read_lines(at_settings: int, at_memory: int, at_lines: int, count: int) -> None:
    """Read ``count`` lines; at the addresses lie `SETTINGS`, `MEMORY` and records `LINE`."""
    s = array_at(at_settings, (1,), SETTINGS)[0]
    m = array_at(at_memory, (1,), MEMORY)[0]
    language = arrays_at(s.at_language, s.at_sizes, Language)
    lexicon = arrays_at(s.at_lexicon, s.at_sizes, Lexicon)
    work = arrays_at(m.at_workspace, m.at_sizes, Workspace)
    results = arrays_at(m.at_results, m.at_sizes, Results)
    rules = Rules(
        s.blank,
        s.width,
        s.threshold,
        s.beam_threshold,
        within_scales(s.scale),
        s.use_language != 0,
        s.unknown,
        s.use_lexicon != 0,
        s.penalty,
        s.open_ends != 0,
        s.normalized != 0,
        begin_call(m, work),
    )
    lines = array_at(at_lines, (count,), LINE)
    used = np.int64(0)
    for n in range(count):
        used = read_line(
            array_at(lines[n].rows, (lines[n].frames, s.classes), np.float32),
            rules,
            language,
            lexicon,
            s.first_context,
            s.first_node,
            work,
            results.readings[n],
            results.characters,
            results.certainties,
            used,
        )
