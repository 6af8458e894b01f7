"""Work on lines is spread over threads, in order, and ends when it is told to."""

from __future__ import annotations

import threading

import pytest

from carrel.recognizers.spread import Spread


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_are_in_the_order_of_the_lines(threads: int) -> None:
    assert Spread(threads).map(lambda line: line * line, range(20)) == [line * line for line in range(20)]
    assert Spread(threads).map(str, []) == []


def test_lines_are_worked_on_at_the_same_time() -> None:
    together = threading.Barrier(3)
    assert sorted(Spread(3).map(lambda _: together.wait(10), range(3))) == [0, 1, 2]


class StopError(Exception):
    """What a check raises."""


@pytest.mark.parametrize("threads", [1, 3])
def test_no_line_begins_after_a_check_has_raised(threads: int) -> None:
    begun: list[int] = []

    def check() -> None:
        if len(begun) >= 4:
            raise StopError

    with pytest.raises(StopError):
        Spread(threads, check).map(begun.append, range(100))
    assert 4 <= len(begun) <= 4 + threads
