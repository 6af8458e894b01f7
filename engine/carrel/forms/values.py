"""Values of fields: what a strip of writing holds, along the field's constraint, with a confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from carrel.decode.beam import beam_search
from carrel.decode.options import DecodeOptions
from carrel.decode.patterns import Constraint
from carrel.decode.patterns.lattice import Path, best_paths
from carrel.evaluate.coverage import wrong_characters
from carrel.forms.views import averaged, views_of
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.glyphs.reader import GlyphReader
from carrel.recognizers.tesseract import Tesseract

Gray = NDArray[np.uint8]
ALTERNATIVES = 5
GLYPH_WEIGHT = 0.2
"""Weight of the glyph network's scores beside the CTC network's (numbers of the packs' val split: the same from 0.1 to 0.3)."""
SEEN_AGAIN_BELOW = 2.0
"""Score of a text above the next one up to which it is looked at again: 32 % of the lone val numbers, with all of the gain."""
GLYPHS_BELOW = 1.0
"""Score of a text above the next one, by all views, up to which the glyph network is asked: 58 % of the val numbers that are
looked at again, with all of the gain."""
SECOND_OPINION_LENGTH = 6
"""Longest text for which the glyph network is asked."""
CONFIDENCE = (1.07, 0.22, -0.86)
"""Logistic function of a value's confidence (338 numbers of the packs' val pages): of its score above the next one allowed, of its
score below the best text without constraint, and a shift."""
PRINT_CONFIDENCE = (0.8, 0.8, 0.0)
"""The same for print, whose lattice has costs and no probabilities: a text that is 4 above the next and reads as it stands is right."""
BOX_CONFIDENCE = (1.4, 0.5, 0.6)
"""The same for characters in boxes (1,000 digits of MNIST that were not learned)."""
WHOLE_CONFIDENCE = (1.27, 0.24)
"""The chance that a free text is right as a whole, of the wrong characters expected in it: of its natural logarithm times the
first and the second together, a logistic function falls (668 short lines of the packs' val pages: of what is named doubtful
below 0.8, 77 %, the rest holds 2.7 % of wrong ones; below a character's confidence of 0.8, 14 and 37 %)."""
MOST_MARGIN, ALONE_MARGIN = 6.0, 3.0
"""Most margin that counts, and that of a text beside which nothing else is allowed."""
BROKEN_GAP, GAP_CONFIDENCE = 15.0, 0.5
"""Score below the best text without constraint from which the writing hardly fits it, and the most confidence then."""
OUTSIDE_CONFIDENCE = 0.5
"""Most confidence of a text outside a soft lexicon: what nobody knows yet, a person should see."""
FAINT_CONFIDENCE = 0.3
"""Most confidence of characters in boxes, one of which may hold writing too faint to be read."""
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
    second_opinion: bool = True  # of other views and of the glyph network, on what holds no small letters


def read_written(crop: Gray, constraint: Constraint, recognizers: Recognizers) -> Value:
    """Read handwriting, uint8 ``(h, w)``, ink dark, along a constraint; what holds no small letters is looked at in several
    views, and with the glyph network's second opinion where it is short."""
    ctc = recognizers.ctc()
    logits = ctc.logits_of(crop)
    plain = ctc.read_along(logits, constraint, ALTERNATIVES)
    free = beam_search(logits, DecodeOptions(beam_width=10))[0]
    allowed = _seen_again(plain, crop, constraint, recognizers) if constraint.in_block else plain
    scores = {text: score for score, text in plain}
    gap = free.log_score - scores.get(allowed[0][1], min(scores.values(), default=-BROKEN_GAP)) if allowed else 0.0
    return chosen(allowed, gap, ctc.text_of(free), constraint, ctc.name)


def _seen_again(plain: list[Path], crop: Gray, constraint: Constraint, recognizers: Recognizers) -> list[Path]:
    """The texts of a line of digits and capitals, by the CTC network in all views; by the glyph network, too, where it is short
    and not clear yet."""
    if not recognizers.second_opinion or _margin(plain) > SEEN_AGAIN_BELOW:
        return plain
    ctc, glyphs = recognizers.ctc(), recognizers.glyphs
    views = [plain, *(ctc.read_along(ctc.logits_of(view), constraint, ALTERNATIVES) for view in views_of(crop))]
    weights = [1 / len(views)] * len(views)
    found = averaged(views, weights)
    short = max((len(text) for _, text in plain), default=0) <= SECOND_OPINION_LENGTH
    if glyphs and short and _margin(found) <= GLYPHS_BELOW:
        by_glyphs = glyphs.read_line(crop, constraint.dfa, ALTERNATIVES)
        found = averaged([*views, by_glyphs], [*weights, GLYPH_WEIGHT])
    return found[:ALTERNATIVES]


def _margin(allowed: Sequence[Path]) -> float:
    """Score of the best text above the next one; without any, nothing is clear."""
    if not allowed:
        return 0.0
    return min(MOST_MARGIN, allowed[0][0] - allowed[1][0]) if len(allowed) > 1 else ALONE_MARGIN


def of_the_whole(text: str, confidence: float) -> float:
    """Return the chance that a text is right as a whole, of the ``confidence`` of its characters."""
    slope, shift = WHOLE_CONFIDENCE
    expected = max(wrong_characters(text, confidence), 1e-6)
    return round(1.0 / (1.0 + math.exp(slope * math.log(expected) + shift)), 4)


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
    """Read characters in boxes of their own; None where all are empty. Where a box that was left out may hold faint writing,
    the value has little confidence."""
    allowed = glyphs.read_boxes(cells, constraint.dfa, ALTERNATIVES)
    free = glyphs.read_boxes(cells, None, 1)
    faint = glyphs.leaves_out(cells)
    if not free:
        return Value("", 0.0) if faint else None
    gap = free[0][0] - allowed[0][0] if allowed else 0.0
    value = chosen(allowed, gap, free[0][1], constraint, glyphs.name, BOX_CONFIDENCE)
    return replace(value, confidence=min(value.confidence, FAINT_CONFIDENCE)) if faint else value


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
    gap = max(0.0, gap) if free != text else 0.0
    slope, fall, shift = fitted
    confidence = 1.0 / (1.0 + math.exp(-(slope * _margin(allowed) - fall * gap + shift)))
    if gap > BROKEN_GAP:
        confidence = min(confidence, GAP_CONFIDENCE)
    if constraint.penalty and not constraint.accepts(text):
        confidence = min(confidence, OUTSIDE_CONFIDENCE)
    total = sum(math.exp(s - score) for s, _ in allowed)
    others = [(t, round(confidence * math.exp(s - score) / total, 4)) for s, t in allowed[1:]]
    if free and free not in (text, *(t for t, _ in others)):
        others.append((free, round(min(BROKEN_CONFIDENCE, 1 - confidence), 4)))
    return Value(text, round(confidence, 4), tuple(others), recognizer)
