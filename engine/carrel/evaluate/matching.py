"""Matches of lines of the ground truth and of a hypothesis when segmentation or order differ.

With places, lines that run along each other belong together, a line cut in two or two lines run into one included.
Without, lines with similar text do: first those in the same order, then the rest wherever they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.evaluate.distance import character_errors
from carrel.evaluate.document import Document, TextLine
from carrel.page import Points

_SAMPLES = 24  # points along a baseline
_ALONG_SHARE = 0.5  # of one baseline that must run along the other
_TOLERANCE_HEIGHTS = 0.45  # of the ground truth line's height
_LEAST_TOLERANCE_PX = 5.0
_SIMILAR_IN_ORDER = 0.4
_SIMILAR_ANYWHERE = 0.6
Points2 = NDArray[np.float64]


class Match(NamedTuple):
    """Lines that belong together, as positions; one side empty: missed or extra."""

    ground_truth: tuple[int, ...]
    hypothesis: tuple[int, ...]


def match_lines(ground_truth: Document, hypothesis: Document) -> list[Match]:
    """Return every line of either side in exactly one match, in the ground truth's order, extra lines last."""
    placed = [line for document in (ground_truth, hypothesis) for line in document.lines if line.text]
    same_size = ground_truth.size_px is not None and ground_truth.size_px == hypothesis.size_px
    if same_size and all(len(line.baseline) > 1 for line in placed):
        links = _links_by_place(ground_truth.lines, hypothesis.lines)
    else:
        links = _links_by_text(ground_truth.lines, hypothesis.lines)
    return _grouped(len(ground_truth.lines), len(hypothesis.lines), links)


def lines_out_of_order(matches: list[Match]) -> int:
    """Return fewest lines of the hypothesis that would have to be moved to follow the ground truth's order."""
    starts = [min(match.hypothesis) for match in matches if match.ground_truth and match.hypothesis]
    tails: list[int] = []  # smallest end of an increasing run of each length
    for start in starts:
        place = int(np.searchsorted(tails, start))
        tails[place : place + 1] = [start]
    return len(starts) - len(tails)


def _grouped(ground_truths: int, hypotheses: int, links: list[tuple[int, int]]) -> list[Match]:
    """Connected components of the links."""
    owner = list(range(ground_truths + hypotheses))

    def root(index: int) -> int:
        while owner[index] != index:
            index = owner[index]
        return index

    for left, right in links:
        owner[root(ground_truths + right)] = root(left)
    members: dict[int, tuple[list[int], list[int]]] = {}
    for index in range(ground_truths + hypotheses):
        side = members.setdefault(root(index), ([], []))
        side[index >= ground_truths].append(index if index < ground_truths else index - ground_truths)
    matches = [Match(tuple(left), tuple(right)) for left, right in members.values()]
    return sorted(matches, key=lambda match: (not match.ground_truth, match.ground_truth or match.hypothesis))


def _links_by_place(ground_truth: Sequence[TextLine], hypothesis: Sequence[TextLine]) -> list[tuple[int, int]]:
    """Each line with the one on the other side that it runs along most, if it does for half of its length."""
    left = [(index, line) for index, line in enumerate(ground_truth) if len(line.baseline) > 1]
    right = [(index, line) for index, line in enumerate(hypothesis) if len(line.baseline) > 1]
    if not left or not right:
        return []
    along_ground_truth = np.zeros((len(left), len(right)))  # share of the hypothesis line along the ground truth line
    along_hypothesis = np.zeros_like(along_ground_truth)
    for row, (_, line) in enumerate(left):
        tolerance = _tolerance(line)
        for column, (_, other) in enumerate(right):
            along_ground_truth[row, column] = _share_near(other.baseline, line.baseline, tolerance)
            along_hypothesis[row, column] = _share_near(line.baseline, other.baseline, tolerance)
    links = {(int(row), column) for column, row in enumerate(along_ground_truth.argmax(0))}
    links = {(row, column) for row, column in links if along_ground_truth[row, column] >= _ALONG_SHARE}
    best = along_hypothesis.argmax(1)
    links |= {(row, int(column)) for row, column in enumerate(best) if along_hypothesis[row, column] >= _ALONG_SHARE}
    return [(left[row][0], right[column][0]) for row, column in sorted(links)]


