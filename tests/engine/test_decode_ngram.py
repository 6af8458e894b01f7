"""Character n-gram models: probabilities that add up, the file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carrel.decode.ngram import HEADER, NgramModel, parse_ngrams, read_ngrams
from carrel.errors import ModelError
from carrel_export.language.counts import count_ngrams, symbols_of
from carrel_export.language.kneser_ney import estimate
from carrel_export.language.pack import build, coded

LINES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog",
    "le chat est sur la table",
    "le chien est dans la cour",
    "the chat sat",
] * 2 + ["on dit que la cour est la", "that cat, that hat", "a mat and a table"]


@pytest.fixture(scope="module", params=[None, 120])
def model(request: pytest.FixtureRequest) -> NgramModel:
    return build(LINES, order=4, ngrams=request.param)


@pytest.mark.parametrize("context", ["", "t", "the", "the ca", "zzz", "xyz la", "le chat est su"])
def test_probabilities_of_the_next_symbol_add_up_to_one(model: NgramModel, context: str) -> None:
    # P(context + s + rest) is a product, so the next symbol's score is a difference of two prefixes' scores
    total = sum(10.0 ** next_score(model, context, symbol) for symbol in model.symbols)
    assert total == pytest.approx(1.0, abs=1e-3)  # scores are rounded to 256 values


def next_score(model: NgramModel, context: str, symbol: str) -> float:
    """log10 of the probability of ``symbol`` after ``context`` at the beginning of a line."""
    if symbol == "\n":
        return model.score(context) - prefix_score(model, context)
    return prefix_score(model, context + symbol) - prefix_score(model, context)


def prefix_score(model: NgramModel, text: str) -> float:
    numbers = {c: i for i, c in enumerate(model.symbols)}
    state, total = model.start, 0.0
    for symbol in text:
        score, state = model.step(state, numbers.get(symbol, -1))
        total += score
    return total


def test_knows_its_text_from_gibberish(model: NgramModel) -> None:
    assert model.score("the cat sat") > model.score("tac eht tas") + 4


def test_unpruned_scores_are_kneser_ney() -> None:
    # bigrams over two symbols, small enough to do by hand: "ab" x 3, "ba" x 1, "aab" x 1
    lines = ["ab", "ab", "ab", "ba", "aab"]
    symbols = symbols_of(lines)
    levels = estimate(count_ngrams(lines, symbols, 2), symbols)
    number = {c: i for i, c in enumerate(symbols)}
    # left neighbours: of a: beginning, b, a = 3; of b: a, beginning = 2; of the end: b, a = 2
    unigrams = {c: 10.0 ** levels[0].scores[number[c]] for c in symbols}
    assert sum(unigrams.values()) == pytest.approx(1.0)
    counts = {
        ("\n", "a"): 4,
        ("\n", "b"): 1,
        ("a", "b"): 4,
        ("b", "\n"): 4,
        ("b", "a"): 1,
        ("a", "\n"): 1,
        ("a", "a"): 1,
    }
    keys = {(symbols[k >> 8], symbols[k & 255]) for k in levels[1].keys.tolist()}
    assert keys == set(counts)
    for context in "ab\n":
        total = sum(
            10.0**s
            for k, s in zip(levels[1].keys.tolist(), levels[1].scores, strict=True)
            if symbols[k >> 8] == context
        )
        left = 10.0 ** levels[0].backoffs[number[context]]
        missing = sum(p for c, p in unigrams.items() if (context, c) not in counts)
        assert total + left * missing == pytest.approx(1.0)


def test_the_file_gives_the_model_back(model: NgramModel, tmp_path: Path) -> None:
    file = tmp_path / "ngram.bin"
    file.write_bytes(model.to_bytes())
    again = read_ngrams(file)
    assert again.symbols == model.symbols
    assert again.score("le chat sat.") == model.score("le chat sat.")
    assert again.to_bytes() == model.to_bytes()


def test_the_file_of_a_model_is_read_in_place(tmp_path: Path) -> None:
    file = tmp_path / "ngram.bin"
    file.write_bytes(build(LINES, order=4).to_bytes())
    model = read_ngrams(file)
    for array in (model.states, model.arcs, model.arc_symbols):
        assert array.base is not None
        assert not array.flags.writeable
    assert model.step(model.start, model.symbols.index("t"))[0] < 0.0


def test_a_pruned_model_has_as_many_ngrams_as_were_asked_for() -> None:
    whole = build(LINES, order=4)
    for ngrams in (60, 100, 150):
        pruned = build(LINES, order=4, ngrams=ngrams)
        assert ngrams * 0.8 <= len(pruned.arcs) <= ngrams < len(whole.arcs)
        assert sum(map(pruned.score, LINES)) < sum(map(whole.score, LINES))


def test_codes_stand_for_the_nearest_value() -> None:
    values = np.random.default_rng(0).normal(-2.0, 1.0, 5000)
    centres, codes = coded(values)
    assert len(centres) == 256
    assert np.abs(centres[codes] - values).mean() < 0.01
    assert np.array_equal(codes, np.abs(centres[None] - values[:, None]).argmin(1))


def damaged(model: NgramModel) -> dict[str, bytes]:
    content = model.to_bytes()
    tables = HEADER.itemsize + len(model.symbols) + -len(model.symbols) % 8
    return {
        "is no n-gram file": b"PK" + content[2:],
        "format 9": content[:8] + b"\x09" + content[9:],
        "bytes long": content[:-1],
        "do not fit together": content[:tables] + b"\xff\xff\xff\x7f" + content[tables + 4 :],
    }


@pytest.mark.parametrize("message", ["is no n-gram file", "format 9", "bytes long", "do not fit together"])
def test_damaged_files_are_refused(message: str, tmp_path: Path) -> None:
    content = damaged(build(LINES, order=3))[message]
    with pytest.raises(ModelError, match=message):
        parse_ngrams(content, "ngram.bin")
    (tmp_path / "ngram.bin").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_ngrams(tmp_path / "ngram.bin")


@pytest.mark.parametrize("field", ["states", "arcs", "symbols_bytes", "start"])
@pytest.mark.parametrize("value", [0, 1 << 24, (1 << 32) - 1])
def test_sizes_that_are_not_so_are_refused(field: str, value: int) -> None:
    content = bytearray(build(LINES, order=3).to_bytes())
    np.frombuffer(content, HEADER, 1)[field] = value
    if field == "start" and value == 0:  # the empty context: unusual, but a state
        parse_ngrams(bytes(content), "x")
        return
    with pytest.raises(ModelError):
        parse_ngrams(bytes(content), "x")


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the language model"):
        read_ngrams(tmp_path / "none.bin")


def test_an_empty_file_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "empty.bin").touch()
    with pytest.raises(ModelError, match="it is empty"):
        read_ngrams(tmp_path / "empty.bin")
