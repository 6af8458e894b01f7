"""Lists of words: packed as a minimal automaton, read back, added to, and refused where damaged."""

from __future__ import annotations

import numpy as np
import pytest

from carrel.decode.lexicon import HEADER, parse_words, word_list
from carrel.errors import ModelError

WORDS = ["hand", "handed", "and", "land", "landed", "été", "e\u0303", "a"]
OTHERS = ["", "han", "hande", "handeds", "nd", "x", "et\u00e9"]


def test_holds_its_words_and_no_others() -> None:
    words = word_list(WORDS)
    assert all(map(words.holds, WORDS))
    assert not any(map(words.holds, OTHERS))


def test_endings_are_kept_once() -> None:
    stems = ["b" * n for n in range(1, 20)]
    words = word_list([stem + "c" + ending for stem in stems for ending in ("ing", "ed", "er", "s")])
    assert len(words.automaton.nodes) - 1 <= len(stems) + 1 + 10


@pytest.mark.parametrize("seed", range(10))
def test_words_at_random_come_back_from_the_file_and_from_adding(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[str]:
        return ["".join(rng.choice(list("abcdé"), rng.integers(1, 7))) for _ in range(count)]

    first, more, others = some(80), some(30), set(some(200))
    words = parse_words(word_list(first).to_bytes(), "words")
    both = words.with_words([*more, "neuf", ""])
    assert all(map(words.holds, first))
    assert all(map(both.holds, [*first, *more, "neuf"]))
    assert not any(map(words.holds, others - set(first)))
    assert not any(map(both.holds, others - set(first) - set(more)))
    assert parse_words(both.to_bytes(), "both").holds("neuf")


@pytest.mark.parametrize(
    ("message", "place", "value"),
    [
        ("no file of words", 0, b"PK"),
        ("format 9", 8, b"\x09"),
        ("bytes long", 16, b"\xff\xff"),
        ("letters", 24, b"\xff"),
    ],
)
def test_damaged_files_are_refused(message: str, place: int, value: bytes) -> None:
    content = word_list(WORDS).to_bytes()
    assert HEADER.itemsize == 24
    with pytest.raises(ModelError, match=message):
        parse_words(content[:place] + value + content[place + len(value) :], "words")
    with pytest.raises(ModelError, match="bytes long"):
        parse_words(content[:-1], "words")
