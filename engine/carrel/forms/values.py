"""Values of fields: what a strip of writing holds, along the field's constraint, with a confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.decode.beam import beam_search
from carrel.decode.options import DecodeOptions
from carrel.decode.patterns import Constraint
from carrel.decode.patterns.lattice import Path, best_paths
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.glyphs.reader import GlyphReader
from carrel.recognizers.tesseract import Tesseract

Gray = NDArray[np.uint8]
ALTERNATIVES = 5
GLYPH_WEIGHT = 0.2
"""Weight of the glyph network's scores beside the CTC network's (lone numbers of the packs' val split: the same from 0.1 to 0.5)."""
UNHELD = 2.0
"""By how much a text that one of them does not hold is worse there than the last that it holds."""
SECOND_OPINION_LENGTH = 6
"""Longest number for which the glyph network is asked."""
CONFIDENCE = (1.22, 0.13, -0.56)
"""Logistic function of a value's confidence (59 lone numbers of the val split): of its score above the next one allowed, of its
score below the best text without constraint, and a shift."""
PRINT_CONFIDENCE = (0.8, 0.8, 0.0)
"""The same for print, whose lattice has costs and no probabilities: a text that is 4 above the next and reads as it stands is right."""
BOX_CONFIDENCE = (1.4, 0.5, 0.6)
"""The same for characters in boxes (1,000 digits of MNIST that were not learned)."""
MOST_MARGIN, ALONE_MARGIN = 6.0, 3.0
"""Most margin that counts, and that of a text beside which nothing else is allowed."""
BROKEN_GAP, GAP_CONFIDENCE = 15.0, 0.5
"""Score below the best text without constraint from which the writing hardly fits it, and the most confidence then."""
BROKEN_CONFIDENCE = 0.2
"""Most confidence of a text that its constraint does not allow."""


@dataclass(frozen=True, slots=True)
class Value:
    """A field's text, its confidence in [0, 1], other texts with theirs, the better ones first, and who recognized it."""

    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()
    recognizer: str = ""


@dataclass(frozen=True)
class Recognizers:
    """Those that fields are read with; ``ctc`` is opened when the first field needs it."""

    ctc: Callable[[], CtcRecognizer]
    tesseract: Tesseract
    glyphs: GlyphReader | None
    second_opinion: bool = True  # of the glyph network on numbers


def read_written(crop: Gray, constraint: Constraint, recognizers: Recognizers) -> Value:
    """Read handwriting, uint8 ``(h, w)``, ink dark, along a constraint; numbers with the glyph network's second opinion."""
    ctc = recognizers.ctc()
    logits = ctc.logits_of(crop)
    allowed = ctc.read_along(logits, constraint, ALTERNATIVES)
    best = beam_search(logits, DecodeOptions(beam_width=10))[0]
    scores = {text: score for score, text in allowed}
    glyphs = recognizers.glyphs if recognizers.second_opinion else None
    if glyphs and not constraint.spelled and max(map(len, scores), default=0) <= SECOND_OPINION_LENGTH:
        allowed = together(allowed, glyphs.read_line(crop, constraint.dfa, ALTERNATIVES))
    gap = best.log_score - scores.get(allowed[0][1], min(scores.values(), default=-BROKEN_GAP)) if allowed else 0.0
    return chosen(allowed, gap, ctc.text_of(best), constraint, ctc.name)


def together(ctc: Sequence[Path], glyphs: Sequence[Path]) -> list[Path]:
    """Return the texts that either holds, by the sum of their scores, the best first."""
    if not ctc or not glyphs:
        return list(ctc or glyphs)
    first, second = {text: score for score, text in ctc}, {text: score for score, text in glyphs}
    low, low_glyphs = (min(scores.values()) - UNHELD for scores in (first, second))
    texts = dict.fromkeys([*first, *second])
    summed = [(first.get(t, low) + GLYPH_WEIGHT * second.get(t, low_glyphs), t) for t in texts]
    return sorted(summed, key=lambda path: -path[0])[:ALTERNATIVES]


def read_printed(crop: Gray, constraint: Constraint, recognizers: Recognizers, language: str) -> Value:
    """Read print along a constraint: Tesseract's reading, corrected with its alternatives of each character."""
    arcs, places = recognizers.tesseract.lattice(crop, language)
    if not places:
        return Value("", 0.0)
    free = best_paths(arcs, places, None, 1)[0]
    allowed = best_paths(arcs, places, constraint.dfa, ALTERNATIVES)
    if constraint.penalty:  # a soft lexicon: what stands there, unless an entry is nearly as good
        outside = (free[0] + math.log(constraint.penalty), free[1])
        texts = {text: score for score, text in (outside, *allowed)}
        allowed = sorted(((score, text) for text, score in texts.items()), key=lambda path: -path[0])
    return chosen(
        allowed, free[0] - allowed[0][0] if allowed else 0.0, free[1], constraint, "tesseract", PRINT_CONFIDENCE
    )


def read_boxes(cells: Sequence[Gray], constraint: Constraint, glyphs: GlyphReader) -> Value | None:
    """Read characters in boxes of their own; None where all are empty."""
    allowed = glyphs.read_boxes(cells, constraint.dfa, ALTERNATIVES)
    free = glyphs.read_boxes(cells, None, 1)
    if not free:
        return None
    return chosen(
        allowed, free[0][0] - allowed[0][0] if allowed else 0.0, free[0][1], constraint, glyphs.name, BOX_CONFIDENCE
    )


def chosen(
    allowed: Sequence[Path],
    gap: float,
    free: str,
    constraint: Constraint,
    recognizer: str,
    fitted: tuple[float, float, float] = CONFIDENCE,
) -> Value:
    """Return the best text allowed; where none is, what stands there, with little confidence.

    Parameters
    ----------
    allowed
        Texts that the constraint allows, the best first.
    gap
        Score of the best one below that of the text read ``free`` of the constraint.
    fitted
        As `CONFIDENCE`.
    """
    if not allowed:
        return Value(free, BROKEN_CONFIDENCE if free else 0.0, (), recognizer)
    score, text = allowed[0]
    margin = min(MOST_MARGIN, score - allowed[1][0]) if len(allowed) > 1 else ALONE_MARGIN
    gap = max(0.0, gap) if free != text else 0.0
    slope, fall, shift = fitted
    confidence = 1.0 / (1.0 + math.exp(-(slope * margin - fall * gap + shift)))
    if gap > BROKEN_GAP:
        confidence = min(confidence, GAP_CONFIDENCE)
    total = sum(math.exp(s - score) for s, _ in allowed)
    others = [(t, round(confidence * math.exp(s - score) / total, 4)) for s, t in allowed[1:]]
    if free and free not in (text, *(t for t, _ in others)):
        others.append((free, round(min(BROKEN_CONFIDENCE, 1 - confidence), 4)))
    return Value(text, round(confidence, 4), tuple(others), recognizer)