def _tolerance(line: TextLine) -> float:
    """How far beside the baseline another still counts as the same line, in px."""
    height = height_of(np.array(line.baseline, float), np.array(line.polygon, float)) if line.polygon else 0.0
    return max(_TOLERANCE_HEIGHTS * height, _LEAST_TOLERANCE_PX)


def height_of(baseline: Points2, polygon: Points2) -> float:
    """Return the height of a line in px: the area of its polygon (n, 2) by the length of its baseline (m, 2)."""
    length = float(np.hypot(*np.diff(baseline, axis=0).T).sum())
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2 / max(length, 1.0)


def _share_near(baseline: Points, other: Points, tolerance: float) -> float:
    """Share of ``baseline`` that lies within ``tolerance`` px of ``other``."""
    points, line = sampled(np.array(baseline, float)), np.array(other, dtype=float)
    low, high = line.min(0) - tolerance, line.max(0) + tolerance
    near = ((points >= low) & (points <= high)).all(1)
    if not near.any():
        return 0.0
    return float((distances(points[near], line) <= tolerance).sum()) / _SAMPLES


def sampled(points: Points2, count: int = _SAMPLES) -> Points2:
    """Return points at equal steps along a baseline (n, 2), float64 ``(count, 2)``."""
    along = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    steps = np.linspace(0, along[-1], count)
    return np.stack([np.interp(steps, along, points[:, 0]), np.interp(steps, along, points[:, 1])], axis=1)


def distances(points: Points2, line: Points2) -> NDArray[np.float64]:
    """Return the distance of each point (n, 2) to the nearest of the line's segments (m, 2), float64 ``(n,)``."""
    start, step = line[:-1], np.diff(line, axis=0)
    squared = np.maximum((step**2).sum(1), 1e-9)
    offset = points[:, None] - start[None]  # (n, m - 1, 2)
    part = np.clip((offset * step).sum(2) / squared, 0, 1)
    return np.hypot(*np.moveaxis(offset - part[..., None] * step, 2, 0)).min(1)


def _links_by_text(ground_truth: Sequence[TextLine], hypothesis: Sequence[TextLine]) -> list[tuple[int, int]]:
    gains = _gains([line.text for line in ground_truth], [line.text for line in hypothesis])
    links = _in_order(gains)
    free = gains.copy()
    for left, right in links:
        free[left, :] = free[:, right] = 0
    shares = free / _longer(ground_truth, hypothesis)
    while shares.size and shares.max() >= _SIMILAR_ANYWHERE:
        left, right = (int(value) for value in np.unravel_index(shares.argmax(), shares.shape))
        links.append((left, right))
        shares[left, :] = shares[:, right] = 0
    return links


def _longer(ground_truth: Sequence[TextLine], hypothesis: Sequence[TextLine]) -> Points2:
    lengths = [[max(len(left.text), len(right.text), 1) for right in hypothesis] for left in ground_truth]
    return np.array(lengths, dtype=float).reshape(len(ground_truth), len(hypothesis))


def _gains(ground_truth: list[str], hypothesis: list[str]) -> Points2:
    """Characters that two lines share, 0 for lines that share less than four tenths."""
    gains = np.zeros((len(ground_truth), len(hypothesis)))
    for row, left in enumerate(ground_truth):
        for column, right in enumerate(hypothesis):
            longer = max(len(left), len(right))
            if min(len(left), len(right)) >= _SIMILAR_IN_ORDER * longer > 0:
                same = longer - character_errors(left, right)
                gains[row, column] = same if same >= _SIMILAR_IN_ORDER * longer else 0
    return gains


def _in_order(gains: Points2) -> list[tuple[int, int]]:
    """The links of greatest total gain that do not cross."""
    best = np.zeros((gains.shape[0] + 1, gains.shape[1] + 1))
    for row in range(gains.shape[0]):
        for column in range(gains.shape[1]):
            linked = best[row, column] + gains[row, column]
            best[row + 1, column + 1] = max(best[row, column + 1], best[row + 1, column], linked)
    links: list[tuple[int, int]] = []
    row, column = gains.shape
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            links.append((row, column))
    return links[::-1]
