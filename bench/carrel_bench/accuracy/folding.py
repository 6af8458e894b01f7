"""Folding of what ground truths write in different ways."""

from __future__ import annotations

import unicodedata

FOLDED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "¬": "-"})  # fmt: skip


def fold(text: str) -> str:
    """Return the text in NFC, with typographic signs as ASCII, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(FOLDED).split())
