"""The CTC network as a witness of what an encoder-decoder has written.

A decoder writes fluent text whatever it is shown. A CTC network is bound to the picture: the probability of the text on its
frames, beside that of its own best text, tells what was invented, and the most probable path tells where characters stand.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carrel.decode.forced import ANY, align, log_probability, log_softmax, needed_frames
from carrel.recognizers.ctc import CtcRecognizer, LineFrames
from carrel.recognizers.floor import MIN_LINE_CONFIDENCE

MOST_MARGIN = 1.0
"""Natural log probability, for each character, by which a text may be less probable than the network's own best: 89 % of true
texts have less, 1 % of the texts of other lines, 97 % of readings with a CER below 0.1 (180 test lines of six sources, 2026-11)."""
LEAST_KNOWN_SHARE = 0.7
"""Of the characters, those that the network has classes for."""
SPARE_CHARACTERS = 16
"""How many more than twice the characters that the network itself reads a text may have."""
_ALIKE = str.maketrans("“”„«»‘’‚‹›—–−ſ…", "\"\"\"\"\"'''''---s.")


@dataclass(frozen=True)
class Evidence:
    """The frames of a line, the network's own text and its calibrated confidence."""

    frames: LineFrames
    own_classes: tuple[int, ...]
    confidence: float
    known: Mapping[str, int]
    blank: int = 0

    @property
    def sees_text(self) -> bool:
        """A text with the confidence that a line needs, read by the network itself."""
        return bool(self.own_classes) and self.confidence >= MIN_LINE_CONFIDENCE

    @property
    def most_characters(self) -> int:
        """Characters that a text of this line may have."""
        return min(len(self.frames.logits), 2 * len(self.own_classes) + SPARE_CHARACTERS)

    @cached_property
    def log_probs(self) -> NDArray[np.float64]:
        return log_softmax(self.frames.logits)

    def classes_of(self, characters: Sequence[str]) -> list[int]:
        """Return the classes of characters, those of similar ones where the network has none, else `ANY`."""
        return [self._class_of(character) for character in characters]

    def _class_of(self, character: str) -> int:
        alike = character.translate(_ALIKE)
        forms = (character, alike, unicodedata.normalize("NFD", alike)[0])
        return next((self.known[form] for form in forms if form in self.known), ANY)

    def margin(self, characters: Sequence[str]) -> float:
        """Return how much less probable a text is than the network's own, in natural log for each character; infinite where it
        does not fit or the network has no classes for too many of its characters."""
        classes = self.classes_of(characters)
        known = sum(k != ANY for k in classes)
        if not classes or known < LEAST_KNOWN_SHARE * len(classes):
            return np.inf
        own = log_probability(self.log_probs, self.own_classes, self.blank)
        return (own - log_probability(self.log_probs, classes, self.blank)) / len(classes)

    def fits(self, characters: Sequence[str]) -> bool:
        """Tell whether there are frames for a text."""
        return needed_frames(self.classes_of(characters)) <= len(self.frames.logits)

    def columns(self, characters: Sequence[str]) -> NDArray[np.float64]:
        """Return left and right of characters that fit, px of the crop, ``(n, 2)``."""
        spans = align(self.log_probs, self.classes_of(characters), self.blank)
        return self.frames.columns(spans)


def evidence_of(recognizer: CtcRecognizer, crop: NDArray[np.uint8]) -> Evidence:
    """Return what the network has to say of a line, uint8 ``(height, width)``."""
    frames = recognizer.frames_of(crop)
    path = frames.logits.argmax(axis=1)
    changes = np.concatenate(([True], path[1:] != path[:-1]))
    own = tuple(int(k) for k in path[changes] if k)
    confidence = recognizer.confidence_of(recognizer.decode(frames.logits)[0])
    known = {symbol: k + 1 for k, symbol in enumerate(recognizer.symbols)}
    return Evidence(frames, own, confidence, known)
