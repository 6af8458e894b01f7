"""Patterns: their syntax against Python's, their elements against arithmetic, the searches against all short strings."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

import ctc_reference as oracle
from carrel.decode.beam import beam_search
from carrel.decode.lexicon import Lexicon
from carrel.decode.options import DecodeOptions
from carrel.decode.patterns import constraint_of
from carrel.decode.patterns.automaton import bound, of_texts
from carrel.decode.patterns.elements import MONTHS
from carrel.decode.patterns.lattice import Arc, best_paths, of_positions
from carrel.decode.patterns.syntax import LONGEST_PATTERN, PatternError, compiled
from carrel.errors import UsageError

SAME_AS_PYTHON = [
    "a",
    "ab*",
    "(a|b)+c?",
    "a{2}",
    "a{1,3}b",
    "(ab){2,}",
    "[ab]c|",
    "(a|ab)(c|bcb)?",
    "(a*b)*",
    "[a-c]{0,2}",
    "a{0}b",
    "(|a)b",
]


@pytest.mark.parametrize("pattern", SAME_AS_PYTHON)
def test_it_allows_what_python_allows(pattern: str) -> None:
    dfa, python = compiled(pattern), re.compile(pattern)
    for length in range(7):
        for text in map("".join, product("abc", repeat=length)):
            assert dfa.accepts(text) == bool(python.fullmatch(text)), text


def test_escapes_and_classes() -> None:
    assert compiled(r"\u\l+ \d\.\[\\").accepts("Été 7.[\\")
    assert compiled("[^0-9]+").accepts("ab-é")
    assert not compiled("[^0-9]+").accepts("a1")
    assert compiled(r"[\d.,-]+").accepts("1.5-")
    assert compiled(r".\w\s").accepts("?9 ")


@pytest.mark.parametrize(
    ("pattern", "place", "what"),
    [
        ("(a", 3, "'(' is not closed"),
        ("a)", 2, "')' without '('"),
        ("[a", 3, "'[' is not closed"),
        ("*a", 1, "nothing to repeat"),
        ("a]", 2, "closes nothing"),
        ("a{3,2}", 3, "no less"),
        ("a{x}", 3, "expected {2}"),
        ("a\\q", 3, "means nothing"),
        ("a\\", 3, "ends with"),
        ("[z-a]", 5, "later one"),
        ("<9-1>", 2, "no less"),
        ("<word>", 2, "is neither"),
        ("<D.Y>", 2, "a day needs its month"),
        ("<D.M.M>", 2, "twice"),
        ("<luhn 1>", 2, "2 to 40"),
        ("<1-9", 2, "'<' is not closed"),
        ("(" * 60 + "a" + ")" * 60, 52, "deep"),
    ],
)
def test_a_bad_pattern_is_named_with_its_place(pattern: str, place: int, what: str) -> None:
    with pytest.raises(PatternError, match=re.escape(f"character {place}: ") + f".*{re.escape(what)}"):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["((a{200}){200}){200}", "(a|b)*a(a|b){60}", "a" * (LONGEST_PATTERN + 1)])
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"more than|at most"):
        compiled(pattern)


@pytest.mark.parametrize(("low", "high"), [(0, 9), (1, 31), (17, 1203), (99, 101), (5, 5), (900, 2100)])
def test_ranges_hold_their_numbers(low: int, high: int) -> None:
    dfa = compiled(f"<{low}-{high}>")
    assert [n for n in range(high + 200) if dfa.accepts(str(n))] == list(range(low, high + 1))
    padded = compiled(f"<{low:05d}-{high:05d}>")
    assert [n for n in range(high + 200) if padded.accepts(f"{n:05d}")] == list(range(low, high + 1))
    assert not dfa.accepts(f"0{high}") or len(str(low)) == len(str(high)) == 1


def test_dates_are_those_there_are() -> None:
    by_day, by_year = compiled("<D.M.Y 1896-1905>"), compiled("<Y-MM-DD 1896-1905>")
    for year, month, day in product((1895, 1896, 1900, 1904, 1905), range(14), range(33)):
        try:
            there = datetime.date(year, month, day).year >= 1896
        except ValueError:
            there = False
        assert by_day.accepts(f"{day}.{month}.{year}") == there
        assert by_year.accepts(f"{year}-{month:02d}-{day:02d}") == there
    assert by_day.accepts("03.07.1900")
    assert not by_year.accepts("1900-7-3")
    assert compiled("<D N Y>").accepts("29 février 1804")
    assert not compiled("<D N Y>").accepts("29 Feb. 1803")
    assert compiled("<M/Y>").accepts("12/1999")
    assert all(compiled("<N>").accepts(name) for names in MONTHS for name in names)


def _luhn(text: str) -> bool:
    doubled = [int(c) * (1 + i % 2) for i, c in enumerate(reversed(text))]
    return sum(d - 9 * (d > 9) for d in doubled) % 10 == 0


def _ean(text: str) -> bool:
    return sum(int(c) * (1 + 2 * (i % 2)) for i, c in enumerate(reversed(text))) % 10 == 0


def _mod11(text: str) -> bool:
    return sum(int(c) * (i + 1) for i, c in enumerate(reversed(text))) % 11 == 0


def _mod97(text: str) -> bool:
    return int(text) % 97 == 1


@pytest.mark.parametrize(
    ("scheme", "holds"),
    [
        ("luhn", _luhn),
        ("ean", _ean),
        ("mod11", _mod11),
        ("mod97", _mod97),
    ],
)
def test_check_digits(scheme: str, holds: Callable[[str], bool]) -> None:
    dfa = compiled(f"<{scheme} 4>")
    assert all(dfa.accepts(f"{n:04d}") == holds(f"{n:04d}") for n in range(10_000))


def test_check_digits_of_real_numbers() -> None:
    assert compiled("<mod11 10>").accepts("080442957X")
    assert compiled("<ean 13>").accepts("9783161484100")
    assert not compiled("<ean 13>").accepts("9783161484101")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pattern", ["(ab|c)+", "a?b?c", "c{2,3}", "[ab]*"])
def test_the_beam_finds_the_best_text_that_the_pattern_allows(pattern: str, seed: int) -> None:
    """Against all texts of five frames, with a beam that holds them all."""
    logits = np.random.default_rng(seed).normal(0, 2, (5, 4)).astype(np.float32)
    dfa = compiled(pattern)
    options = DecodeOptions(beam_width=1000, alternatives=3, candidate_threshold=0.0, lexicon_penalty=0.0)
    allowed = {
        text: p
        for text, p in oracle.all_texts(oracle.softmax(logits)).items()
        if dfa.accepts("".join("abc"[c - 1] for c in text))
    }
    found = beam_search(logits, options, None, bound(dfa, "abc"))
    for reading, (text, p) in zip(found, sorted(allowed.items(), key=lambda item: -item[1]), strict=False):
        assert reading.classes == text
        assert math.isclose(reading.log_score, math.log(p), abs_tol=1e-5)
    assert len(found) == min(3, len(allowed))


def test_what_the_pattern_forbids_everywhere_gives_nothing() -> None:
    logits = np.ones((2, 4), np.float32)  # two frames cannot hold three characters
    options = DecodeOptions(beam_width=50, candidate_threshold=0.0, lexicon_penalty=0.0)
    (reading,) = beam_search(logits, options, None, bound(compiled("abc"), "abc"))
    assert (reading.classes, reading.confidence) == ((), 0.0)


def test_a_line_may_not_end_within_the_pattern_and_not_be_empty() -> None:
    logits = np.full((4, 3), -9.0, np.float32)
    logits[:, 0] = 9.0  # blanks all along
    options = DecodeOptions(beam_width=50, candidate_threshold=0.0, lexicon_penalty=0.0)
    assert len(beam_search(logits, options, None, bound(compiled("ab"), "ab"))[0].classes) == 2
    assert beam_search(logits, options, None, bound(compiled("(ab)?"), "ab"))[0].classes == ()


def test_characters_that_the_network_lacks_are_left_out_or_named() -> None:
    assert isinstance(bound(compiled("a|é"), "abc"), Lexicon)
    with pytest.raises(UsageError, match="it has no 'é'"):
        bound(compiled("aé"), "abc")


@pytest.mark.parametrize("seed", range(8))
def test_the_lattice_is_searched_as_if_all_ways_were_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arcs = [
        Arc(start, end, "abc"[c], float(rng.normal()))
        for start, end in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4))
        for c in range(3)
    ]
    dfa = compiled("(ab|c)+a?")

    def ways(place: int) -> list[tuple[float, str]]:
        if place == 4:
            return [(0.0, "")]
        return [(a.log_probability + s, a.text + t) for a in arcs if a.start == place for s, t in ways(a.end)]

    best: dict[str, float] = {}
    for score, text in ways(0):
        if dfa.accepts(text):
            best[text] = max(score, best.get(text, score))
    expected = sorted(((s, t) for t, s in best.items()), reverse=True)[:3]
    found = best_paths(arcs, 4, dfa)
    assert [text for _, text in found] == [text for _, text in expected]
    assert np.allclose([s for s, _ in found], [s for s, _ in expected])


def test_positions_may_be_skipped() -> None:
    arcs = of_positions([[("I", -0.1), ("1", -2.0)], [(".", -0.1)], [("7", -0.2)]], skip=-3.0)
    assert best_paths(arcs, 3, compiled(r"\d+"))[0][1] == "17"
    assert best_paths(arcs, 3, compiled("x")) == []


def test_lexicons_hard_soft_and_with_a_pattern() -> None:
    places = ["Lyon", "Paris", "Le Mans", ""]
    assert constraint_of(entries=places).accepts("Le Mans")
    assert not constraint_of(entries=places).accepts("")
    assert constraint_of(entries=places, hard=False).penalty > 0
    assert not constraint_of("L.*", places).accepts("Paris")
    for pattern, entries, hard, problem in (
        ("", [], True, "needs a pattern"),
        ("\\d+", places, True, "none of the 3 entries"),
        ("L.*", places, False, "hard lexicon"),
    ):
        with pytest.raises(UsageError, match=problem):
            constraint_of(pattern, entries, hard=hard)
    assert constraint_of("<1-31>").spelled is False
    assert constraint_of("<D N Y>").spelled is True


def test_a_lexicon_of_one_entry_is_read_whatever_the_ink_says() -> None:
    logits = np.random.default_rng(3).normal(0, 1, (12, 6)).astype(np.float32)
    options = DecodeOptions(beam_width=30, candidate_threshold=0.0, lexicon_penalty=0.0)
    found = beam_search(logits, options, None, bound(of_texts(["dace"]), "abcde"))
    assert "".join("abcde"[c - 1] for c in found[0].classes) == "dace"


@pytest.mark.parametrize(
    ("pattern", "in_block"),
    [(r"\d+", True), ("[A-Z]{2}-<1-99>", True), ("<D.M.Y>", True), ("<D N Y>", False), ("abc", False)],
)
def test_digits_and_block_letters_are_told_from_words(pattern: str, in_block: bool) -> None:
    assert constraint_of(pattern).in_block is in_block
