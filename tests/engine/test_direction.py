"""Words that run leftwards: from the page's order to logical order and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.direction import (
    clusters,
    displayed,
    is_right_to_left,
    logical_line,
    logical_word,
    mostly_right_to_left,
    reordered,
)
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


LINES = {  # as UAX 9 shows them, by kraken 7.1's implementation
    "שלום עולם": "םלוע םולש",
    "ב-12.5.1890 ו-50%": "50%-ו 12.5.1890-ב",
    "السلام 12% (abc de)": "(abc de) %12 مالسلا",
    "(שם) [כן]": "[ןכ] (םש)",
    "«مر» ٣٤": "٣٤ «رم»",
    "plain (text) 12%": "plain (text) 12%",
    "של\u05b8ום!": "!םו\u05b8לש",
    "": "",
}


@pytest.mark.parametrize("line", LINES)
def test_lines_are_put_in_display_order_and_back(line: str) -> None:
    assert displayed(line) == LINES[line]
    assert "".join(symbol for _, symbol in logical_line(LINES[line])) == line


def test_more_than_one_order_may_show_the_same() -> None:
    assert displayed("see שלום 12 there") == displayed("see 12 שלום there") == "see 12 םולש there"
    assert "".join(symbol for _, symbol in logical_line("see 12 םולש there")) == "see 12 שלום there"


def test_symbols_of_a_line_keep_their_places_and_letters() -> None:
    found = logical_line(["(", "ם", "ו\u05b9", "ש", ")", " ", "12"])
    assert found == [(6, "12"), (5, " "), (4, "("), (3, "ש"), (2, "ו\u05b9"), (1, "ם"), (0, ")")]


@given(st.lists(st.sampled_from(["שלום", "(שם)", "1948", "12,5", "50%", "[כן]", "«אב»", "12.5.1890-ב"]), max_size=6))
def test_lines_of_one_script_and_numbers_come_back(words: list[str]) -> None:
    line = " ".join(["שלום", *words])
    assert "".join(symbol for _, symbol in logical_line(displayed(line))) == line


@given(st.text(st.sampled_from("ab של12.,%()[]-مر\u05b8٣"), max_size=12))
def test_no_symbol_is_lost(line: str) -> None:
    assert sorted(k for k, _ in logical_line(line)) == list(range(len(line)))
    assert len(displayed(line)) == len(line)


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
