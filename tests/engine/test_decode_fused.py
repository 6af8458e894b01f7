"""The beam search with a language model and with a lexicon, against sums over all alignments and a dictionary search."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from numpy.typing import NDArray

import ctc_reference as oracle
from carrel.decode.beam import beam_search, beam_search_lines
from carrel.decode.lexicon import entry_lexicon, word_lexicon, word_list
from carrel.decode.ngram import Language, NgramModel
from carrel.decode.options import DecodeOptions
from carrel.errors import UsageError
from carrel_export.language.pack import build

ALPHABET = "abc"
LINES = ["ab", "abc", "cab", "ac", "aab", "acab", "bca", "abab"] * 3 + ["ccb"]
WEIGHT, BONUS = 0.7, 1.3


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return build(LINES, order=3)


def factors_of(model: NgramModel, alphabet: str) -> tuple[oracle.Factor, oracle.EndFactor]:
    """The model's factors from its own slow score, with weight and bonus."""
    numbers = {c: i for i, c in enumerate(model.symbols)}

    def states(prefix: oracle.Text) -> int:
        state = model.start
        for label in prefix:
            state = model.step(state, numbers.get(alphabet[label - 1], -1))[1]
        return state

    def factor(prefix: oracle.Text, label: int) -> float:
        score = model.step(states(prefix), numbers.get(alphabet[label - 1], -1))[0]
        return BONUS * 10.0 ** (WEIGHT * score)

    def end(text: oracle.Text) -> float:
        return BONUS * 10.0 ** (WEIGHT * model.step(states(text), numbers["\n"])[0])

    return factor, end


def small_logits(rng: np.random.Generator) -> NDArray[np.float32]:
    frames = int(rng.integers(1, 7))
    logits = rng.normal(0.0, rng.choice([0.3, 1.0, 3.0]), (frames, 4))
    logits[:, 0] += rng.choice([0.0, 2.0])
    return logits.astype(np.float32)


