"""Character n-gram models: probabilities that add up, the file, ARPA, and what is refused."""

from __future__ import annotations

import io
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from carrel.decode.ngram import NgramModel, parse_ngrams, read_ngrams
from carrel.errors import ModelError
from carrel_export.language.ngram import assemble, build, estimate, grams_of, prune, read_arpa, symbols_of, write_arpa

LINES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog",
    "le chat est sur la table",
    "le chien est dans la cour",
    "the chat sat",
] * 2 + ["on dit que la cour est la", "that cat, that hat", "a mat and a table"]


@pytest.fixture(scope="module", params=[0.0, 0.5])
def model(request: pytest.FixtureRequest) -> NgramModel:
    return build(LINES, order=4, threshold=request.param)


@pytest.mark.parametrize("context", ["", "t", "the", "the ca", "zzz", "xyz la", "le chat est su"])
def test_probabilities_of_the_next_symbol_add_up_to_one(model: NgramModel, context: str) -> None:
    # P(context + s + rest) is a product, so the next symbol's score is a difference of two prefixes' scores
    total = sum(10.0 ** next_score(model, context, symbol) for symbol in model.symbols)
    assert total == pytest.approx(1.0, abs=1e-4)


def next_score(model: NgramModel, context: str, symbol: str) -> float:
    """log10 of the probability of ``symbol`` after ``context`` at the beginning of a line."""
    if symbol == "\n":
        return model.score(context) - prefix_score(model, context)
    return prefix_score(model, context + symbol) - prefix_score(model, context)


def prefix_score(model: NgramModel, text: str) -> float:
    numbers = {c: i for i, c in enumerate(model.symbols)}
    state, total = model.start, 0.0
    for symbol in text:
        score, state = model._step(state, numbers.get(symbol, -1))  # pyright: ignore[reportPrivateUsage]
        total += score
    return total


def test_knows_its_text_from_gibberish(model: NgramModel) -> None:
    assert model.score("the cat sat") > model.score("tac eht tas") + 4


def test_unpruned_scores_are_kneser_ney() -> None:
    # bigrams over two symbols, small enough to do by hand: "ab" x 3, "ba" x 1, "aab" x 1
    lines = ["ab", "ab", "ab", "ba", "aab"]
    symbols = symbols_of(lines)
    levels = estimate(grams_of(lines, symbols, 2), symbols)
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


def test_arpa_gives_the_model_back() -> None:
    symbols = symbols_of(LINES)
    grams = grams_of(LINES, symbols, 4)
    levels = prune(estimate(grams, symbols), grams, 0.3)
    arpa = io.StringIO()
    write_arpa(levels, symbols, arpa)
    arpa.seek(0)
    again, model = read_arpa(arpa), assemble(levels, symbols)
    for text in ("the cat", "la cour est la", "tac"):
        assert again.score(text) == pytest.approx(model.score(text), abs=1e-4)


def test_arpa_without_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="no n-grams"):
        read_arpa(io.StringIO("\\data\\\n"))
    with pytest.raises(ValueError, match="one character each"):
        read_arpa(io.StringIO("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\tthe\n-1\t</s>\n\\end\\\n"))


def damaged(model: NgramModel) -> dict[str, bytes]:
    content = model.to_bytes()
    arrays = len(content) - 9 * len(model.arcs)
    next_of_first_arc = arrays + 4
    return {
        "is no n-gram file": b"PK" + content[2:],
        "format 9": content[:8] + b"\x09" + content[9:],
        "bytes long": content[:-1],
        "do not fit together": content[:next_of_first_arc] + b"\xff\xff\xff\x7f" + content[next_of_first_arc + 4 :],
    }


@pytest.mark.parametrize("message", ["is no n-gram file", "format 9", "bytes long", "do not fit together"])
def test_damaged_files_are_refused(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_ngrams(damaged(build(LINES, order=3))[message], "ngram.bin")


def test_no_byte_of_the_structure_can_lead_outside_it() -> None:
    # whatever is accepted can be walked everywhere: every arc and back-off stays inside
    content = build(LINES[:4], order=3).to_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place, value in product(rng.integers(0, len(content), 150), (0, 255)):
        try:
            changed = parse_ngrams(content[:place] + bytes([value]) + content[place + 1 :], "x")
        except ModelError:
            refused += 1
            continue
        assert changed.arcs["next"].max() < len(changed.states)
        assert not math.isnan(changed.score("the cat sat"))
    assert refused > 20


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the language model"):
        read_ngrams(tmp_path / "none.bin")
