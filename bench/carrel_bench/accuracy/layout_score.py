"""Found lines against ground truth: which baselines agree, and in which order.

A baseline is matched where it runs within half a line height of the other over at least 70 % of its length, one to one:
a line that was found in two pieces, or two lines found as one, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from operator import add

import numpy as np
from numpy.typing import NDArray

from carrel.evaluate.matching import distances, height_of, sampled
from carrel.same_place import one_to_one

AGREEMENT = 0.7
SAMPLES = 64

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrueLine:
    """A line of ground truth, px of the image."""

    baseline: Points
    polygon: Points
    region: int = 0
    """Which region of the page it lies in: order between regions is a matter of convention."""


@dataclass(frozen=True, slots=True)
class LayoutScore:
    """Counts of one or more pages; ``seconds`` is the time of layout analysis alone."""

    true_lines: int
    recalled: int
    found_lines: int
    precise: int
    neighbours: int
    misordered: int
    pairs: int = 0
    inverted: int = 0
    cut: int = 0
    pieces: int = 0
    pages: int = 1
    seconds: float = 0.0

    def __add__(self, other: LayoutScore) -> LayoutScore:
        return LayoutScore(*map(add, astuple(self), astuple(other)))

    def numbers(self) -> dict[str, float]:
        """Return what is reported of a page, a source, or all.

        Rows joined, lines that were found in pieces count too, as the rows of tables are that the ground truth has in one
        line. ``order error`` is the share of neighbouring true lines, both found, whose order is wrong; ``pair error`` that
        of pairs of true lines of one region, both found.
        """
        true_lines, found_lines = max(self.true_lines, 1), max(self.found_lines, 1)
        return {
            "pages": self.pages,
            "true lines": self.true_lines,
            "found lines": self.found_lines,
            "recall": self.recalled / true_lines,
            "precision": self.precise / found_lines,
            "recall, rows joined": (self.recalled + self.cut) / true_lines,
            "precision, rows joined": (self.precise + self.pieces) / found_lines,
            "lines missed": self.true_lines - self.recalled - self.cut,
            "lines extra": self.found_lines - self.precise - self.pieces,
            "neighbours misordered": self.misordered,
            "order error": self.misordered / max(self.neighbours, 1),
            "pair error": self.inverted / max(self.pairs, 1),
            "seconds per page": self.seconds / self.pages,
        }


def line_heights(lines: Sequence[TrueLine]) -> NDArray[np.float64]:
    """Return height of every true line: its polygon's area per length, at most the distance to the next baseline."""
    heights = np.array([height_of(line.baseline, line.polygon) for line in lines])
    heights = np.clip(heights, 1.0, 2.0 * float(np.median(heights))) if len(heights) else heights
    for i, line in enumerate(lines):
        left, right = line.baseline[:, 0].min(), line.baseline[:, 0].max()
        for j, other in enumerate(lines):
            beside_px = min(right, other.baseline[:, 0].max()) - max(left, other.baseline[:, 0].min())
            if i != j and beside_px > 0.3 * (right - left):
                apart = float(np.median(distances(sampled(line.baseline, SAMPLES), other.baseline)))
                if apart > 0.3 * heights[i]:
                    heights[i] = min(heights[i], apart)
    return heights


def _matched(agreement: NDArray[np.float64]) -> dict[int, int]:
    """Pairs of a row and a column of at least ``AGREEMENT``, best first, each row and column once."""
    return dict(one_to_one((-agreement[i, j], i, j) for i, j in np.argwhere(agreement >= AGREEMENT).tolist()))


def score_page(true: Sequence[TrueLine], found: Sequence[Points], seconds: float = 0.0) -> LayoutScore:
    """Score the baselines found on a page, in reading order, against its true lines in theirs."""
    covered, backed = agreements(true, found)
    place, precise = _matched(covered), _matched(backed)
    whole, pieces = _joined(covered, backed, place, precise)
    pairs = [(place[i], place[i + 1]) for i in range(len(true) - 1) if i in place and i + 1 in place]
    wrong = sum(a > b for a, b in pairs)
    both, inverted = _pairs_in_regions(true, place)
    return LayoutScore(
        len(true), len(place), len(found), len(precise), len(pairs), wrong, both, inverted, whole, pieces, 1, seconds
    )


def _joined(
    covered: NDArray[np.float64], backed: NDArray[np.float64], recalled: dict[int, int], precise: dict[int, int]
) -> tuple[int, int]:
    """Count the true lines that pieces cover together, and those pieces: a row of a table cut into its cells."""
    matched = set(precise.values())
    pieces = {i: np.flatnonzero(backed[i] >= AGREEMENT) for i in range(len(backed)) if i not in recalled}
    whole = {i: own for i, own in pieces.items() if len(own) > 1 and covered[i, own].sum() >= AGREEMENT}
    return len(whole), len({int(j) for own in whole.values() for j in own} - matched)


def _pairs_in_regions(true: Sequence[TrueLine], place: dict[int, int]) -> tuple[int, int]:
    """Count the pairs of found lines of one region, and those that come in the wrong order."""
    both = inverted = 0
    for region in {line.region for line in true}:
        places = np.array([place[k] for k, line in enumerate(true) if line.region == region and k in place])
        both += len(places) * (len(places) - 1) // 2
        inverted += int(np.triu(places[:, None] > places[None, :]).sum())
    return both, inverted


def agreements(true: Sequence[TrueLine], found: Sequence[Points]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return share of each true line covered by each found one, and of each found line by each true one; ``(true, found)``."""
    covered = np.zeros((len(true), len(found)))
    backed = np.zeros_like(covered)
    heights = line_heights(true)
    for i, line in enumerate(true):
        samples, reach = sampled(line.baseline, SAMPLES), 0.5 * heights[i]
        low, high = line.baseline.min(axis=0) - reach, line.baseline.max(axis=0) + reach
        for j, other in enumerate(found):
            if (other.max(axis=0) < low).any() or (other.min(axis=0) > high).any():
                continue
            covered[i, j] = float((distances(samples, other) <= reach).mean())
            backed[i, j] = float((distances(sampled(other, SAMPLES), line.baseline) <= reach).mean())
    return covered, backed
