"""Differences that may be left out of a comparison: case, punctuation, spacing, typographic and compatibility forms.

Text is always compared in NFC with white space folded to single spaces and none at the ends, so a line break counts as
a space. Rates are those of jiwer and dinglehopper to the last digit on the same text (tests/engine/test_evaluate_dinglehopper.py), but for this: dinglehopper counts a letter and its marks as one unit even where they have no
common code point, Carrel and jiwer count code points; dinglehopper's command also counts line breaks as characters, takes
some letters of German print for others, and for its WER ends words where Unicode's annex 29 says and leaves out those of
punctuation alone.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ′´`", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−¬⸗", "-"),
        "…": "...",
        "\u00ad": "-",
        "ſ": "s",
    }
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Soft hyphens, and spaces and joiners without width."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """Differences that count: True compares them, False leaves it out."""

    name: str
    case: bool = True
    punctuation: bool = True
    spacing: bool = True
    typography: bool = True
    compatibility: bool = True
    """Ligatures, presentation forms, letters of other widths (NFKC, UAX 15), and soft hyphens."""

    def apply(self, text: str) -> str:
        """Return ``text`` with what does not count left out."""
        text = unicodedata.normalize("NFC" if self.compatibility else "NFKC", text)
        if not self.compatibility:
            text = text.translate(_UNSEEN)
        if not self.typography:
            text = text.translate(_TYPOGRAPHY)
        if not self.case:
            text = text.casefold()
        if not self.punctuation:
            text = "".join(character for character in text if unicodedata.category(character)[0] != "P")
        return ("" if not self.spacing else " ").join(text.split())


AS_IS = Normalization("as is")
ALL = (
    AS_IS,
    Normalization("without typography", typography=False),
    Normalization("NFKC", compatibility=False),
    Normalization("without case", case=False),
    Normalization("without punctuation", punctuation=False),
    Normalization("without spacing", spacing=False),
    Normalization("letters only", case=False, punctuation=False, spacing=False, typography=False),
)
"""Every way that ``carrel eval`` compares."""
