"""CTC prefix beam search over a batch of lines. Compiled, unchecked; `carrel.decode.beam` is the checked way in.

Masses are float64 probabilities, rescaled when they get small: no logarithm in the inner loop. The beam is a set of
fixed slots: survivors stay where they are, newcomers take the slots of the evicted. Prefixes are nodes of a trie, one
per text, so that a text cannot stand in the beam twice. After A. Hannun et al., "First-pass large vocabulary
continuous speech recognition using bi-directional recurrent DNNs", arXiv:1408.2873.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.kernels.compiled import inner
from carrel.kernels.ctc_context import language_step, within_factors, word_step
from carrel.kernels.ctc_frames import candidates_of, candidates_of_shares, next_offset
from carrel.kernels.records import BROKEN, LINK, MEMO_BITS, PADDING, Language, Lexicon, Workspace
from carrel.kernels.vectors import count_reaching, lowest_bit, prefetch, reaching_bits

# columns of `nodes`
PARENT, LABEL, CHILD, SIBLING, SLOT, CONTEXT, WORD = range(7)
# rows of `masses`: of the prefix ending in a blank, in its last character, both; the same after the frame; the most that
# the prefix and one more character could have, but for the character's probability; the largest factor of that character
BLANK, CHARACTER, TOTAL, NEXT_BLANK, NEXT_CHARACTER, NEXT_TOTAL, BOUND, CEILING = range(8)
# rows of `slots`
NODE, MARK, NEXT_MARK, FREE = range(4)
# rows of `origins`
FROM, BY, TO_CONTEXT, TO_WORD, TO_NODE, TO_MARK, PAIR, KEPT = range(8)
MANY = 8
"""New prefixes, after which it is worth a look at how many masses are larger than the least so far."""
BOUND_MARGIN = 1.0 + 1e-6
"""Bounds are of scores that were rounded, and steps are remembered in single precision."""
TINY = 2.0**-1022
SMALLEST, LARGEST = 1e-60, 1e60
"""Masses are rescaled when the best is outside: a frame changes it by less than what double precision has room for."""


class Rules(NamedTuple):
    """Settings of the search: `SETTINGS` in the kernel's terms."""

    blank: int
    width: int
    threshold: float
    beam_threshold: float
    scale: float
    use_language: bool
    unknown: float
    use_lexicon: bool
    penalty: float
    open_ends: bool
    normalized: bool  # probabilities, no logits
    memo_key: int  # the call's part of the keys in the memo


@inner
def language_step_again(work: Workspace, rules: Rules, language: Language, state: int, label: int) -> tuple[float, int]:
    """Return `language_step`, remembered: a prefix that stays is extended by the same few characters frame after frame."""
    key = rules.memo_key | np.int64(state << 20 | label)
    place = np.int64(np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - MEMO_BITS))
    record: Any = work.memo[place]
    if record.key != key:
        factor, after = language_step(language, state, label, rules.unknown)
        record.key, record.factor, record.next = key, factor, after
        prefetch(language.states, np.int64(after))
    return record.factor, np.int64(record.next)  # type: ignore[return-value]


@inner
def step(
    work: Workspace, rules: Rules, language: Language, lexicon: Lexicon, context: int, word: int, label: int
) -> tuple[float, int, int]:
    """Return factor of a character after a prefix, and the prefix's states after it."""
    factor = 1.0
    if rules.use_language:
        factor, context = language_step_again(work, rules, language, context, label)
    if rules.use_lexicon:
        word_factor, word = word_step(lexicon, word, label, rules.penalty)
        factor *= word_factor
    return factor, context, word


@inner
def choose_tries(work: Workspace, blank: int, count: int, least: float) -> np.int64:
    """List the candidates of at least this probability, other than the blank, most probable first. Returns how many.

    By insertion: there are few.
    """
    tries, chances = work.tries, work.try_chances
    chosen = np.int64(0)
    for k in range(count):
        label = work.candidates[k]
        probability = work.probabilities[label]
        if label == blank or probability < least:
            continue
        j = chosen
        while j > 0 and chances[j - 1] < probability:
            tries[j], chances[j] = tries[j - 1], chances[j - 1]
            j -= 1
        tries[j], chances[j] = label, probability
        chosen += 1
    return chosen


