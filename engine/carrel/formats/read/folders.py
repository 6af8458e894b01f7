"""Folders of results: which files belong to one page, in subfolders too, and what there is no page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from carrel.errors import InputError
from carrel.formats import SIDE_FORMATS

PAGE_FORMATS = ("json", "page", "alto", "hocr")
"""Formats that a page is read from, the most telling first."""
_ENDINGS = (
    *((form.suffix, name) for name, form in SIDE_FORMATS.items()),
    (".json", ""), (".tei.xml", "tei"), (".page.xml", ""), (".alto.xml", ""), (".xml", ""), (".hocr.html", ""),
    (".html", ""), (".hocr", ""), (".gt.txt", "text"), (".txt", "text"), (".csv", "csv"), (".pdf", "pdf"),
)  # fmt: skip
"""End of the name -> format; where it is empty, the content tells."""
_HEAD_BYTES = 64 * 1024
_JSON_PAGE = re.compile(rb'"format"\s*:\s*"carrel-page/')
_FIRST_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)[\s/>]")
_ROOTS = {b"alto": "alto", b"PcGts": "page"}


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The files of one page. ``name`` is that of its files without their endings, below the folder, with slashes."""

    name: str
    folder: Path
    files: Mapping[str, Path]
    """Name of the format -> file."""

    @property
    def page(self) -> Path | None:
        """The file that tells most of the page; None where there is only text."""
        return next((self.files[name] for name in PAGE_FORMATS if name in self.files), None)

    def path(self, suffix: str) -> Path:
        """Return the path that Carrel gives a file of this page with that suffix."""
        return self.folder / f"{self.name}{suffix}"


def find_pages(folder: Path) -> dict[str, PageFiles]:
    """Find the pages below a folder, by name, page 9 before page 10.

    Hidden folders are skipped, and so is every file that holds no page: METS, TEI alone, reports, settings. Texts
    without a page are listed; they may be notes.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; check the name")
    found: dict[str, dict[str, Path]] = {}
    for path in _walk(folder):
        ending, kind = next(((e, k) for e, k in _ENDINGS if path.name.lower().endswith(e)), ("", None))
        kind = content_kind(path) if kind == "" else kind
        if kind:
            name = path.relative_to(folder).as_posix()
            found.setdefault(name[: len(name) - len(ending)], {}).setdefault(kind, path)
    _set_halves_apart(found)
    pages = (PageFiles(name, folder, found[name]) for name in sorted(found, key=_natural))
    return {page.name: page for page in pages if page.page or "text" in page.files}


def _set_halves_apart(found: dict[str, dict[str, Path]]) -> None:
    """Make pages of their own, ``deed.left``, of the two pages of a spread whose JSON is not there."""
    for name in [name for name, files in found.items() if "json" not in files]:
        for kind in [kind for kind in found[name] if kind in SIDE_FORMATS]:
            whole, _, side = kind.rpartition("-")
            found.setdefault(f"{name}.{side}", {}).setdefault(whole, found[name].pop(kind))
        if not found[name]:
            del found[name]


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # endings in their order, so that `x.gt.txt` comes before `x.txt`
        for _, name in sorted((_rank(name), name) for name in files if not name.startswith(".")):
            yield Path(place, name)


def _rank(name: str) -> int:
    return next((rank for rank, (ending, _) in enumerate(_ENDINGS) if name.lower().endswith(ending)), len(_ENDINGS))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def content_kind(path: Path) -> str | None:
    """Tell a page's format by the first bytes of its file: json, page, alto, hocr, or None where it is no page."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return "json" if _JSON_PAGE.search(head) else None
    if b"ocr_page" in head:
        return "hocr"
    first = _FIRST_ELEMENT.search(head)
    return _ROOTS.get(first[1]) if first else None
