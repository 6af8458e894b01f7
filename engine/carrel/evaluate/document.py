"""Documents to compare: the lines of a document, with places where the file gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carrel.page import Line, Page, Points, WritingKind


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line: ``readings`` holds what each recognizer made of it, where more than one was asked."""

    text: str
    writing: WritingKind = "unknown"
    baseline: Points = ()
    polygon: Points = ()
    readings: Mapping[str, str] = field(default_factory=dict[str, str])
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The lines of one page in reading order; ``size_px`` is None for plain text."""

    name: str
    lines: tuple[TextLine, ...]
    size_px: tuple[int, int] | None = None
    image: str = ""
    page_index: int = 0

    @property
    def text(self) -> str:
        """All lines that have text, one a line."""
        return "\n".join(line.text for line in self.lines if line.text)


def from_page(name: str, page: Page) -> Document:
    """Return the lines of ``page``."""
    lines = tuple(_text_line(line) for line in page.lines)
    return Document(name, lines, (page.width_px, page.height_px), page.source.file_name, page.source.page_index)


def _text_line(line: Line) -> TextLine:
    readings = {alternative.recognizer: alternative.text for alternative in reversed(line.alternatives)}
    readings |= {line.recognizer: line.text}
    named = {recognizer: text for recognizer, text in readings.items() if recognizer}
    return TextLine(line.final_text, line.writing.kind, line.baseline, line.polygon, named, line.confidence)


def from_text(name: str, text: str) -> Document:
    """Return a line for each line of ``text`` that is not blank."""
    return Document(name, tuple(TextLine(line.strip()) for line in text.splitlines() if line.strip()))
