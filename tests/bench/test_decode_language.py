"""Language models as the bench of decoders hands them out."""

from __future__ import annotations

import pytest

from carrel.decode.ngram import parse_ngrams
from carrel_bench.speed.decode_language import n_grams_of, truncated
from carrel_export.language.counts import count_ngrams, symbols_of
from carrel_export.language.kneser_ney import estimate
from carrel_export.language.pack import pack

LINES = ["the hand", "that hath", "a thin hat", "than the hat", "hand in hand"]


@pytest.mark.parametrize("order", [2, 3])
def test_truncated_model_is_the_model_of_its_lower_orders(order: int) -> None:
    symbols = symbols_of(LINES)
    levels = estimate(count_ngrams(LINES, symbols, 4), symbols)
    lower = truncated(pack(levels, symbols), order)
    expected = pack(levels[:order], symbols)
    assert lower.order == order
    kept, wanted = n_grams_of(lower), n_grams_of(expected)
    assert [{gram for gram, _, _ in level} for level in kept] == [{gram for gram, _, _ in level} for level in wanted]
    sound = parse_ngrams(lower.to_bytes(), "truncated")
    for line in [*LINES, "nan", "t", ""]:
        assert sound.score(line) == pytest.approx(expected.score(line), abs=1e-2)
