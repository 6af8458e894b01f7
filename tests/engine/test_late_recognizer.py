"""Recognizers that are opened at the first line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.errors import ModelError
from carrel.recognizers.late import LateRecognizer
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import Recognition

LINE = np.zeros((8, 8), np.uint8)


class Counted:
    """Reads the number of lines it was given."""

    name = "counted"

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return [Recognition(str(len(crops)), 1.0)]


def test_opened_once_by_the_first_line_of_many_threads() -> None:
    opened: list[Counted] = []
    together = threading.Barrier(4)

    def open_it() -> Counted:
        opened.append(Counted())
        return opened[-1]

    late = LateRecognizer("counted", open_it)
    assert (late.name, opened) == ("counted", [])

    def read(_: int) -> str:
        together.wait(10)
        return late.read([LINE])[0].text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == ["1"] * 4
    assert len(opened) == 1


def test_what_opening_raises_is_raised_by_reading() -> None:
    def damaged() -> Counted:
        raise ModelError("the model file is damaged")

    late = LateRecognizer("counted", damaged)
    for _ in range(2):
        with pytest.raises(ModelError, match="is damaged"):
            late.read([LINE])