@inner
def stay(
    work: Workspace, rules: Rules, occupied: int, frame: int, marks: int
) -> tuple[np.int64, int, float, float, float]:
    """Return masses of the prefixes that stay: by a blank, by a repeat, and by the last character added to a parent in the beam.

    Pairs of slot and character that make such a prefix are noted in ``taken`` (and listed in ``origins[PAIR]``).
    Returns the numbers of pairs and marks, the best and the smallest mass, and the largest bound for new prefixes.
    """
    nodes, q, pool = work.nodes, work.probabilities, work.pool
    blanks, characters, totals = work.masses[BLANK], work.masses[CHARACTER], work.masses[TOTAL]
    next_blanks, next_characters = work.masses[NEXT_BLANK], work.masses[NEXT_CHARACTER]
    bounds, ceilings = work.masses[BOUND], work.masses[CEILING]
    slot_nodes, slot_marks, next_marks = work.slots[NODE], work.slots[MARK], work.slots[NEXT_MARK]
    classes = len(q)
    q_blank = q[rules.blank]
    pairs = np.int64(0)
    best, smallest, widest = 0.0, np.inf, 0.0
    for s in range(occupied):
        node = slot_nodes[s]
        label = nodes[node, LABEL]
        by_blank = totals[s] * q_blank
        by_character = 0.0
        next_marks[s] = slot_marks[s]
        if label >= 0 and q[label] > 0.0:
            by_character = characters[s] * q[label]
            parent = nodes[nodes[node, PARENT], SLOT]
            if parent >= 0:
                repeat = nodes[slot_nodes[parent], LABEL] == label
                source = blanks[parent] if repeat else totals[parent]
                merged = source * q[label] * work.factors[node]
                work.taken[parent * classes + label] = 1
                work.origins[PAIR, pairs] = parent * classes + label
                pairs += 1
                if merged > by_blank + by_character:
                    work.marks[marks, 0] = frame
                    work.marks[marks, 1] = slot_marks[parent]
                    next_marks[s] = marks
                    marks += 1
                by_character += merged
        total = by_blank + by_character
        next_blanks[s] = by_blank
        next_characters[s] = by_character
        pool[s] = total
        best = max(best, total)
        smallest = min(smallest, total)
        bound = totals[s] * ceilings[s]
        bounds[s] = bound
        widest = max(widest, bound)
    return pairs, marks, best, smallest, widest


@inner
def level_of_best(work: Workspace, count: int, width: int, low: float, high: float) -> tuple[float, float]:
    """Return levels that split the ``width`` best masses of the ``pool`` off: all that reach the second, and of those that only
    reach the first (exact ties) as many as there is room for. More than ``width`` reach ``low``, none is above ``high``.

    Bisection on the bits of positive doubles, which are ordered as their values are.
    """
    levels, bits = work.levels, work.levels.view(np.int64)
    levels[0], levels[1] = low, high
    bits[1] += 1
    while bits[1] - bits[0] > 1:
        bits[2] = bits[0] + ((bits[1] - bits[0]) >> 1)
        reached = count_reaching(work.pool, count, levels[2])
        if reached == width:
            return levels[2], levels[2]
        if reached < width:
            bits[1] = bits[2]
        else:
            bits[0] = bits[2]
    return levels[0], levels[1]


@inner
def extend(
    work: Workspace,
    rules: Rules,
    language: Language,
    lexicon: Lexicon,
    occupied: int,
    count: int,
    cut: float,
    widest: float,
    best: float,
) -> tuple[int, float, float]:
    """Return new prefixes with a mass of at least ``cut`` by the first ``count`` of ``tries``. Returns their number, the best mass
    of the ``pool`` and the cut, which rises with the masses found: it never exceeds the smallest of the ``width`` best.
    """
    chances, bounds = work.try_chances, work.masses[BOUND]
    extensions, seen = np.int64(0), np.int64(0)
    for k in range(count):
        if widest * chances[k] < cut:
            break
        if extensions - seen >= MANY and occupied + extensions > rules.width:
            cut = max(cut, best * rules.beam_threshold, TINY)
            if count_reaching(work.pool, occupied + extensions, cut) > rules.width:
                cut = level_of_best(work, occupied + extensions, rules.width, cut, best)[0]
            seen = extensions
        # the margin is for rounding: division and multiplication must not disagree about what is just enough
        least = cut / chances[k] * (1.0 - 1e-9)
        for place in range(0, occupied, PADDING):
            some = reaching_bits(bounds, place, least)
            while some != 0:
                s = place + lowest_bit(some)
                some &= some - 1
                if s >= occupied:
                    break
                mass = extend_slot(work, rules, language, lexicon, s, k, cut, occupied + extensions, extensions)
                if mass >= cut and mass > 0.0:
                    extensions += 1
                    best = max(best, mass)
    return extensions, best, cut  # type: ignore[return-value]


