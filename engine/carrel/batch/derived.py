"""Files that tell of several pages, such as worksheets, reports and line packs: what goes of them with one document."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

from carrel.batch.results import SUFFIXES
from carrel.errors import InputError
from carrel.output import write_file

_MOST_BYTES = 256 * 1024 * 1024
_KEPT = ".kept-"


def is_kept(path: str, results: Iterable[str]) -> bool:
    """Tell whether a path is that of what a person had changed in one of ``results``, kept apart: ``page.txt.kept-1``."""
    base, mark, number = path.rpartition(_KEPT)
    return bool(mark) and number.isdigit() and base in set(results)


def page_names(results: Iterable[str]) -> list[str]:
    """Return the names of the pages that results belong to."""
    ends = sorted(SUFFIXES.values(), key=len, reverse=True)
    return list(dict.fromkeys(path.removesuffix(next((e for e in ends if path.endswith(e)), "")) for path in results))


def tells_of(path: Path, names: Sequence[str]) -> bool:
    """Tell whether a worksheet, report, METS file or pack names one of these pages; the text of a document tells of itself alone."""
    if path.name.endswith(tuple(SUFFIXES.values())):
        return False
    marks = [mark for name in names for mark in (f"{name}#", f"{name}.", f'"{name}"', f"{escape(name)}#")]
    contents = _contents(path)
    return any(mark.encode() in part for part in contents for mark in marks)


def _contents(path: Path) -> list[bytes]:
    """The file's bytes, or those of the texts that are packed in it."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return []
        data = path.read_bytes()
        if not zipfile.is_zipfile(io.BytesIO(data)):
            return [data]
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = [item for item in archive.infolist() if item.filename.endswith((".xml", ".jsonl"))]
            return [archive.read(item) for item in texts if item.file_size <= _MOST_BYTES]
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []


def strip_pack(path: Path, names: Sequence[str]) -> bool:
    """Take the lines of these pages out of a line pack; False where it is none, or none of its lines would be left."""
    from carrel.review.training_lines import drop_pages

    with suppress(InputError):
        return path.suffix == ".zip" and drop_pages(path, names) > 0
    return False


def strip_queue(path: Path, names: Sequence[str]) -> bool:
    """Take the lines of these pages out of the queue that lies beside a shard's journal; False where none is there or none of
    its lines is theirs."""
    pages = set(names)
    try:
        rows = path.read_text("utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError):
        return False
    left = [row for row in rows if row.startswith("# ") or row.partition("\t")[0].rpartition("#")[0] not in pages]
    if len(left) == len(rows):
        return False
    write_file(path, "".join(left).encode())
    return True
