"""The floor under the confidence of lines: what lies below is refused and kept."""

from __future__ import annotations

import pytest

from carrel.page import Writing
from carrel.recognizers.floor import MIN_LINE_CONFIDENCE, refuse_doubtful
from carrel.recognizers.types import Reading, Recognition


def reading(text: str, confidence: float) -> Reading:
    other = ("tesseract", Recognition("ot", 0.1))
    return Reading(Recognition(text, confidence), "ctc", Writing("handwritten", 1.0), (other,))


@pytest.mark.parametrize("confidence", [0.0, 0.1, MIN_LINE_CONFIDENCE - 0.001])
def test_what_is_below_the_floor_is_refused_and_kept(confidence: float) -> None:
    (refused,) = refuse_doubtful([reading("1 6 1", confidence)])
    assert (refused.recognition.text, refused.recognition.confidence, refused.recognizer) == ("", 0.0, "")
    assert refused.recognition.reason
    assert [(name, other.text, other.confidence) for name, other in refused.others] == [
        ("ctc", "1 6 1", confidence),
        ("tesseract", "ot", 0.1),
    ]


@pytest.mark.parametrize(("text", "confidence"), [("a line", MIN_LINE_CONFIDENCE), ("a line", 1.0), ("", 0.0)])
def test_what_is_above_it_or_has_no_text_stays(text: str, confidence: float) -> None:
    line = reading(text, confidence)
    assert refuse_doubtful([line]) == [line]


def test_order_is_kept() -> None:
    lines = [reading("a", 0.9), reading("b", 0.1), reading("c", 0.8)]
    assert [line.recognition.text for line in refuse_doubtful(lines)] == ["a", "", "c"]