@inner
def extend_slot(
    work: Workspace,
    rules: Rules,
    language: Language,
    lexicon: Lexicon,
    s: int,
    k: int,
    cut: float,
    place: int,
    e: int,
) -> float:
    """Note the prefix in slot ``s`` with the character ``tries[k]`` as extension ``e``, its mass at ``place`` in the pool.
    Returns the mass, 0 where it is not looked into."""
    label = np.int64(work.tries[k])
    if work.taken[s * len(work.probabilities) + label]:
        return 0.0
    node = np.int64(work.slots[NODE, s])
    repeat = label == work.nodes[node, LABEL]
    mass = (work.masses[BLANK, s] if repeat else work.masses[TOTAL, s]) * work.try_chances[k]
    factor = 1.0
    if rules.use_language or rules.use_lexicon:
        if mass * work.masses[CEILING, s] < cut or mass == 0.0:
            return 0.0
        context, word = np.int64(work.nodes[node, CONTEXT]), np.int64(work.nodes[node, WORD])
        factor, context, word = step(work, rules, language, lexicon, context, word, label)
        mass *= factor
        work.origins[TO_CONTEXT, e], work.origins[TO_WORD, e] = context, word
    work.pool[place] = mass
    work.extensions[e] = factor
    work.origins[FROM, e], work.origins[BY, e] = s, label
    return mass


@inner
def child_of(work: Workspace, node: int, label: int, nodes: int) -> int:
    """Return the node of a prefix and one more character; ``nodes``, the number there are, if it has to be made."""
    child = work.nodes[node, CHILD]
    while child >= 0:
        if work.nodes[child, LABEL] == label:
            return child
        child = work.nodes[child, SIBLING]
    return nodes


@inner
def keep_stays(work: Workspace, occupied: int, tie: float, level: float, room: int) -> tuple[int, int]:
    """Carry over the masses of the prefixes that reach ``level``, and up to ``room`` that reach ``tie``; free the other
    slots. Returns how many were freed and the room left."""
    blanks, characters, totals = work.masses[BLANK], work.masses[CHARACTER], work.masses[TOTAL]
    next_blanks, next_characters = work.masses[NEXT_BLANK], work.masses[NEXT_CHARACTER]
    slots, slot_marks, next_marks, frees = work.slots[NODE], work.slots[MARK], work.slots[NEXT_MARK], work.slots[FREE]
    free = np.int64(0)
    for s in range(occupied):
        total = work.pool[s]
        kept = total >= level
        if not kept and room > 0 and total >= tie:
            kept = True
            room -= 1
        if kept:
            blanks[s] = next_blanks[s]
            characters[s] = next_characters[s]
            totals[s] = total
            slot_marks[s] = next_marks[s]
        else:
            work.nodes[slots[s], SLOT] = -1
            totals[s] = -1.0
            frees[free] = s
            free += 1
    return free, room  # type: ignore[return-value]


@inner
def keep_extensions(work: Workspace, occupied: int, extensions: int, tie: float, level: float, room: int) -> np.int64:
    """List the extensions that reach ``level``, and up to ``room`` that reach ``tie``, with the node and mark they come
    from; the slots of these must not have been touched yet. Returns how many there are."""
    origins = work.origins
    kept = np.int64(0)
    for place in range(0, extensions, PADDING):
        some = reaching_bits(work.pool, occupied + place, tie)
        while some != 0:
            e = place + lowest_bit(some)
            some &= some - 1
            if e >= extensions:
                break
            if work.pool[occupied + e] < level:
                if room == 0:
                    continue
                room -= 1
            s = origins[FROM, e]
            origins[KEPT, kept] = e
            origins[TO_NODE, kept] = work.slots[NODE, s]
            origins[TO_MARK, kept] = work.slots[MARK, s]
            kept += 1
    return kept


