"""Texts that people typed, line by line, as the journal tells it: nobody's text is thrown away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

Op = Literal["text", "done", "open", "settle"]
MOST_CHARACTERS = 4000


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """One change of a line by a browser.

    Parameters
    ----------
    who
        The browser's window, a random name of its own.
    s
        Its number among that window's changes: one that is sent twice is applied once.
    base
        The version of the line that the typist saw.
    op
        ``text`` typed; ``done`` as it stands; ``open`` not done after all; ``settle`` the other texts are no longer needed.
    seconds
        How long the line was looked at, for ``done``.
    """

    page: str
    line: str
    op: Op
    who: str = msgspec.field(default="")
    s: int = 0
    base: int = 0
    text: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class LineEdit:
    """A line as people left it: ``version`` counts its changes; ``others`` are texts of others that it replaced."""

    text: str | None = None
    done: bool = False
    who: str = ""
    at: str = ""
    version: int = 0
    others: list[str] = field(default_factory=list[str])


class Edits:
    """All lines that people touched."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], LineEdit] = {}
        self.seconds: list[float] = []
        self._last: dict[str, int] = {}

    def known(self, change: Change) -> bool:
        """Tell whether the change was applied before."""
        return change.s <= self._last.get(change.who, 0)

    def apply(self, change: Change, at: str) -> LineEdit:
        """Apply a change, once; returns the line as it is now."""
        edit = self.lines.setdefault((change.page, change.line), LineEdit())
        if self.known(change):
            return edit
        self._last[change.who] = change.s
        foreign = edit.who not in ("", change.who) and change.base != edit.version
        match change.op:
            case "settle":
                edit.others.clear()
            case "open":
                edit.done = False
            case "text" | "done":
                if foreign and edit.text is not None and edit.text != change.text:
                    edit.others = [text for text in [*edit.others, edit.text] if text != change.text][-8:]
                edit.text, edit.done = change.text, change.op == "done"
                if change.op == "done" and change.seconds > 0:
                    self.seconds = [*self.seconds, min(change.seconds, 60.0)][-200:]
        edit.who, edit.at, edit.version = change.who, at, edit.version + 1
        return edit

    def carry(self, page: str, line: str, text: str, at: str) -> None:
        """Give a line the text that people gave to the lines it was made of."""
        self.lines[page, line] = LineEdit(text, at=at, version=1)

    def of_page(self, page: str) -> dict[str, LineEdit]:
        """Return the touched lines of a page, by id."""
        return {line: edit for (own, line), edit in self.lines.items() if own == page}

    def forget(self, page: str) -> None:
        """Drop a page's lines."""
        for key in [key for key in self.lines if key[0] == page]:
            del self.lines[key]
