"""Following ridges from column to column, against a plain copy of the ruling."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carrel.layout.lines.ridges import trace_ridges
from carrel.layout.types import Floats

Point = tuple[int, float, float]


def traced_plainly(columns: list[list[float]], reach: float, gap: int) -> list[list[Point]]:
    """Points (column, row, strength) of every ridge, those that end first at the front."""
    done: list[list[Point]] = []
    live: list[tuple[list[Point], list[float]]] = []
    for column, rows in enumerate(columns):
        done += [points for points, _ in live if column - points[-1][0] > gap]
        live = [track for track in live if column - track[0][-1][0] <= gap]
        pairs: list[tuple[float, int, int]] = []
        for i, (points, slope) in enumerate(live):
            expected = points[-1][1] + slope[0] * (column - points[-1][0])
            pairs += [(abs(expected - row), i, j) for j, row in enumerate(rows)]
        followed: set[int] = set()
        taken: set[int] = set()
        for distance, i, j in sorted(pairs):
            if distance <= reach and i not in followed and j not in taken:
                followed.add(i)
                taken.add(j)
                points, slope = live[i]
                slope[0] += 0.15 * ((rows[j] - points[-1][1]) / (column - points[-1][0]) - slope[0])
                points.append((column, rows[j], rows[j] / 2))
        live += [([(column, row, row / 2)], [0.0]) for j, row in enumerate(rows) if j not in taken]
    return done + [points for points, _ in live]


@given(
    st.lists(st.lists(st.floats(0, 30), max_size=5, unique=True).map(sorted), max_size=20),
    st.sampled_from([0.5, 2.5]),
    st.integers(1, 4),
)
def test_ridges_are_those_of_the_plain_rule(columns: list[list[float]], reach: float, gap: int) -> None:
    peaks: list[tuple[Floats, Floats]] = [(np.array(rows, float), np.array(rows, float) / 2) for rows in columns]
    found, expected = trace_ridges(peaks, reach, gap), traced_plainly(columns, reach, gap)
    assert len(found) == len(expected)
    for ridge, points in zip(found, expected, strict=True):
        at, rows, strengths = (np.array(values) for values in zip(*points, strict=True))
        assert ridge.columns.tolist() == list(range(points[0][0], points[-1][0] + 1))
        np.testing.assert_allclose(ridge.rows, np.interp(ridge.columns, at, rows))
        np.testing.assert_allclose(ridge.strength, np.interp(ridge.columns, at, strengths))


def test_no_peaks_make_no_ridges() -> None:
    empty = np.zeros(0)
    assert trace_ridges([], 2.0, 3) == trace_ridges([(empty, empty)] * 5, 2.0, 3) == []
