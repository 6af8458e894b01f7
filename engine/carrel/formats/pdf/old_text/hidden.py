"""Old text that is not to be seen, taken out of the pages of a PDF before a new layer is laid on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pikepdf
from pikepdf import ContentStreamInstruction, Dictionary, Name

from carrel.formats.pdf.layer import media_box
from carrel.formats.pdf.old_text.covered import SHOWS, covered_text

_INVISIBLE = 3  # text rendering mode
_MAY_HIDE = re.compile(rb"(?<![\d.])3\s+Tr\b")
_MAY_COVER = re.compile(rb"\bT[jJ]\b.*\sDo\b", re.DOTALL)
_BEGINS, _ENDS = frozenset({"BMC", "BDC"}), "EMC"
_SILENT = frozenset(
    {"BT", "ET", "Tf", "Tr", "Tm", "Td", "TD", "T*", "TL", "Tc", "Tw", "Tz", "Ts", "q", "Q", "cm", "g", "rg", "k"}
)
"""Operators that leave nothing on the page by themselves."""
_DEEPEST_FORM = 8
_LONGEST_CONTENTS = 1 << 26  # bytes; beyond this contents are left as they are

_Instruction = ContentStreamInstruction | pikepdf.ContentStreamInlineImage


class HiddenText:
    """Invisible text of the pages of a document, to be taken out; forms that several pages share are looked at once."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def remove(self, page: pikepdf.Page) -> None:
        """Take out of ``page`` the text that is shown in rendering mode 3, in it and in the forms that it draws, and the text
        that a picture of the whole page covers."""
        if isinstance(page.obj.get(Name.Contents), pikepdf.Array | pikepdf.Stream):
            page.contents_coalesce()
            self._rewrite(page.obj[Name.Contents], page)
        self._forms(page.obj.get(Name.Resources), 0)

    def _forms(self, resources: pikepdf.Object | None, depth: int) -> None:
        drawn = resources.get(Name.XObject) if isinstance(resources, Dictionary) else None
        if not isinstance(drawn, Dictionary) or depth >= _DEEPEST_FORM:
            return
        for _, item in list(drawn.items()):
            if not isinstance(item, pikepdf.Stream) or item.objgen in self._seen or item.get(Name.Subtype) != Name.Form:
                continue
            self._seen.add(item.objgen)
            self._rewrite(item, item)
            self._forms(item.get(Name.Resources), depth + 1)

    def _rewrite(self, stream: pikepdf.Object, owner: pikepdf.Page | pikepdf.Object) -> None:
        covers = isinstance(owner, pikepdf.Page)
        try:
            contents = stream.read_bytes()
            may = _MAY_HIDE.search(contents) or (covers and _MAY_COVER.search(contents))
            if len(contents) > _LONGEST_CONTENTS or not may:
                return
            before: Sequence[_Instruction] = pikepdf.parse_content_stream(owner)
        except (pikepdf.PdfError, ValueError, TypeError, RuntimeError):
            return  # damaged contents are shown as far as they go, and stay as they are
        covered = set[int]()
        if isinstance(owner, pikepdf.Page):
            covered = covered_text(before, owner.obj.get(Name.Resources), media_box(owner))
        kept = without_hidden_text([item for index, item in enumerate(before) if index not in covered])
        if len(kept) < len(before):
            stream.write(pikepdf.unparse_content_stream(kept))


def without_hidden_text(instructions: Sequence[_Instruction]) -> list[_Instruction]:
    """Return ``instructions`` without text all of whose text object is invisible, and without tags and ``q`` to ``Q`` that then
    hold nothing."""
    kept: list[_Instruction] = []
    for block, hidden in _text_objects(instructions):
        kept += [item for item in block if not (hidden and str(item.operator) in SHOWS)]
    return _without_empty_saves(_without_empty_tags(kept))


def _text_objects(instructions: Sequence[_Instruction]) -> Iterator[tuple[list[_Instruction], bool]]:
    """Stretches from BT to ET, with whether all text in them is invisible, and what stands between them."""
    mode, saved = 0, list[int]()
    block, modes = list[_Instruction](), set[int]()
    for item in instructions:
        operator = str(item.operator)
        if operator == "BT" and block:
            yield block, False
            block, modes = [], set()
        elif operator == "q":
            saved.append(mode)
        elif operator == "Q":
            mode = saved.pop() if saved else mode
        elif operator == "Tr":
            mode = int(float(str(item.operands[0]))) if item.operands else mode
        elif operator in SHOWS:
            modes.add(mode)
        block.append(item)
        if operator == "ET":
            yield block, modes == {_INVISIBLE}
            block, modes = [], set()
    yield block, False


def _without_empty_tags(instructions: Sequence[_Instruction]) -> list[_Instruction]:
    kept: list[_Instruction | None] = []
    opened: list[int] = []  # where tags that hold nothing so far begin
    for item in instructions:
        operator = str(item.operator)
        if operator in _BEGINS:
            opened.append(len(kept))
        elif operator == _ENDS and opened:
            kept[opened.pop()] = None
            continue
        elif operator == _ENDS:
            pass
        elif operator not in _SILENT:
            opened = []
        kept.append(item)
    return [item for item in kept if item is not None]


def _without_empty_saves(instructions: Sequence[_Instruction]) -> list[_Instruction]:
    """Without stretches from q to Q that show nothing: an earlier layer is gone altogether."""
    kept: list[_Instruction] = []
    opened: list[int] = []  # where those begin that show nothing so far; -1 for the others
    for item in instructions:
        operator = str(item.operator)
        if operator == "q":
            opened.append(len(kept))
        elif operator == "Q" and opened and (begin := opened.pop()) >= 0:
            del kept[begin:]
            continue
        elif operator not in _SILENT:
            opened = [-1] * len(opened)
        kept.append(item)
    return kept