@inner
def new_node(work: Workspace, fused: bool, node: int, parent: int, label: int, e: int) -> None:
    """Make the node of extension ``e``: a child of ``parent``."""
    record = work.nodes[node]
    record[PARENT], record[LABEL] = parent, label
    record[CHILD], record[SIBLING] = -1, work.nodes[parent, CHILD]
    if fused:
        record[CONTEXT], record[WORD] = work.origins[TO_CONTEXT, e], work.origins[TO_WORD, e]
    work.nodes[parent, CHILD] = node
    work.factors[node] = work.extensions[e]


@inner
def settle(
    work: Workspace,
    rules: Rules,
    language: Language,
    kept: int,
    free: int,
    occupied: int,
    nodes: int,
    marks: int,
    frame: int,
) -> tuple[int, int, int]:
    """Give the newcomers slots, freed ones first. Returns the numbers of occupied slots, nodes and marks."""
    masses, slots, origins = work.masses, work.slots, work.origins
    stays = occupied
    fused = rules.use_language or rules.use_lexicon
    for k in range(kept):
        e = np.int64(origins[KEPT, k])
        if free > 0:
            free -= 1
            s = slots[FREE, free]
        elif occupied < rules.width:
            s = occupied
            occupied += 1
        else:
            break  # whatever the masses were, there is no slot beyond the last
        parent, label = np.int64(origins[TO_NODE, k]), np.int64(origins[BY, e])
        node = child_of(work, parent, label, nodes)
        if node == nodes:
            new_node(work, fused, node, parent, label, e)
            nodes += 1
        work.nodes[node, SLOT] = s
        work.marks[marks, 0] = frame
        work.marks[marks, 1] = origins[TO_MARK, k]
        slots[NODE, s], slots[MARK, s] = node, marks
        marks += 1
        mass = work.pool[stays + e]
        masses[BLANK, s], masses[CHARACTER, s], masses[TOTAL, s] = 0.0, mass, mass
        masses[CEILING, s] = ceiling_of(rules, language, np.int64(work.nodes[node, CONTEXT]))
    if free > 0:
        occupied = close_gaps(work, free, occupied)
    return occupied, nodes, marks


@inner
def ceiling_of(rules: Rules, language: Language, context: int) -> float:
    """Return the largest factor of a character in a state of the language model, whose n-grams will be looked at next."""
    if not rules.use_language:
        return 1.0
    record: Any = language.states[context]
    first = np.int64(record.first) & LINK
    prefetch(language.arc_symbols, first)
    prefetch(language.arcs, first)
    return max(within_factors(language.scores[record.bound]), within_factors(rules.unknown)) * BOUND_MARGIN


@inner
def close_gaps(work: Workspace, free: int, occupied: int) -> int:
    """Move the last prefixes into the slots still free. Returns the number of occupied slots."""
    masses, slots = work.masses, work.slots
    for f in range(free):
        gap = slots[FREE, f]
        while occupied > 0 and masses[TOTAL, occupied - 1] < 0.0:
            occupied -= 1
        if gap < occupied:
            last = occupied - 1
            masses[BLANK, gap], masses[CHARACTER, gap] = masses[BLANK, last], masses[CHARACTER, last]
            masses[TOTAL, gap], masses[CEILING, gap] = masses[TOTAL, last], masses[CEILING, last]
            slots[NODE, gap], slots[MARK, gap] = slots[NODE, last], slots[MARK, last]
            work.nodes[slots[NODE, gap], SLOT] = gap
            masses[TOTAL, last] = -1.0
            occupied = last
    return occupied


@inner
def advance(
    work: Workspace,
    rules: Rules,
    language: Language,
    lexicon: Lexicon,
    count: int,
    occupied: int,
    nodes: int,
    marks: int,
    frame: int,
) -> tuple[int, int, int, float]:
    """Return one frame with ``count`` candidates. Returns the numbers of occupied slots, nodes and marks, and the best mass."""
    pairs, marks, best, smallest, widest = stay(work, rules, occupied, frame, marks)
    cut = smallest if occupied == rules.width else 0.0
    cut = max(cut, best * rules.beam_threshold)
    # the margin is for rounding: division and multiplication must not disagree about the very best
    tries = choose_tries(work, rules.blank, count, cut / widest * (1.0 - 1e-9) if widest > 0.0 else np.inf)
    extensions, best, cut = extend(work, rules, language, lexicon, occupied, tries, cut, widest, best)
    for pair in range(pairs):
        work.taken[work.origins[PAIR, pair]] = 0
    level = max(best * rules.beam_threshold, cut, TINY)
    tie = level
    room = room_for_new = np.int64(0)
    together = occupied + extensions
    if count_reaching(work.pool, together, level) > rules.width:
        tie, level = level_of_best(work, together, rules.width, level, best)
        if tie < level:  # ties among the old come first
            room = rules.width - count_reaching(work.pool, together, level)
            old = count_reaching(work.pool, occupied, tie) - count_reaching(work.pool, occupied, level)
            room_for_new = max(np.int64(0), room - old)
    # gathers what it needs from the slots, so it must come before they are written
    kept = keep_extensions(work, occupied, extensions, tie, level, room_for_new)
    free, room = keep_stays(work, occupied, tie, level, room)
    occupied, nodes, marks = settle(work, rules, language, kept, free, occupied, nodes, marks, frame)
    return occupied, nodes, marks, best


