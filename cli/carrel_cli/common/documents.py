"""Folders of transcriptions: which document a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrel.evaluate import Document

_SUFFIXES = (
    ".json", ".page.xml", ".alto.xml", ".xml", ".hocr.html", ".html", ".hocr", ".gt.txt", ".txt",
)  # fmt: skip


def page_name(stem: str, index: int, count: int) -> str:
    """Return what the results of a file's page are named: as the file, with the page's number where there are several."""
    return stem if count == 1 else f"{stem}-{index + 1:04d}"


def document_files(path: Path) -> dict[str, Path]:
    """Find documents and their files: ``path`` itself, or those below a folder, the most telling format of each."""
    from carrel.formats.read.folders import find_pages

    if path.is_file():
        return {document_name(path.name): path}
    return {name: files.page or files.files["text"] for name, files in find_pages(path).items()}


def document_name(file_name: str) -> str:
    """Return ``file_name`` without the suffix of its format."""
    return next((file_name.removesuffix(suffix) for suffix in _SUFFIXES if file_name.endswith(suffix)), file_name)


def load_document(name: str, path: Path, no_places: bool = False) -> Document:
    """Read the lines of a file; ``no_places`` forgets where they stand."""
    from carrel.evaluate import Document, from_page, from_text
    from carrel.formats import read_page
    from carrel.formats.read.any_format import load_text

    if path.suffix == ".txt":
        return from_text(name, load_text(path))
    document = from_page(name, read_page(path))
    return Document(name, document.lines, None, document.image, document.page_index) if no_places else document
