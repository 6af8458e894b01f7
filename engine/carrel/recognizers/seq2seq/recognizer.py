"""Handwriting by an encoder-decoder, whose text is taken only where the CTC network finds it in the line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.backends import Network
from carrel.models.manifest import Decoding, Picture, Seq2seq
from carrel.options import REVIEW_BELOW
from carrel.recognizers.ctc import CtcRecognizer, platt
from carrel.recognizers.routing import ENCODER_DECODER
from carrel.recognizers.seq2seq.decoder import CachedDecoder
from carrel.recognizers.seq2seq.search import Hypothesis, Rules, beam_search
from carrel.recognizers.seq2seq.tokens import Written, cleaned, text_of, written
from carrel.recognizers.seq2seq.witness import MOST_MARGIN, Evidence, evidence_of
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import CharacterSpan, Recognition, words_of

Gray = NDArray[np.uint8]

MOST_UNCALIBRATED = REVIEW_BELOW - 0.01
"""Confidence of a text by a model whose confidences were not calibrated, at most: every such line is for review."""
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
UNSEEN = "the handwriting network sees no text in it"
UNENDED = {"length": "what was read has no end", "repetition": "what was read repeats itself"}
INVENTED = "what was read is not what the handwriting network sees"


@dataclass(frozen=True)
class Networks:
    """An encoder-decoder: what it is like, its two networks, and the bytes of its tokens."""

    manifest: Seq2seq
    encoder: Network
    decoder: Network
    tokens: tuple[bytes, ...]

    def read(self, crop: Gray, rules: Rules) -> list[Hypothesis]:
        """Return texts of a line, uint8 ``(height, width)``, the best first."""
        decoder = self.manifest.decoder
        rules = replace(rules, most_tokens=max(1, min(rules.most_tokens, decoder.positions)))
        line = self.encoder.run({"line": picture(crop, self.manifest.input)})
        return beam_search(CachedDecoder(self.decoder, decoder, line, rules.width).step, rules)

    def characters(self, found: Hypothesis) -> list[Written]:
        """Return the characters of a text."""
        return cleaned(written(found.tokens, [math.exp(p) for p in found.log_probs], self.tokens))


def picture(gray: Gray, size: Picture) -> NDArray[np.float32]:
    """Return a line, uint8 ``(height, width)``, as an encoder takes it: float32 ``(1, 1, height_px, width_px)`` in [0, 1]."""
    scaled = Image.fromarray(gray).resize((size.width_px, size.height_px), RESAMPLING[size.resampling])
    return (np.asarray(scaled, np.float32) / np.float32(255))[None, None]


def rules_of(decoding: Decoding) -> Rules:
    """Return the rules of a search as a manifest gives them."""
    return Rules(decoding.start, decoding.ends, decoding.beam_width, decoding.length_penalty, decoding.early_stopping)


def raw_confidence(characters: Sequence[Written]) -> float:
    """Return mean probability of characters, as the decoder sees it."""
    return float(np.mean([character.probability for character in characters])) if characters else 0.0


class Seq2seqRecognizer:
    """A recognizer of handwriting with an encoder-decoder.

    Parameters
    ----------
    networks
        Those of a model folder of the task ``seq2seq``.
    witness
        The CTC network that tells what is invented, and where characters stand; called when the first line is read.
    reserve
        Holds the memory that a line is read in.
    name
        What the recognizer is called in results.
    """

    name = ENCODER_DECODER

    def __init__(
        self,
        networks: Networks,
        witness: Callable[[], CtcRecognizer],
        reserve: Callable[[], AbstractContextManager[None]] = nullcontext,
        name: str = name,
    ) -> None:
        self.name = name
        self._networks, self._witness, self._reserve = networks, witness, reserve
        self._rules = rules_of(networks.manifest.decoding)

    def read(self, crops: Sequence[Gray], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return spread.map(self._read_one, crops)

    def _read_one(self, crop: Gray) -> Recognition:
        evidence = evidence_of(self._witness(), crop)
        if not evidence.sees_text:
            return Recognition("", 0.0, reason=UNSEEN)
        with self._reserve():
            found = self._networks.read(crop, replace(self._rules, most_tokens=evidence.most_characters))
        readings = [(hypothesis, self._networks.characters(hypothesis)) for hypothesis in found]
        readings = [(hypothesis, characters) for hypothesis, characters in readings if characters]
        if not readings:
            return Recognition("", 0.0, reason="no text in it")
        (best, characters), *others = readings
        alternatives = {text_of(other): self.confidence_of(other) for _, other in others}
        text = text_of(characters)
        alternatives.pop(text, None)
        reason = _refusal(best, characters, evidence)
        if reason:
            kept = {text: self.confidence_of(characters), **alternatives}
            return Recognition("", 0.0, alternatives=tuple(kept.items()), reason=reason)
        words = words_of(self._spans(characters, evidence))
        return Recognition(text, self.confidence_of(characters), words, tuple(alternatives.items()))

    def confidence_of(self, characters: Sequence[Written]) -> float:
        """Return probability that a character of the text is right, in [0, 1]: calibrated, or at most `MOST_UNCALIBRATED`."""
        calibration = self._networks.manifest.calibration
        raw = raw_confidence(characters)
        return platt(raw, calibration.confidence) if calibration else min(raw, MOST_UNCALIBRATED)

    def _spans(self, characters: Sequence[Written], evidence: Evidence) -> list[CharacterSpan]:
        calibration = self._networks.manifest.calibration
        columns = evidence.columns([character.text for character in characters]).tolist()
        return [
            CharacterSpan(
                character.text,
                platt(character.probability, calibration.character_confidence)
                if calibration
                else min(character.probability, MOST_UNCALIBRATED),
                left,
                right,
            )
            for character, (left, right) in zip(characters, columns, strict=True)
        ]


def _refusal(found: Hypothesis, characters: Sequence[Written], evidence: Evidence) -> str:
    """Why a text is not taken; empty where it is."""
    if found.stop != "end":
        return UNENDED[found.stop]
    texts = [character.text for character in characters]
    if not evidence.fits(texts) or evidence.margin(texts) > MOST_MARGIN:
        return INVENTED
    return ""
