"""Folders of transcriptions: which document a file holds, and which scan belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.image.files import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from PIL.Image import Image

    from carrel.evaluate import Document

# the most telling first, where a folder has a page in several formats
_SUFFIXES = (
    ".json", ".page.xml", ".alto.xml", ".xml", ".hocr.html", ".html", ".hocr", ".gt.txt", ".txt",
)  # fmt: skip
_NO_PAGES = ("index.json", "manifest.json")


def page_name(stem: str, index: int, count: int) -> str:
    """What the results of a file's page are named: as the file, with the page's number where there are several."""
    return stem if count == 1 else f"{stem}-{index + 1:04d}"


def document_files(path: Path) -> dict[str, Path]:
    """Document name -> its file: ``path`` itself, or the files of a folder, the most telling format of each."""
    if path.is_file():
        return {document_name(path.name): path}
    found: dict[str, tuple[int, Path]] = {}
    for file in sorted(path.iterdir()):
        suffix = next((index for index, suffix in enumerate(_SUFFIXES) if file.name.endswith(suffix)), None)
        if suffix is not None and file.is_file() and file.name not in _NO_PAGES:
            name = document_name(file.name)
            found[name] = min(found.get(name, (suffix, file)), (suffix, file))
    return {name: file for name, (_, file) in found.items()}


def document_name(file_name: str) -> str:
    """``file_name`` without the suffix of its format."""
    return next((file_name.removesuffix(suffix) for suffix in _SUFFIXES if file_name.endswith(suffix)), file_name)


def load_document(name: str, path: Path, no_places: bool = False) -> Document:
    """The lines of a file; ``no_places`` forgets where they stand."""
    from carrel.evaluate import Document, from_page, from_text
    from carrel.formats import read_page
    from carrel.formats.read.any_format import load

    if path.suffix == ".txt":
        return from_text(name, load(path).decode("utf-8-sig", "replace"))
    document = from_page(name, read_page(path))
    return Document(name, document.lines, None, document.image) if no_places else document


def find_scan(folder: Path, name: str, told: Iterable[str], size_px: tuple[int, int]) -> Image | None:
    """The picture of a document in ``folder``: of a name that its files tell, else of its own, and of that size."""
    from carrel.evaluate.pictures import open_scan

    names = [*(candidate for candidate in told if candidate), *(name + suffix for suffix in PICTURE_SUFFIXES)]
    paths = (folder / Path(candidate).name for candidate in names)
    opened = (open_scan(path, size_px) for path in paths if path.is_file())
    return next((image for image in opened if image), None)
