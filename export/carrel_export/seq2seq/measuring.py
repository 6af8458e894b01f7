"""Lines read by encoder and decoder: errors for the gate, and confidences fitted on what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from carrel.recognizers.seq2seq.decoder import CachedDecoder
from carrel.recognizers.seq2seq.recognizer import Networks, picture, raw_confidence, rules_of
from carrel.recognizers.seq2seq.tokens import Written, text_of
from carrel.review.training_lines import LineSample
from carrel_export.gate import SENSITIVITY_LINES, Measured
from carrel_export.handwriting.calibration import platt

SPARE_TOKENS = 16
"""How many more than twice the characters of a line's transcription a text may have."""


@dataclass(frozen=True)
class Read(Measured):
    """Lines as they were read, beside the errors."""

    characters_read: tuple[list[Written], ...] = ()
    tokens_read: tuple[tuple[int, ...], ...] = ()


def measure_lines(networks: Networks, lines: Sequence[LineSample], forced: Sequence[Sequence[int]] | None) -> Read:
    """Read lines; for some, logits of the tokens that ``forced`` names too, of those that were read where it is None."""
    rules = rules_of(networks.manifest.decoding)
    errors: list[int] = []
    logits: list[NDArray[np.float32]] = []
    characters: list[list[Written]] = []
    tokens: list[tuple[int, ...]] = []
    for k, line in enumerate(lines):
        found = networks.read(line.gray, replace(rules, most_tokens=2 * len(line.text) + SPARE_TOKENS))
        tokens.append(found[0].tokens if found else ())
        characters.append(networks.characters(found[0]) if found else [])
        errors.append(Levenshtein.distance(text_of(characters[-1]), line.text))
        if k < SENSITIVITY_LINES:
            logits.append(forced_logits(networks, line.gray, tokens[-1] if forced is None else forced[k]))
    lengths = np.array([len(line.text) for line in lines], np.int64)
    return Read(np.array(errors, np.int64), lengths, logits, tuple(characters), tuple(tokens))


def forced_logits(networks: Networks, gray: NDArray[np.uint8], tokens: Sequence[int]) -> NDArray[np.float32]:
    """Return logits of each next token ``(tokens + 1, classes)`` of a line, whose text is given by its tokens."""
    manifest = networks.manifest
    line = networks.encoder.run({"line": picture(gray, manifest.input)})
    decoder = CachedDecoder(networks.decoder, manifest.decoder, line, 1)
    given = [manifest.decoding.start, *tokens][: manifest.decoder.positions]
    return np.concatenate([decoder.step(np.array([token]), np.zeros(1, np.int64)) for token in given])


def fit_confidences(read: Sequence[Sequence[Written]], texts: Sequence[str]) -> dict[str, Any]:
    """Return the manifest's calibration, fitted on what was read of lines and their transcriptions; empty without lines."""
    pairs = [(characters, text) for characters, text in zip(read, texts, strict=True) if characters]
    if not pairs:
        return {}
    shares: list[float] = []
    probabilities: list[float] = []
    right: list[float] = []
    for characters, text in pairs:
        own = [character.text for character in characters]
        steps = Levenshtein.opcodes(own, list(text))
        kept = {k for step in steps if step.tag == "equal" for k in range(step.src_start, step.src_end)}
        distance = Levenshtein.distance("".join(own), text)
        shares.append(max(0.0, 1 - distance / max(1, len(text))))
        probabilities += [character.probability for character in characters]
        right += [float(k in kept) for k in range(len(own))]
    return {
        "confidence": platt([raw_confidence(characters) for characters, _ in pairs], shares),
        "character_confidence": platt(probabilities, right),
        "fitted_on": "val",
    }
