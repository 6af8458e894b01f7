"""Pages written to bytes and files by the name of a format, or by the end of a file's name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from carrel.errors import OutputError, UsageError
from carrel.formats import FORMATS, Format
from carrel.formats.write.text import write_document as joined_text
from carrel.image.files import open_regular
from carrel.options import ReadOptions
from carrel.output import write_file
from carrel.page import Page

OTHER_NAMES = {"txt": "text", "xml": "alto", "pagexml": "page", "html": "hocr"}
"""What formats are called elsewhere."""
ScanFile = bytes | str | os.PathLike[str]


def format_named(name: str) -> Format:
    """Return the format of that name, in any case.

    Raises
    ------
    UsageError
        There is none; the message names the nearest.
    """
    known = name.strip().lower().lstrip(".")
    known = OTHER_NAMES.get(known, known)
    if known not in FORMATS:
        near = get_close_matches(known, [*FORMATS, *OTHER_NAMES], 1)
        hint = f"did you mean {OTHER_NAMES.get(near[0], near[0])}?" if near else f"choose from {', '.join(FORMATS)}"
        raise UsageError(f"no format is named {name.strip()}; {hint}")
    return FORMATS[known]


def format_of_file(path: Path) -> Format:
    """Return the format that the end of a file's name tells.

    Raises
    ------
    UsageError
        It tells none.
    """
    name = path.name.lower()
    found = [form for form in FORMATS.values() if name.endswith(form.suffix)]
    if not found:
        endings = ", ".join(form.suffix for form in FORMATS.values())
        raise UsageError(f"{path}: its name ends in none of {endings}; rename it, or name the format")
    return max(found, key=lambda form: len(form.suffix))


def write(
    pages: Page | Sequence[Page],
    format: str = "text",
    scan: ScanFile | Sequence[ScanFile] | None = None,
    options: ReadOptions | None = None,
) -> bytes:
    r"""Write a page, or the pages of a document, in a format; returns the bytes of one file.

    Parameters
    ----------
    pages
        One page, or several for the formats that hold several: ``text`` (a form feed between pages) and ``pdf``.
    format
        ``text``, ``json``, ``alto``, ``page``, ``hocr``, ``tei``, ``csv`` or ``pdf``, in any case.
    scan
        The file that the pages were read from, as bytes or a path, or one for each page; a PDF needs it.
    options
        Those that the pages were read with; a PDF minds ``own_text`` and ``keep_rotation``.

    Raises
    ------
    UsageError
        There is no such format, it holds one page only, or the scan is missing.
    InputError
        The scan cannot be read, or is not the pages'.
    OutputError
        There are no pages, or one cannot be written in this format.

    Examples
    --------
    >>> carrel.write(page, "csv").decode().splitlines()[0][:32]
    'file,page,region,region_kind,lin'
    >>> len(carrel.write([page, page], "text").split(b"\f"))
    2
    """
    form = format_named(format)
    every = [pages] if isinstance(pages, Page) else list(pages)
    if not every:
        raise OutputError("no pages to write; give at least one")
    if form.needs_scan:
        return _with_scan(form, every, scan, options, whole=not isinstance(pages, Page))
    if form.name == "text":
        return joined_text(every)
    if len(every) > 1:
        raise UsageError(f"{form.name} holds one page a file, not {len(every)}; write each page to its own")
    return form.write(every[0])


def _with_scan(
    form: Format,
    pages: Sequence[Page],
    scan: ScanFile | Sequence[ScanFile] | None,
    options: ReadOptions | None,
    *,
    whole: bool,
) -> bytes:
    if scan is None:
        raise UsageError(f"{form.name} shows the page itself; give scan, the file that it was read from")
    alone = isinstance(scan, bytes | str | os.PathLike)
    scans = [_contents(scan)] * len(pages) if alone else [_contents(one) for one in scan]
    if len(scans) != len(pages):
        raise UsageError(f"scan: {len(scans)} files for {len(pages)} pages; give one file, or one for each page")
    if not whole:
        return form.write(pages[0], scans[0], options)
    return form.write_document(list(zip(pages, scans, strict=True)), options).data


def _contents(scan: ScanFile) -> bytes:
    if isinstance(scan, bytes):
        return scan
    with open_regular(Path(scan)) as file:
        return file.read()


def save(
    page: Page,
    path: str | os.PathLike[str],
    format: str | None = None,
    scan: ScanFile | None = None,
) -> Path:
    """Write a page to a file; see `carrel.Page.save`."""
    target = Path(path)
    name = format_of_file(target).name if format is None else format
    write_file(target, write(page, name, scan))
    return target
