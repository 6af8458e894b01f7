"""A reader of one thread keeps OpenCV to one."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

import carrel

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


@pytest.fixture
def many_threads() -> Iterator[None]:
    """OpenCV with three threads, and as it was after the test."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("many_threads")
@pytest.mark.parametrize("threads", [1, 2])
def test_opencv_has_no_more_threads_than_the_reader(threads: int) -> None:
    carrel.read(LETTER, carrel.ReadOptions(threads=threads))
    assert cv2.getNumThreads() == threads
