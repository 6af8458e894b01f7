"""Handwriting: a CTC network over a line image, its logits searched with a character language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network
from carrel.decode.greedy import greedy
from carrel.decode.lexicon import Lexicon
from carrel.decode.model import LanguageModel
from carrel.decode.options import DecodeOptions
from carrel.decode.patterns import Constraint
from carrel.decode.patterns.lattice import Path as ScoredText
from carrel.decode.types import Decoded
from carrel.direction import logical_line
from carrel.image.ink import LineInput
from carrel.models import manifest as manifests
from carrel.models.folders import Model
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import CharacterSpan, Recognition, words_of

MAX_WIDTH_PX = 8192
"""A crop that is wider after scaling is no line of writing."""
ALTERNATIVES = 3
CONSTRAINED_BEAMS = ((50, 1e-5), (400, 0.0))
"""Width and candidate threshold of searches along a pattern, which has to find what is improbable, too; the second where the
first finds nothing that is allowed."""


@dataclass(frozen=True, slots=True)
class LineFrames:
    """The logits of a line, float32 ``(t, classes)``, and where its frames stand: px of the crop, and of its margin, for each."""

    logits: NDArray[np.float32]
    px_per_frame: float
    margin_px: float

    def columns(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the columns of the crop where frames begin, px."""
        return np.maximum(0.0, frames * self.px_per_frame - self.margin_px)


