"""Edit distance with unit costs, counted with whole numbers of any size as bit vectors.

A row of the distance table changes by -1, 0 or 1 from cell to cell; Python's integers hold all these changes of a
column at once, so a text of n characters against one of m takes m steps of n/64 words (Myers, 10.1145/316542.316550;
Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", 2003).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def distance(ground_truth: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> int:
    """Return fewest insertions, deletions and substitutions that turn ``ground_truth`` into ``hypothesis``."""
    start, end_ground_truth, end_hypothesis = _differing_part(ground_truth, hypothesis)
    ground_truth, hypothesis = ground_truth[start:end_ground_truth], hypothesis[start:end_hypothesis]
    if not ground_truth or not hypothesis:
        return len(ground_truth) + len(hypothesis)
    return _bit_vector_distance(ground_truth, hypothesis)


def character_errors(ground_truth: str, hypothesis: str) -> int:
    """Return wrong, missing and extra code points; the numerator of the character error rate."""
    return distance(ground_truth, hypothesis)


def word_errors(ground_truth: str, hypothesis: str) -> int:
    """Return wrong, missing and extra words, words being what white space separates."""
    return distance(ground_truth.split(), hypothesis.split())


def _differing_part(ground_truth: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> tuple[int, int, int]:
    """Where both begin to differ, and where each one's common end begins."""
    start, shorter = 0, min(len(ground_truth), len(hypothesis))
    while start < shorter and ground_truth[start] == hypothesis[start]:
        start += 1
    end = 0
    while end < shorter - start and ground_truth[-1 - end] == hypothesis[-1 - end]:
        end += 1
    return start, len(ground_truth) - end, len(hypothesis) - end


def _bit_vector_distance(ground_truth: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> int:
    matches: dict[Hashable, int] = {}
    for index, item in enumerate(ground_truth):
        matches[item] = matches.get(item, 0) | (1 << index)
    full, last = (1 << len(ground_truth)) - 1, 1 << (len(ground_truth) - 1)
    rises, falls, score = full, 0, len(ground_truth)  # down the current column
    for item in hypothesis:
        match = matches.get(item, 0)
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        right_rises, right_falls = falls | (full & ~(diagonal | rises)), diagonal & rises
        score += bool(right_rises & last) - bool(right_falls & last)
        right_rises, right_falls = (right_rises << 1) | 1, right_falls << 1
        rises, falls = (right_falls | ~(diagonal | right_rises)) & full, right_rises & diagonal & full
    return score


def align(ground_truth: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[tuple[int | None, int | None]]:
    """Return one cheapest alignment, as pairs of positions; None stands for a missing or an extra item.

    Where several are cheapest, matches and substitutions are preferred to missing items, those to extra ones, from the
    end backwards. Takes len(ground_truth) * len(hypothesis) * 4 bytes.
    """
    start, end_ground_truth, end_hypothesis = _differing_part(ground_truth, hypothesis)
    table = _distance_table(ground_truth[start:end_ground_truth], hypothesis[start:end_hypothesis])
    backwards: list[tuple[int | None, int | None]] = []
    row, column = len(table) - 1, len(table[0]) - 1
    while row or column:
        diagonal = (
            row
            and column
            and table[row, column]
            == table[row - 1, column - 1] + (ground_truth[start + row - 1] != hypothesis[start + column - 1])
        )
        if diagonal:
            row, column = row - 1, column - 1
            backwards.append((start + row, start + column))
        elif row and table[row, column] == table[row - 1, column] + 1:
            row -= 1
            backwards.append((start + row, None))
        else:
            column -= 1
            backwards.append((None, start + column))
    same_end = zip(range(end_ground_truth, len(ground_truth)), range(end_hypothesis, len(hypothesis)), strict=True)
    return [*((index, index) for index in range(start)), *reversed(backwards), *same_end]


def _distance_table(ground_truth: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> NDArray[np.int32]:
    """Distances of all beginnings, (len(ground_truth) + 1, len(hypothesis) + 1)."""
    numbers: dict[Hashable, int] = {}
    left = np.array([numbers.setdefault(item, len(numbers)) for item in ground_truth], dtype=np.int32)
    right = np.array([numbers.setdefault(item, len(numbers)) for item in hypothesis], dtype=np.int32)
    steps = np.arange(len(right) + 1, dtype=np.int32)
    table = np.empty((len(left) + 1, len(right) + 1), dtype=np.int32)
    table[0] = steps
    for row, item in enumerate(left, 1):
        table[row] = table[row - 1] + 1
        np.minimum(table[row, 1:], table[row - 1, :-1] + (right != item), out=table[row, 1:])
        # extra items: a running minimum, as if each step to the right cost nothing
        table[row] = np.minimum.accumulate(table[row] - steps) + steps
    return table
