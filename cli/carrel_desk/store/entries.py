"""Pages, lines and files of the desk as its lists know them, and a line as a browser sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from carrel.evaluate.coverage import wrong_characters
from carrel.forms.template import Form
from carrel.options import REVIEW_BELOW
from carrel.page import Line, Quality
from carrel_desk.store.edits import LineEdit
from carrel_desk.store.fields import FieldLine, breaks_pattern, told_pattern
from carrel_desk.store.words import readings_of_words

PageState = Literal["waiting", "reading", "read", "refused"]
Concern = Literal["blurred", "faint", "coarse", "cut"]
"""What may be wrong with a scan, and can be put right by another one."""
FAINT = 0.1
"""Contrast below which a page should be scanned darker: two sample pages made fainter were read as well as before at 0.109,
not at all at 0.073; 2026-11."""
COARSE_PX = 8.0
"""Height of small letters below which they are hard to read, see `carrel.page.Quality`."""


@dataclass(slots=True)
class LineEntry:
    """A line as the queue knows it; ``field`` is that of a form which it is the value of."""

    id: str
    expected_errors: float
    doubtful: bool
    text: str
    handwritten: bool
    field: str = ""


@dataclass(slots=True)
class PageEntry:
    """A page of the desk; ``ever`` are the ids of all lines that there are or were."""

    id: str
    scan: str
    index: int
    name: str
    state: PageState = "waiting"
    reason: str = ""
    lines: list[LineEntry] = field(default_factory=list[LineEntry])
    ever: set[str] = field(default_factory=set[str])
    size: tuple[int, int] = (0, 0)
    concerns: list[Concern] = field(default_factory=list[Concern])


@dataclass(slots=True)
class ScanEntry:
    """A file that came: its own name, and where it lies below the folder."""

    id: str
    name: str
    file: str
    reason: str = ""
    counted: bool = False


def concerns_of(quality: Quality | None) -> list[Concern]:
    """Return what is wrong with a scan."""
    if quality is None:
        return []
    found: dict[Concern, bool] = {
        "blurred": quality.is_blurred,
        "faint": quality.contrast < FAINT,
        "coarse": quality.x_height_px < COARSE_PX,
        "cut": bool(quality.cut_edges),
    }
    return [concern for concern, there in found.items() if there]


def entry_of(line: Line, field: FieldLine | None = None) -> LineEntry:
    """Return a line as the queue knows it; of a field's value the template decides whether it is doubtful."""
    words = [word.confidence for word in line.words] or [line.confidence]
    doubtful = not line.text or line.confidence < REVIEW_BELOW or min(words) < DOUBTFUL_WORD
    errors, handwritten = wrong_characters(line.text, line.confidence), line.writing.kind == "handwritten"
    if field is not None:
        return LineEntry(line.id, errors, field.doubtful, line.text, handwritten, field.field.name)
    return LineEntry(line.id, errors, doubtful, line.text, handwritten)


DOUBTFUL_WORD = 0.7
"""Words under this confidence are marked: 71 % of the wrong words for 34 % of all, on 36 test pages."""


def field_view(field: FieldLine, form: Form | None, now: str) -> dict[str, Any]:
    """Return what a browser needs of a line that is the value of a field, beside `line_view`."""
    known = {"name": field.field.name, "row": field.row, "kind": field.field.kind, "pattern": told_pattern(field.field)}
    return {"field": {**known, "doubtful": field.doubtful, "breaks": breaks_pattern(form, field.field, now)}}


def line_view(line: Line, edit: LineEdit | None, others_too: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a browser needs of a line; ``others_too`` are texts that are offered for it, too."""
    read = [a.text for a in line.alternatives if a.text]
    alternatives = [text for text in dict.fromkeys([*read, *others_too]) if text != line.text]
    others = readings_of_words([word.text for word in line.words], alternatives)
    return {
        "id": line.id,
        "polygon": line.polygon,
        "baseline": line.baseline,
        "kind": line.writing.kind,
        "text": line.text,
        "confidence": line.confidence,
        "type": line.line_type,
        "words": [
            {
                "text": w.text,
                "c": w.confidence,
                "letters": [c.confidence for c in w.characters]
                if "".join(c.text for c in w.characters) == w.text
                else [],
                "others": others[i],
            }
            for i, w in enumerate(line.words)
        ],
        "alternatives": alternatives,
        "now": edit.text if edit and edit.text is not None else line.text,
        "done": bool(edit and edit.done),
        "version": edit.version if edit else 0,
        "others": edit.others if edit else [],
    }
