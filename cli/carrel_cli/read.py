"""``carrel read``: pages in, their text out."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import CarrelError, InputError, UsageError
from carrel.formats import FORMATS, OF_PAGE_ALONE
from carrel.image.files import shown
from carrel.image.overlay import OVERLAY, OVERLAY_SUFFIX, draw_overlay
from carrel.options import ReadOptions
from carrel.output import make_folder, write_file
from carrel.page import Page, needs_review
from carrel_cli.documents import page_name
from carrel_cli.page_range import PageRange
from carrel_cli.reading import format_options, reading_options, review_option

if TYPE_CHECKING:
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

PDF = "pdf"
"""Searchable PDF: one document for each file, the page itself with text on it."""
STDIN = Path("-")
_CHUNK_BYTES = 2**20
UNCOVERED_INK = 0.25
"""Above this share of the ink outside all lines the summary says so; pictures and cut-off facing pages exceed it, too."""


@dataclass(frozen=True)
class Target:
    """Which pages are read, where results go and in which formats; without a folder, to stdout. Lines under
    ``review_below`` are marked."""

    folder: Path | None
    formats: tuple[str, ...]
    review_below: float
    pages: PageRange


@click.command("read")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the results; without it they go to stdout."
)
@format_options
@reading_options
@review_option
@click.option(
    "--pages", metavar="RANGE", default="", help="Of each file, read only these, like 3-7 or 1,4,9-.  [default: all]"
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[Path, ...],
    output: Path | None,
    formats: tuple[str, ...],
    read: ReadOptions,
    review_below: float,
    pages: str,
    quiet: bool,
) -> None:
    """Read scans and PDFs: FILES in, their text out. A file named - is read from stdin."""
    target = Target(output, formats, review_below, PageRange.parse(pages))
    if output is None and (len(formats) > 1 or not set(formats) <= set(OF_PAGE_ALONE)):
        raise UsageError("a PDF, an overlay or several formats need a folder for the results; add -o DIR")
    for file in files:
        if file.is_dir():
            raise InputError(f"{shown(file)}: is a folder; read it with carrel batch {shown(file)} -o OUT")
    if output is not None:
        make_folder(output)
    failures = read_files(files, target, read, quiet=quiet)
    if failures:
        if len(files) > 1:
            names = ", ".join(shown(f) for f, _ in failures)
            click.echo(f"carrel: {len(failures)} of {len(files)} files not read: {names}", err=True)
        ctx.exit(failures[0][1].exit_code)


def read_files(
    files: Sequence[Path], target: Target, options: ReadOptions, *, quiet: bool
) -> list[tuple[Path, CarrelError]]:
    """Read every file; returns those of which a page failed, with its error, each already named on stderr."""
    from carrel.loading import budget_for
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

    inputs = [_Input.of(file) for file in files]
    names = _output_names([entry.named for entry in inputs])
    budget = budget_for(options)
    failures: dict[Path, CarrelError] = {}
    first = True
    held: list[str] = []  # what there is to say of pages read under a progress bar
    with Decoder(options, budget) as decoder:
        paths = [entry.path for entry in inputs]
        reader = Reader(options, budget=budget, largest=decoder.largest_page(paths))
        with _progress(decoder, paths, quiet=quiet) as advance:
            for entry, name in zip(inputs, names, strict=True):
                for page, stem in _read_file(reader, decoder, entry, name, target):
                    if isinstance(page, CarrelError):
                        click.echo(f"carrel: {str(page).replace(str(entry.path), shown(entry.named))}", err=True)
                        failures.setdefault(
                            entry.named, page.with_traceback(None)
                        )  # which would keep the page in memory
                        continue
                    _write(page, stem, target, first=first)
                    first = False
                    if advance is not None:
                        advance()
                        held.append(_summary(page, stem, target.review_below))
                    elif not quiet:
                        click.echo(_summary(page, stem, target.review_below), err=True)
    for summary in held:
        click.echo(summary, err=True)
    return list(failures.items())


@dataclass(frozen=True)
class _Input:
    """A file to read, and what it is called in messages and results."""

    path: Path
    named: Path

    @classmethod
    def of(cls, file: Path) -> _Input:
        """``-`` is all of stdin, kept in memory: nothing of it reaches a disk."""
        if file != STDIN:
            return cls(file, file)
        descriptor = os.memfd_create("stdin", 0)
        with os.fdopen(os.dup(descriptor), "wb") as memory:
            shutil.copyfileobj(sys.stdin.buffer, memory, _CHUNK_BYTES)
        return cls(Path(f"/proc/self/fd/{descriptor}"), Path("stdin"))


def _read_file(
    reader: Reader, decoder: Decoder, entry: _Input, name: str, target: Target
) -> Iterator[tuple[Page | CarrelError, str]]:
    """Pages of a file, or why they cannot be read, with the names of their results; writes what needs the scan."""
    pages: list[Page] = []
    try:
        count = decoder.count_pages(entry.path)
        for index in target.pages.of(count, entry.named):
            stem = page_name(name, index, count)
            try:
                pages.append(_read_page(reader, decoder, entry, index, stem, target))
            except InputError as error:
                yield error, stem
            else:
                yield pages[-1], stem
        if pages and target.folder is not None and PDF in target.formats:
            document = decoder.document(entry.path, PDF, pages)
            write_file(target.folder / f"{name}{FORMATS[PDF].suffix}", document.data)
            for note in document.notes:
                click.echo(f"{name}{FORMATS[PDF].suffix}: {note}", err=True)
    except InputError as error:
        yield error, name


def _read_page(reader: Reader, decoder: Decoder, entry: _Input, index: int, stem: str, target: Target) -> Page:
    scan = decoder.scan(entry.path, index)
    scan = replace(scan, source=replace(scan.source, file_name=entry.named.name))
    page = reader.read_scan(scan)
    if target.folder is not None and OVERLAY in target.formats:
        write_file(target.folder / f"{stem}{OVERLAY_SUFFIX}", draw_overlay(page, scan.gray, target.review_below))
    return page


def _write(page: Page, stem: str, target: Target, *, first: bool) -> None:
    for name in target.formats:
        if name not in OF_PAGE_ALONE:
            continue
        contents = FORMATS[name].write(page)
        if target.folder is not None:
            write_file(target.folder / f"{stem}{FORMATS[name].suffix}", contents)
            continue
        if not first and name == "text":
            sys.stdout.buffer.write(b"\f")  # a page break, as plain text has it
        sys.stdout.buffer.write(contents)
        sys.stdout.buffer.flush()


def _output_names(files: Sequence[Path]) -> list[str]:
    """Names of the results without suffix: the file's stem, its whole name where two stems are alike."""
    stems = Counter(file.stem for file in files)
    names = [file.stem if stems[file.stem] == 1 else file.name for file in files]
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise UsageError(
            f"several files are named {shown(Path(twice[0]))}: their results would overwrite each other; read them apart"
        )
    return names


def _summary(page: Page, stem: str, review_below: float) -> str:
    kinds = Counter(line.writing.kind for line in page.lines)
    parts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("printed", "handwritten", "unknown") if kinds[kind])
    refused = f"; {len(page.refused)} not read" if page.refused else ""
    doubtful = sum(needs_review(line, review_below) for line in page.lines)
    review = f"; {doubtful} to review" if review_below and doubtful else ""
    uncovered = page.uncovered_ink or 0.0
    missed = f"; {100 * uncovered:.0f} % of the ink lies outside all lines" if uncovered > UNCOVERED_INK else ""
    return f"{shown(Path(stem))}: {len(page.lines)} lines ({parts or 'none found'}){refused}{review}{missed}"


@contextmanager
def _progress(decoder: Decoder, files: Sequence[Path], *, quiet: bool) -> Generator[Callable[[], None] | None]:
    """A progress bar over pages on a terminal, when there is more than one; None where there is no bar."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    total = sum(_pages_or_one(decoder, file) for file in files)
    if total < 2:
        yield None
        return
    with click.progressbar(length=total, label="reading", file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)


def _pages_or_one(decoder: Decoder, file: Path) -> int:
    try:
        return decoder.count_pages(file)
    except InputError:
        return 1
