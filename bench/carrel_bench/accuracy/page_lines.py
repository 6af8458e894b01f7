"""Costs of a page's lines wherever they stand: errors inside lines, lines missed, lines that are not in the ground truth.

The comparison of whole texts mixes these with reading order. Here lines that run along each other are compared, pieces
of a line or lines run into one together, as ``carrel eval`` does.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from carrel.evaluate import Document, from_page, score_document
from carrel.formats import read_page
from carrel.page import Page, Points

FOLDED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "¬": "-"})  # fmt: skip
"""What ground truths write in different ways."""


def fold(text: str) -> str:
    """Return the text in NFC, with typographic signs as ASCII, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(FOLDED).split())


@dataclass(frozen=True)
class LineErrors:
    """Characters of one page: wrong inside lines that are in both, of true lines that were missed, of extra lines.

    ``extra_handwritten`` is the part of ``extra`` that is clearly handwriting, not print: ground truth of handwriting often
    leaves out the print of a form.
    """

    misread: int
    missed: int
    extra: int
    extra_handwritten: int

    @property
    def total(self) -> int:
        """All errors, in any order of lines."""
        return self.misread + self.missed + self.extra


def line_errors(ground_truth: Path, scale: float, page: Page) -> LineErrors:
    """Compare ``page`` with an ALTO or PAGE file line by line, texts folded; ``scale`` is image px per px of the file."""
    wanted = _folded(from_page(ground_truth.name, read_page(ground_truth)), scale)
    found = _folded(from_page(ground_truth.name, page))
    scores = score_document(replace(wanted, size_px=found.size_px), found).lines
    extra = [(len(score.hypothesis), score.writing) for score in scores if not score.ground_truth]
    both = [score.counts["as is"] for score in scores if score.ground_truth and score.hypothesis]
    return LineErrors(
        misread=sum(counts.character_errors for counts in both),
        missed=sum(len(score.ground_truth) for score in scores if not score.hypothesis),
        extra=sum(length for length, _ in extra),
        extra_handwritten=sum(length for length, writing in extra if writing == "handwritten"),
    )


def _folded(document: Document, scale: float = 1.0) -> Document:
    def scaled(points: Points) -> Points:
        return tuple((round(x * scale), round(y * scale)) for x, y in points)

    lines = tuple(
        replace(line, text=fold(line.text), baseline=scaled(line.baseline), polygon=scaled(line.polygon))
        for line in document.lines
    )
    return replace(document, lines=lines)
