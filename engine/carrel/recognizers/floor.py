"""The floor: lines whose text is more likely invented than read are refused, and keep it as an alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from carrel.recognizers.types import Reading, Recognition

MIN_LINE_CONFIDENCE = 0.4
"""Least confidence of a text (638 lines of the val splits, 2026-11: 0.9 % lie below, three characters in four wrong)."""
REFUSAL = "too doubtful to be text"


def refuse_doubtful(readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings with those below `MIN_LINE_CONFIDENCE` refused; what was read of them is kept among ``others``."""
    return [_refused(reading) if _is_doubtful(reading.recognition) else reading for reading in readings]


def _is_doubtful(recognition: Recognition) -> bool:
    return bool(recognition.text) and recognition.confidence < MIN_LINE_CONFIDENCE


def _refused(reading: Reading) -> Reading:
    others = ((reading.recognizer, reading.recognition), *reading.others)
    return replace(reading, recognition=Recognition("", 0.0, reason=REFUSAL), recognizer="", others=others)
