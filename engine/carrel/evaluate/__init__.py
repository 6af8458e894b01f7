"""The distance of a transcription from the ground truth, and its reasons.

>>> from carrel.evaluate import character_errors, word_errors
>>> character_errors("carrel", "barrels"), word_errors("a small room", "a room")
(2, 1)
"""

from __future__ import annotations

from carrel.evaluate.distance import character_errors, word_errors
from carrel.evaluate.document import Document, TextLine, from_page, from_text
from carrel.evaluate.score import Counts, DocumentScore, Evaluation, LineScore, confusions, count, score_document

__all__ = [
    "Counts",
    "Document",
    "DocumentScore",
    "Evaluation",
    "LineScore",
    "TextLine",
    "character_errors",
    "confusions",
    "count",
    "from_page",
    "from_text",
    "score_document",
    "word_errors",
]
