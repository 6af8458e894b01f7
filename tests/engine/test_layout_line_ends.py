"""Hyphens at the ends of lines belong to the lines; cells and lines beside others stay."""

from __future__ import annotations

import numpy as np

from carrel.layout.lines.line_ends import with_line_ends
from carrel.layout.lines.polygons import Baseline


def line(left: float, right: float, base: float) -> Baseline:
    x = np.arange(left, right + 1.0)
    return Baseline(x, np.full(len(x), base), 10.0)


def spans(baselines: list[Baseline]) -> list[tuple[float, float, float]]:
    return [(float(one.x[0]), float(one.x[-1]), float(one.y[-1])) for one in baselines]


def test_a_hyphen_found_alone_is_the_end_of_its_line() -> None:
    lines = [line(0, 200, 50), line(195, 207, 45), line(0, 220, 80)]
    assert spans(with_line_ends(lines)) == [(0, 207, 50), (0, 220, 80)]


def test_so_is_a_raised_letter_behind_a_number() -> None:
    assert spans(with_line_ends([line(0, 30, 50), line(34, 42, 43)])) == [(0, 42, 50)]


def test_what_stands_apart_level_below_or_is_long_stays() -> None:
    for other in (line(215, 225, 45), line(202, 212, 50), line(202, 212, 56), line(202, 212, 38), line(202, 240, 45)):
        lines = [line(0, 200, 50), other]
        assert spans(with_line_ends(lines)) == spans(lines)


def test_columns_of_marks_stay() -> None:
    marks = [line(100 * k, 100 * k + 8, 50 - k) for k in range(5)]
    assert spans(with_line_ends(marks)) == spans(marks)
    assert with_line_ends([]) == []
