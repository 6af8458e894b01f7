"""An initial is a line of its own before the first line of its paragraph, and no part of those below it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import FoundLine, segment_page
from drawn_pages import Points, drawn_maps, page_of

STEP, LEFT, RIGHT, TOP = 40, 60, 620, 120
LINES = 9


def page_with(count: int, draw: Callable[[NDArray[np.uint8], int], None], behind: int) -> list[FoundLine]:
    """Segment a page whose first ``count`` lines begin at ``behind``, beside what is drawn; the maps show them from further left."""
    written: list[Points] = [
        [(behind if k < count else LEFT, TOP + STEP * k), (RIGHT, TOP + STEP * k)] for k in range(LINES)
    ]
    page = page_of(written)
    draw(page, TOP + STEP * (count - 1))
    shown: list[Points] = [
        [(behind - 25 * (k % 3) if 0 < k < count else points[0][0], points[0][1]), points[1]]
        for k, points in enumerate(written)
    ]
    return [line for region in segment_page(page, None, drawn_maps(shown)) for line in region.lines]


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("letter", ["L", "F", "T"])
def test_an_initial_is_a_line_before_its_paragraph(count: int, letter: str) -> None:
    high = STEP * (count - 1) + 10
    wide = high + 6

    def draw(page: NDArray[np.uint8], base: int) -> None:
        cv2.putText(page, letter, (LEFT, base), cv2.FONT_HERSHEY_SIMPLEX, high / 21, (20,), 6 + 2 * count)

    initial, *rest = page_with(count, draw, LEFT + wide)
    assert len(rest) == LINES
    assert initial.polygon[:, 0].max() < LEFT + wide and np.ptp(initial.polygon[:, 1]) > high
    tops = [float(line.baseline[:, 1].mean()) for line in rest]
    assert tops == sorted(tops)
    blank = np.full((800, 640), 255, np.uint8)
    draw(blank, TOP + STEP * (count - 1))
    edge = float(np.flatnonzero((blank < 255).any(axis=0))[-1])
    assert all((line.polygon[:, 0].min() > edge) == (k < count) for k, line in enumerate(rest))


def brace(page: NDArray[np.uint8], base: int) -> None:
    cv2.ellipse(page, (LEFT + 30, base - 30), (9, 42), 0, 90, 270, (20,), 5)


def joined_letters(page: NDArray[np.uint8], base: int) -> None:
    cv2.line(page, (LEFT + 22, base), (LEFT + 40, base - 72), (30,), 2)
    cv2.line(page, (LEFT + 2, base - 20), (LEFT + 40, base - 40), (30,), 2)


@pytest.mark.parametrize("draw", [brace, joined_letters])
def test_braces_and_joined_letters_are_no_initials(draw: Callable[[NDArray[np.uint8], int], None]) -> None:
    assert len(page_with(3, draw, LEFT + 50)) == LINES