@pytest.mark.parametrize("seed", range(2))
def test_language_model_sums_over_all_alignments(model: NgramModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    factor, end = factors_of(model, ALPHABET)
    language = Language(model, ALPHABET)
    options = DecodeOptions(
        beam_width=1000, alternatives=3, candidate_threshold=0.0, language_weight=WEIGHT, length_bonus=BONUS
    )
    for _ in range(150):
        logits = small_logits(rng)
        texts = oracle.with_factors(oracle.all_texts(oracle.softmax(logits)), factor, end)
        ranked = sorted(texts.values(), reverse=True)
        for reading, value in zip(beam_search(logits, options, language), ranked, strict=False):
            assert reading.log_score == pytest.approx(math.log(value), abs=5e-5)
            assert texts[reading.classes] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("width", [5, 25])
def test_language_model_finds_what_a_dictionary_search_finds(width: int) -> None:
    rng = np.random.default_rng(width)
    alphabet = "abcdefghij é"  # the model does not know é
    words = ["".join(rng.choice(list("abcdefghij"), rng.integers(2, 6))) for _ in range(60)]
    model = build([" ".join(rng.choice(words, 4)) for _ in range(200)], order=5, ngrams=300)
    factor, end = factors_of(model, alphabet)
    options = DecodeOptions(beam_width=width, language_weight=WEIGHT, length_bonus=BONUS)
    lines = [flat_logits(rng, 40, len(alphabet) + 1) for _ in range(6)]
    found = beam_search_lines(lines, options=options, language=Language(model, alphabet))
    for logits, readings in zip(lines, found, strict=True):
        probabilities = oracle.cut(oracle.softmax(logits), 1e-3)
        text, score = oracle.prefix_search(probabilities, width, factor=factor, end=end)[0]
        assert readings[0].classes == text
        assert readings[0].log_score == pytest.approx(score, abs=1e-4)


def flat_logits(rng: np.random.Generator, frames: int, classes: int) -> NDArray[np.float32]:
    logits = rng.normal(0.0, 1.5, (frames, classes))
    logits[:, 0] += 3.0
    logits[np.arange(0, frames, 3), rng.integers(1, classes, len(range(0, frames, 3)))] += 4.0
    return logits.astype(np.float32)


def test_language_model_decides_between_like_characters(model: NgramModel) -> None:
    logits = np.full((5, 4), -6.0, np.float32)
    logits[:, 0] = 0.0
    logits[1, 1] = 8.0
    logits[3, 2], logits[3, 3] = 8.0, 8.1  # b or c after a; the model prefers b
    assert beam_search(logits)[0].classes == (1, 3)
    reading = beam_search(logits, DecodeOptions(language_weight=1.0), Language(model, ALPHABET))[0]
    assert reading.classes == (1, 2)
    assert reading.starts == (1, 3)


def test_weight_zero_is_no_language_model(model: NgramModel) -> None:
    rng = np.random.default_rng(8)
    options = DecodeOptions(language_weight=0.0)
    for _ in range(20):
        logits = small_logits(rng)
        alone, fused = beam_search(logits, options)[0], beam_search(logits, options, Language(model, ALPHABET))[0]
        assert fused.classes == alone.classes
        assert fused.log_score == pytest.approx(alone.log_score, abs=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_a_lexicon_of_whole_lines(penalty: float) -> None:
    rng = np.random.default_rng(11)
    entries = ["ab", "cab", "a", "bcc"]
    allowed = {tuple(ALPHABET.index(c) + 1 for c in entry) for entry in entries}

    def end(text: oracle.Text) -> float:
        # leaving the list costs the penalty once; so does ending inside an entry; the empty line is free
        return 1.0 if text in allowed or not text else penalty

    lexicon = entry_lexicon(entries, ALPHABET)
    options = DecodeOptions(beam_width=1000, candidate_threshold=0.0, lexicon_penalty=penalty)
    for _ in range(150):
        logits = small_logits(rng)
        texts = oracle.with_factors(oracle.all_texts(oracle.softmax(logits)), oracle.no_factor, end)
        best = max(texts.values())
        reading = beam_search(logits, options, lexicon=lexicon)[0]
        assert reading.log_score == pytest.approx(math.log(best), abs=5e-5)


def test_a_lexicon_of_words_pays_once_a_word() -> None:
    rng = np.random.default_rng(12)
    alphabet, penalty = "ab ", 0.2
    lexicon = entry_lexicon(["a", "ab"], alphabet, separators=" ")

    def end(text: oracle.Text) -> float:
        words = "".join(alphabet[c - 1] for c in text).split(" ")
        return math.prod(1.0 if word in ("", "a", "ab") else penalty for word in words)

    options = DecodeOptions(beam_width=1000, candidate_threshold=0.0, lexicon_penalty=penalty)
    for _ in range(150):
        logits = small_logits(rng)
        texts = oracle.with_factors(oracle.all_texts(oracle.softmax(logits)), oracle.no_factor, end)
        reading = beam_search(logits, options, lexicon=lexicon)[0]
        assert reading.log_score == pytest.approx(math.log(max(texts.values())), abs=5e-5)


def test_a_hard_lexicon_that_allows_nothing_gives_an_empty_reading_without_confidence() -> None:
    logits = np.full((3, 4), -20.0, np.float32)
    logits[:, 1] = 20.0
    (reading,) = beam_search(logits, DecodeOptions(lexicon_penalty=0.0), lexicon=entry_lexicon(["bc"], ALPHABET))
    assert (reading.classes, reading.log_score, reading.confidence) == ((), -math.inf, 0.0)


def test_refuses_what_does_not_fit(model: NgramModel) -> None:
    logits = np.ones((3, 6), np.float32)
    with pytest.raises(UsageError, match="language model is bound to 4 classes"):
        beam_search(logits, language=Language(model, ALPHABET))
    with pytest.raises(UsageError, match="lexicon is bound to 4 classes"):
        beam_search(logits, lexicon=entry_lexicon(["a"], ALPHABET))
    with pytest.raises(UsageError, match="no entry of the lexicon"):
        entry_lexicon(["xyz", ""], ALPHABET)
    with pytest.raises(UsageError, match="blank is class 9"):
        Language(model, ALPHABET, blank=9)


def test_every_symbol_of_a_large_alphabet_is_found() -> None:
    rng = np.random.default_rng(6)
    alphabet = "".join(map(chr, range(33, 123)))  # more than are looked through at once
    model = build(["".join(rng.choice(list(alphabet), 40)) for _ in range(300)], order=3)
    language, options = Language(model, alphabet), DecodeOptions(language_weight=1.0)
    for _ in range(20):
        text = rng.permutation(90)[:40]
        logits = np.zeros((80, 91), np.float32)
        logits[::2, 0] = 40.0
        logits[np.arange(1, 80, 2), text + 1] = 40.0
        (reading,) = beam_search(logits, options, language)
        assert reading.classes == tuple((text + 1).tolist())
        expected = model.score("".join(alphabet[c] for c in text)) * math.log(10)
        assert reading.log_score == pytest.approx(expected, rel=1e-5)


WORDS = ["hand", "handed", "and", "land", "lande", "l", "été"]


def factor_of(text: str, words: set[str], penalty: float) -> float:
    """What unknown words of a line cost, by the definition."""
    parts = re.split(r"([^a-zé])", text)
    tokens = parts[::2]
    total = 1.0
    for i, token in enumerate(tokens):
        if i == 0 or not token or token in words:
            continue  # the line may begin in the middle of a word
        is_part = any(word.startswith(token) for word in words)
        last = i == len(tokens) - 1
        hyphened = i == len(tokens) - 2 and parts[2 * i + 1] == "-" and not tokens[-1]
        total *= 1.0 if is_part and (last or hyphened) else penalty
    return total


@pytest.mark.parametrize("with_own", [False, True])
def test_unknown_words_cost_once_each_but_for_the_ends_of_a_line(with_own: bool) -> None:
    alphabet, penalty = "adhlné -,", 0.2
    known = word_list(WORDS[:3]).with_words(WORDS[3:]) if with_own else word_list(WORDS)
    lexicon = word_lexicon(known, alphabet)
    options = DecodeOptions(lexicon_penalty=penalty)
    rng = np.random.default_rng(3)
    pieces = [*WORDS, "han", "x", "nah", "d", "é", "", "-", ",", " ", "ded"]
    for _ in range(300):
        text = "".join(rng.choice([*pieces, " ", " ", "-"], 6))
        text = "".join(c for c in text if c in alphabet)[:20]
        logits = np.full((2 * len(text) + 1, len(alphabet) + 1), -60.0, np.float32)
        logits[::2, 0] = 60.0
        logits[np.arange(1, 2 * len(text), 2), [alphabet.index(c) + 1 for c in text]] = 60.0
        (reading,) = beam_search(logits, options, lexicon=lexicon)
        assert "".join(alphabet[c - 1] for c in reading.classes) == text
        assert math.exp(reading.log_score) == pytest.approx(factor_of(text, set(WORDS), penalty), rel=1e-4), text
