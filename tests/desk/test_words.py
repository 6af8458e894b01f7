"""Other readings of single words, from other readings of their line; what is said of a scan's quality."""

from __future__ import annotations

import pytest

from carrel.page import Quality
from carrel_desk.store.entries import concerns_of
from carrel_desk.store.words import MOST_READINGS, readings_of_words

LINE = ["the", "keper", "of", "the", "tide"]


@pytest.mark.parametrize(
    ("alternatives", "expected"),
    [
        ([], [[], [], [], [], []]),
        (["the keeper of the tide"], [[], ["keeper"], [], [], []]),
        (["the keeper of the tide", "the keep of the tick", "the keeper of he tide"], [[], ["keeper", "keep"], [], ["he"], ["tick"]]),
        (["the kee per of the tide"], [[], ["kee per"], [], [], []]),
        (["the keeper of", "keper of the tide"], [[], ["keeper"], [], [], []]),  # a word that is left out is no reading
        (["one whole other line of many more words"], [[], [], [], [], []]),
        ([f"the k{'e' * n}r of the tide" for n in range(3, 20)], [[], [f"k{'e' * n}r" for n in range(3, 3 + MOST_READINGS)], [], [], []]),
    ],
)  # fmt: skip
def test_words_are_taken_from_where_they_stand(alternatives: list[str], expected: list[list[str]]) -> None:
    assert readings_of_words(LINE, alternatives) == expected


def test_a_line_without_words_has_no_readings() -> None:
    assert readings_of_words([], ["some text"]) == []


def test_what_another_scan_would_put_right() -> None:
    good = Quality(14.0, 0.7, 30.0)
    assert concerns_of(None) == concerns_of(good) == []
    assert concerns_of(Quality(3.0, 0.7, 30.0)) == ["blurred"]
    assert concerns_of(Quality(14.0, 0.08, 7.0, ("left",))) == ["faint", "coarse", "cut"]
