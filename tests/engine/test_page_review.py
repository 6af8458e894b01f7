"""Which pages a person should look at: by the share of words that are probably wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.page import BLEED_THROUGH, Correction, Page, expected_word_errors, page_needs_review
from oracle_formats import page_of


def page(*lines: tuple[str, float]) -> Page:
    """Lines with a confidence for each, and for each of their words."""
    made = page_of(*(text for text, _ in lines))
    doubted = tuple(
        replace(line, confidence=p, words=tuple(replace(word, confidence=p) for word in line.words))
        for line, (_, p) in zip(made.regions[0].lines, lines, strict=True)
    )
    return replace(made, regions=(replace(made.regions[0], lines=doubted),))


def test_expected_errors_are_those_of_the_words() -> None:
    assert expected_word_errors(page(("one two three", 0.9), ("four", 0.5))) == pytest.approx(0.8 / 4)
    assert expected_word_errors(page()) == 0.0


def test_one_doubtful_line_makes_no_page_to_review_but_many_slightly_doubtful_ones_do() -> None:
    good = [("ten good words on this line of very clear print", 0.99)] * 9
    assert not page_needs_review(page(*good, ("no", 0.5)))
    assert page_needs_review(page(*[("every line is a little doubtful here", 0.85)] * 10))


def test_a_line_that_was_not_read_counts_as_the_others_have_words() -> None:
    assert expected_word_errors(page(("one two three", 1.0), ("", 0.0))) == pytest.approx(0.5)
    assert expected_word_errors(page(("", 0.0))) == 1.0


def test_seen_lines_are_right_and_those_of_the_other_side_do_not_count() -> None:
    doubtful = page(("one two", 0.5), ("three four", 1.0))
    first, second = doubtful.lines
    seen = replace(first, correction=Correction("one two", "Ann", "2026-01-31T12:00:00Z", "confirmed"))
    other = replace(first, line_type=BLEED_THROUGH, text="")
    for line in (seen, other):
        region = replace(doubtful.regions[0], lines=(line, second))
        assert expected_word_errors(replace(doubtful, regions=(region,))) == 0.0
