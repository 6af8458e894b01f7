"""Short cells such as the shelf mark "B 9": recognizers see no space between two characters alone; their ink tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import gray_levels
from carrel.recognizers.types import Reading, Recognition, WordSpan

Gray = NDArray[np.uint8]
MAX_CHARACTERS = 6
INK_SHARE, PAPER_SHARE = 0.02, 0.8  # of the px of a line that are darker than its ink and its paper
MIN_SPACE_HEIGHTS = (
    0.34  # of the characters; set close they stand up to 0.32 apart, with a space 0.35 and more, in seven faces
)


def part_short_cells(crops: Sequence[Gray], readings: Sequence[Reading]) -> list[Reading]:
    """Put the space between a letter and a number of a few characters where the ink of ``crops``, uint8 ``(h, w)``, has one."""
    return [
        replace(reading, recognition=_parted(crop, reading.recognition)) if _may_miss_a_space(reading) else reading
        for crop, reading in zip(crops, readings, strict=True)
    ]


def _may_miss_a_space(reading: Reading) -> bool:
    text = reading.recognition.text
    return 1 < len(text) <= MAX_CHARACTERS and " " not in text and text.isalnum() and _change(text) > 0


def _change(text: str) -> int:
    """Where letters end and a number begins, or the other way round; 0 where this is not so exactly once."""
    changes = [k for k in range(1, len(text)) if text[k].isdigit() != text[k - 1].isdigit()]
    return changes[0] if len(changes) == 1 else 0


def _parted(crop: Gray, recognition: Recognition) -> Recognition:
    text = recognition.text
    ink, paper = gray_levels(crop, (INK_SHARE, PAPER_SHARE))
    dark = crop < (int(ink) + int(paper)) / 2
    edges = np.flatnonzero(np.diff(np.concatenate(([0], dark.any(axis=0).astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    if len(starts) != len(text):  # characters that touch or are broken
        return recognition
    at = _change(text)
    gaps = starts[1:] - ends[:-1]
    height = int(np.ptp(np.flatnonzero(dark.any(axis=1)))) + 1
    others = np.delete(gaps, at - 1).max(initial=0)
    if gaps[at - 1] < max(MIN_SPACE_HEIGHTS * height, float(others)):
        return recognition
    words = _split(recognition, at, float(ends[at - 1]), float(starts[at]))
    return replace(recognition, text=f"{text[:at]} {text[at:]}", words=words)


def _split(recognition: Recognition, at: int, end: float, start: float) -> tuple[WordSpan, ...]:
    """The words on both sides of a space that reaches from column ``end`` to ``start``."""
    if len(recognition.words) != 1:
        return recognition.words
    (word,) = recognition.words
    first = replace(word, text=word.text[:at], right_px=end, characters=word.characters[:at])
    return first, replace(word, text=word.text[at:], left_px=start, characters=word.characters[at:])