@inner
def rescale(work: Workspace, occupied: int, factor: float) -> None:
    """Multiply all masses."""
    for s in range(occupied):
        work.masses[BLANK, s] *= factor
        work.masses[CHARACTER, s] *= factor
        work.masses[TOTAL, s] *= factor


@inner
def fold(work: Workspace, occupied: int) -> None:
    """Let a blank follow every prefix (of the probability 1)."""
    for s in range(occupied):
        work.masses[BLANK, s] = work.masses[TOTAL, s]
        work.masses[CHARACTER, s] = 0.0


@inner
def start(work: Workspace) -> None:
    """Start with the empty prefix in the beam."""
    root = work.nodes[0]
    root[PARENT], root[LABEL], root[CHILD], root[SIBLING] = -1, -1, -1, -1
    root[SLOT], root[CONTEXT], root[WORD] = 0, 0, 0
    work.factors[0] = 1.0
    work.masses[BLANK, 0], work.masses[CHARACTER, 0], work.masses[TOTAL, 0] = 1.0, 0.0, 1.0
    work.slots[NODE, 0], work.slots[MARK, 0] = 0, -1


@inner
def search_line(
    logits: NDArray[np.float32],
    rules: Rules,
    language: Language,
    lexicon: Lexicon,
    first_context: int,
    first_node: int,
    work: Workspace,
) -> tuple[int, float]:
    """Search one line ``(t, c)``. Returns the number of occupied slots and the logarithm their masses are scaled by.

    At a frame that no network should give, the search ends with `BROKEN` and the number of the frame.
    """
    start(work)
    work.nodes[0, CONTEXT], work.nodes[0, WORD] = first_context, first_node
    work.masses[CEILING, 0] = ceiling_of(rules, language, first_context)
    bits = logits.view(np.int32)
    occupied, nodes, marks = np.int64(1), np.int64(1), np.int64(0)  # literals would compile everything below twice
    log_scale, by_blanks = 0.0, 1.0
    after_blank = False
    following = np.float64(0.0)
    for t in range(len(logits)):
        if rules.normalized:
            offset = 0.0
            count, mass = candidates_of_shares(
                logits[t], rules.threshold, work.powers, work.probabilities, work.candidates
            )
        else:
            count, offset, mass = candidates_of(
                logits[t],
                bits[t],
                rules.scale,
                following,
                rules.threshold,
                work.powers,
                work.probabilities,
                work.candidates,
            )
        if count == 0:
            return BROKEN, np.float64(t)
        following = next_offset(offset, mass)
        inverse = 1.0 / mass
        work.frames[0, t], work.frames[1, t], work.frames[2, t] = offset, inverse, work.powers[rules.blank] * inverse
        if count == 1 and work.candidates[0] == rules.blank:
            if not after_blank:
                fold(work, occupied)
                after_blank = True
            by_blanks *= work.probabilities[rules.blank]
            if by_blanks < SMALLEST:
                log_scale += math.log(by_blanks)
                by_blanks = 1.0
        else:
            after_blank = False
            occupied, nodes, marks, best = advance(work, rules, language, lexicon, count, occupied, nodes, marks, t)
            if not SMALLEST <= best <= LARGEST and best > 0.0:
                rescale(work, occupied, 1.0 / best)
                log_scale += math.log(best)
        for k in range(count):
            work.probabilities[work.candidates[k]] = 0.0
    return occupied, log_scale + math.log(by_blanks)  # type: ignore[return-value]
