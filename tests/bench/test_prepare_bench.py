"""The bench of preparation runs, and its contestants agree."""

from __future__ import annotations

from carrel_bench.prepare import drawn_page, gains, measure, measure_threads


def test_contestants_agree_and_are_timed() -> None:
    timings, copy_ms = measure(drawn_page(700, 900), repeats=1, others=False)
    assert copy_ms > 0 and {timing.step for timing in timings} == {"flatten", "sauvola"}
    assert all(timing.minimum_ms > 0 for timing in timings)
    agreeing = [timing for timing in timings if timing.differs is not None]
    assert {timing.name for timing in agreeing} >= {"carrel, opencv (default)", "opencv: box filters"}
    # other windows at the edge of the page, other rounding
    assert all(timing.differs < 0.02 for timing in agreeing if timing.differs is not None)
    assert set(gains(timings)) == {"flatten", "sauvola"}


def test_rows_in_threads_are_timed_and_the_same() -> None:
    rows = measure_threads(drawn_page(300, 1100), repeats=1, threads=3)
    assert {row.step for row in rows} == {"flatten, compiled", "sauvola, compiled"}
    assert all(row.agrees and row.alone_ms > 0 and row.together_ms > 0 for row in rows)
