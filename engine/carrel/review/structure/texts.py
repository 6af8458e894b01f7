"""Texts of lines that are split and joined: words go where they stand, corrections where their words go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from carrel.page import Correction, Line, Word
from carrel.review.structure.outlines import Vector, along


def parted(line: Line, at_px: float, way: Vector, share: float) -> tuple[Line, Line]:
    """Return what was read of a line, in two: the words before ``at_px`` in direction ``way``, and those behind it.

    Texts without places, corrections among them, are divided between words, nearest to the ``share`` in (0, 1) that the words
    take, else to ``share`` itself. Readings of the whole line as alternatives go.
    """
    placed = bool(line.words) and " ".join(word.text for word in line.words) == line.text
    halves: tuple[Sequence[Word], Sequence[Word]] = ((), ())
    texts = divided(line.text, share)
    if placed:
        before = [word for word in line.words if _middle(word, way) < at_px]
        halves = before, [word for word in line.words if word not in before]
        texts = tuple(" ".join(word.text for word in half) for half in halves)
        share = (len(texts[0]) + 0.5) / (len(line.text) + 1) if line.text else share
    corrections = divided(line.correction.text, share) if line.correction else ("", "")
    one, two = (
        _half(line, text, tuple(half), given) for text, half, given in zip(texts, halves, corrections, strict=True)
    )
    return one, two


def _half(line: Line, text: str, words: tuple[Word, ...], given: str) -> Line:
    made = _correction(line.correction, given, text)
    confidence = (
        sum(w.confidence * len(w.text) for w in words) / sum(len(w.text) for w in words) if words else line.confidence
    )
    if not text:
        return replace(line, text="", words=(), alternatives=(), confidence=0.0, recognizer="", correction=made)
    return replace(line, text=text, words=words, alternatives=(), confidence=confidence, correction=made)


def _correction(known: Correction | None, text: str, read: str) -> Correction | None:
    return replace(known, text=text, state="confirmed" if text == read else "corrected") if known else None


def _middle(word: Word, way: Vector) -> float:
    box = word.box
    return along(((box.left + box.right) / 2, (box.top + box.bottom) / 2), way)


def divided(text: str, share: float) -> tuple[str, str]:
    """Return a text in two, between the words nearest to a share in [0, 1] of its length; a single word goes to the nearer side."""
    places = [0, *(i for i, character in enumerate(text) if character == " "), len(text)]
    place = min(places, key=lambda i: abs(i - share * len(text)))
    return text[:place].strip(), text[place:].strip()


def joined(first: Line, second: Line) -> Line:
    """Return what was read of two lines as one line, the first before the second; outlines are the first one's."""
    read = [line for line in (first, second) if line.text]
    length = sum(len(line.text) for line in read)
    known = [line.correction for line in (first, second) if line.correction]
    correction = None
    if known:
        latest = max(known, key=lambda correction: correction.at)
        text = " ".join(line.final_text for line in (first, second) if line.final_text)
        confirmed = len(known) == 2 and all(correction.state == "confirmed" for correction in known)
        correction = replace(latest, text=text, state="confirmed" if confirmed else "corrected")
    return replace(
        (read or [first])[0],
        baseline=first.baseline,
        polygon=first.polygon,
        text=" ".join(line.text for line in read),
        words=tuple(word for line in read for word in line.words) if all(line.words for line in read) else (),
        alternatives=(),
        confidence=sum(line.confidence * len(line.text) for line in read) / length if length else 0.0,
        correction=correction,
    )