class CtcRecognizer:
    """A recognizer of handwriting with the network of a model folder.

    Parameters
    ----------
    model
        A ``recognition`` model.
    network
        The network of one of its files: ``ink`` to ``logits``.
    language
        A language model for the search; without one, the best path is taken and no kernels are loaded.
    name
        What the recognizer is called in results.
    """

    name = "ctc"

    def __init__(self, model: Model, network: Network, language: LanguageModel | None = None, name: str = name) -> None:
        self.name = name
        manifest = model.manifest_as(manifests.Recognition)
        entry = manifest.input
        self._network = network
        self._alphabet = manifest.symbols
        self._blank = manifest.blank
        self._reorders = manifest.letter_order == "display"
        self._stride_px = manifest.stride_px
        self._input = LineInput(
            entry.height_px, entry.margin_px, entry.kind, entry.width_multiple_px, entry.min_width_px
        )
        self._greedy, self._search = manifest.calibration.greedy, manifest.calibration.search
        self.class_bias = np.array(self._search.class_bias or np.zeros(len(self._alphabet) + 1), np.float32)
        """What the search with a language model adds to the logits of each class, float32 ``(classes,)``."""
        self._constraints: dict[int, tuple[Constraint, Lexicon]] = {}  # by identity: those of a form's fields
        self._language, self._lexicon = language.bound(self._alphabet, self._blank) if language else (None, None)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The texts of classes 1, 2, ...; class 0 is the blank."""
        return self._alphabet

    @property
    def search_options(self) -> DecodeOptions:
        """The choices of the search with a language model, as the manifest has them."""
        return DecodeOptions(
            beam_width=self._search.beam_width,
            alternatives=ALTERNATIVES,
            beam_threshold=self._search.beam_threshold,
            temperature=self._search.temperature,
            language_weight=self._search.language_weight,
            length_bonus=self._search.length_bonus,
            lexicon_penalty=self._search.lexicon_penalty,
        )

    def logits_of(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits of one line, float32 ``(t, classes)``."""
        return self._logits_of_cropped(self._input.cropped(crop))

    def frames_of(self, crop: NDArray[np.uint8]) -> LineFrames:
        """Return logits of one line and where its frames stand; none of a crop that is wider than any line of writing."""
        cropped = self._input.cropped(crop)
        height, width = cropped.shape
        scale = height / self._input.height_px
        logits = np.zeros((0, len(self._alphabet) + 1), np.float32)
        if width <= MAX_WIDTH_PX * scale:
            logits = self._logits_of_cropped(cropped)
        return LineFrames(logits, self._stride_px * scale, self._input.margin_px * scale)

    def _logits_of_cropped(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._network.run({"ink": self._input.of(crop)})["logits"][0]

    def decode(self, logits: NDArray[np.float32]) -> tuple[Decoded, ...]:
        """Return readings of a line's logits, best first; one without a language model."""
        if self._language is None:
            return (greedy(logits, self._blank, self._greedy.temperature),)
        from carrel.decode.beam import beam_search

        options = self.search_options
        return beam_search(logits + self.class_bias, options, self._language, self._lexicon, self._blank)

    def read_along(
        self, logits: NDArray[np.float32], constraint: Constraint, count: int = ALTERNATIVES
    ) -> list[ScoredText]:
        """Return the texts that a constraint allows in a line's logits, with their natural log scores, the best first.

        Where the constraint holds words, or is soft, the language model has its say. There is none where nothing that the
        search holds is allowed.
        """
        found: tuple[Decoded, ...] = ()
        for width, threshold in CONSTRAINED_BEAMS:
            found = self._search_along(logits, constraint, count, width, threshold)
            if found[0].log_score > -math.inf:
                break
        texts = {self.text_of(reading): reading.log_score for reading in reversed(found)}
        return [(score, text) for text, score in reversed(texts.items()) if score > -math.inf]

    def _search_along(
        self, logits: NDArray[np.float32], constraint: Constraint, count: int, width: int, threshold: float
    ) -> tuple[Decoded, ...]:
        from carrel.decode.beam import beam_search

        spelled = constraint.spelled and self._language is not None
        options = DecodeOptions(
            beam_width=width,
            alternatives=count,
            candidate_threshold=threshold,
            temperature=self._search.temperature,
            language_weight=self._search.language_weight,
            length_bonus=self._search.length_bonus if spelled else 1.0,
            lexicon_penalty=constraint.penalty,
        )
        key = id(constraint)
        if key not in self._constraints:
            self._constraints[key] = (constraint, constraint.bound(self._alphabet, self._blank))
        lexicon = self._constraints[key][1]
        return beam_search(logits, options, self._language if spelled else None, lexicon, self._blank)

    def text_of(self, decoded: Decoded) -> str:
        """Return the reading's text, in logical order."""
        return "".join(symbol for _, symbol in self._symbols_of(decoded)).strip()

    def _symbols_of(self, decoded: Decoded) -> list[tuple[int, str]]:
        """The places of the reading's classes and what they write, in logical order."""
        written = [(k, self._alphabet[c - 1]) for k, c in enumerate(decoded.classes)]
        if not self._reorders:
            return written
        seen = [(k, symbol) for k, symbol in written if symbol]
        return [(seen[k][0], symbol) for k, symbol in logical_line([symbol for _, symbol in seen])]

    def confidence_of(self, decoded: Decoded) -> float:
        """Return calibrated probability that a character of the reading is right, in [0, 1]."""
        return platt(decoded.confidence, self._calibration.confidence)

    @property
    def _calibration(self) -> manifests.Greedy | manifests.Search:
        return self._greedy if self._language is None else self._search

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return spread.map(self._read_one, crops)

    def _read_one(self, crop: NDArray[np.uint8]) -> Recognition:
        crop = self._input.cropped(crop)
        height, width = crop.shape
        if width * self._input.height_px > MAX_WIDTH_PX * height:
            return Recognition("", 0.0, reason="wider than any line of writing")
        best, *others = self.decode(self._logits_of_cropped(crop))
        text = self.text_of(best)
        if not text:
            return Recognition("", 0.0, reason="no text in it")
        words = words_of(self._characters(best, height))
        alternatives = tuple((self.text_of(other), self.confidence_of(other)) for other in others)
        return Recognition(text, self.confidence_of(best), words, tuple(a for a in alternatives if a[0] != text))

    def _characters(self, decoded: Decoded, height_px: int) -> list[CharacterSpan]:
        """The characters in logical order, with their columns in px of the crop, ``height_px`` high."""
        scale = height_px / self._input.height_px
        fitted = self._calibration.character_confidence or self._calibration.confidence
        return [
            CharacterSpan(
                symbol,
                platt(decoded.probabilities[k], fitted),
                max(0.0, (decoded.starts[k] * self._stride_px - self._input.margin_px) * scale),
                max(0.0, (decoded.ends[k] * self._stride_px - self._input.margin_px) * scale),
            )
            for k, symbol in self._symbols_of(decoded)
        ]


def platt(probability: float, fitted: Sequence[float]) -> float:
    """Scale a probability by slope and shift, fitted on validation lines (J. Platt 1999; doi:10.1145/1102351.1102430)."""
    slope, shift = fitted
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return 1.0 / (1.0 + math.exp(-slope * math.log(probability / (1 - probability)) - shift))
