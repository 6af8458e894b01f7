"""State of a proposal: what is known of a page while fields are found on it: its printed words, and the fields so far."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import msgspec
import numpy as np

from carrel.forms.fields import REVIEW_COLUMN, TABLE_COLUMNS, Field, Kind
from carrel.forms.proposal.boxes import Rect
from carrel.forms.registration.maps import mapped
from carrel.forms.registration.rulings import Rulings
from carrel.forms.registration.words import plain
from carrel.page import Page

MIN_LABEL_CONFIDENCE, MIN_LABEL_LETTERS = 0.8, 3
KINDS: dict[Kind, tuple[str, ...]] = {
    "date": ("date", "born", "died", "birth", "death", "day", "datum", "geboren", "gestorben", "geburt", "tag", "naissance", "deces", "jour", "ne", "nee"),
    "number": ("no", "nr", "number", "numero", "nummer", "amount", "age", "alter", "betrag", "montant", "nombre", "anzahl", "sum", "prix", "price"),
}  # fmt: skip
"""Words of labels that tell a field's kind."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed word, working px."""

    text: str
    rect: Rect
    clear: bool  # long and sure enough to be recognized again


@dataclass
class Proposal:
    """State of a proposal: what is known of a page while fields are found on it."""

    words: list[Printed]
    tall: float  # usual height of the printed words
    fields: list[Field] = field(default_factory=list[Field])
    names: set[str] = field(default_factory=lambda: {*TABLE_COLUMNS, REVIEW_COLUMN})

    def add(self, label: str, kind: Kind | None = None, **more: object) -> None:
        """Add a field under an unused name made of its label."""
        base = _slug(label) or f"field_{len(self.fields) + 1}"
        name, number = base, 2
        while name in self.names:
            name, number = f"{base[:36]}_{number}", number + 1
        self.names.add(name)
        known: Kind = kind or _kind_of(label)
        self.fields.append(msgspec.convert({"name": name, "kind": known, **more}, Field))


def printed_words(page: Page, rulings: Rulings) -> list[Printed]:
    found: list[Printed] = []
    for line in page.lines:
        if line.writing.kind == "handwritten" or (line.writing.kind, line.recognizer) == ("unknown", "ctc"):
            continue
        for word in line.words:
            left, top, right, bottom = word.box
            corners = mapped(
                rulings.to_work, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
            )
            (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
            certain = line.recognizer == "tesseract" and word.confidence >= MIN_LABEL_CONFIDENCE
            clear = certain and len(plain(word.text)) >= MIN_LABEL_LETTERS
            found.append(Printed(word.text, Rect(float(x1), float(y1), float(x2), float(y2)), clear))
    return found


def words_in(found: Proposal, rect: Rect) -> list[Printed]:
    inside = [word for word in found.words if rect.holds(*middle_of(word.rect))]
    return sorted(inside, key=lambda word: (round(word.rect.top / found.tall), word.rect.left))


def label_before(found: Proposal, rect: Rect) -> str:
    """Return the printed words on the row of a box, before it: those that stand together, the nearest last."""
    middle = (rect.top + rect.bottom) / 2
    row = [
        word for word in found.words
        if word.rect.right <= rect.left + found.tall and not rect.holds(*middle_of(word.rect)) and word.rect.top - 0.6 * found.tall < middle < word.rect.bottom + 0.9 * found.tall
    ]  # fmt: skip
    row.sort(key=lambda word: -word.rect.right)
    label: list[Printed] = []
    for word in row:
        if label and label[-1].rect.left - word.rect.right > 1.5 * found.tall:
            break
        label.append(word)
    return " ".join(word.text for word in reversed(label))


def word_after(found: Proposal, rect: Rect) -> str:
    """Return the word that follows a box to tick; where the box was read as a sign of the word, without that."""
    after = [
        word
        for word in found.words
        if word.rect.right < rect.right + 12 * rect.width
        and middle_of(word.rect)[0] > rect.right
        and word.rect.top < (rect.top + rect.bottom) / 2 < word.rect.bottom
        and plain(word.text)
    ]
    return re.sub(r"^\W+|\W+$", "", min(after, key=lambda word: word.rect.left).text) if after else ""


def middle_of(rect: Rect) -> tuple[float, float]:
    return (rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2


def _kind_of(label: str) -> Kind:
    words = {plain(word) for word in label.split()}
    for kind, known in KINDS.items():
        if words & set(known):
            return kind
    return "text"


def _slug(label: str) -> str:
    bare = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "_", bare)).strip("_")[:40].strip("_")
