"""``carrel read``: pages in, their text out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carrel.errors import CarrelError, InputError, UsageError
from carrel.formats import FORMATS
from carrel.image.overlay import draw_overlay
from carrel.image.source import count_pages, open_scans
from carrel.options import ReadOptions
from carrel.output import make_folder, write_file
from carrel.page import Page, needs_review
from carrel_cli.documents import page_name
from carrel_cli.running import running_of, running_options

if TYPE_CHECKING:
    from carrel.reader import Reader

PDF = "pdf"
"""Searchable PDF/A-2b: one document for each file, the scan itself under its text."""
UNCOVERED_INK = 0.25
"""Above this share of the ink outside all lines the summary says so; pictures and cut-off facing pages exceed it, too."""


@dataclass(frozen=True)
class Target:
    """Where results go and in which formats; without a folder, to stdout. Lines under ``review_below`` are marked."""

    folder: Path | None
    formats: tuple[str, ...]
    overlay: bool
    review_below: float = 0.0


@click.command("read")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the results; without it they go to stdout."
)
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    help="Repeat for several.  [default: text]",
)
@click.option(
    "--lang", default="eng+fra", show_default=True, help="Languages of printed text, as Tesseract names them."
)
@click.option("--writing", type=click.Choice(["auto", "printed", "handwritten"]), default="auto", show_default=True)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Another handwriting model: its folder, or the name of one that ships with Carrel.",
)
@click.option(
    "--language-model/--no-language-model",
    default=True,
    show_default=True,
    help="Search handwriting with a model of French and English.",
)
@running_options
@click.option("--flatten/--no-flatten", default=True, show_default=True, help="Whiten the paper to find lines.")
@click.option("--deskew/--no-deskew", default=True, show_default=True, help="Level the page to find lines.")
@click.option("--binarize", is_flag=True, help="Read in black and white; gray is better on most scans.")
@click.option("--overlay", is_flag=True, help="Also write a PNG of the lines, their order and routing (needs -o).")
@click.option(
    "--review-below",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Mark lines less sure than this in the overlay, and count them in the summary.  [default: none]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[Path, ...],
    output: Path | None,
    formats: tuple[str, ...],
    lang: str,
    writing: str,
    model: Path | None,
    language_model: bool,
    flatten: bool,
    deskew: bool,
    binarize: bool,
    overlay: bool,
    review_below: float,
    quiet: bool,
    **running: Any,
) -> None:
    """Read scans and PDFs: FILES in, their text out."""
    target = Target(output, formats or ("text",), overlay, review_below)
    if output is None and (overlay or len(target.formats) > 1 or PDF in target.formats):
        raise UsageError("a PDF, an overlay or several formats need a folder for the results; add -o DIR")
    if output is not None:
        make_folder(output)
    options = ReadOptions(
        languages=tuple(lang.split("+")),
        writing=writing,  # type: ignore[arg-type]
        model=model,
        language_model=language_model,
        flatten=flatten,
        deskew=deskew,
        binarize=binarize,
        **running_of(running),
    )
    failures = read_files(files, target, options, quiet=quiet)
    if failures:
        if len(files) > 1:
            names = ", ".join(str(f) for f, _ in failures)
            click.echo(f"carrel: {len(failures)} of {len(files)} files not read: {names}", err=True)
        ctx.exit(failures[0][1].exit_code)


def read_files(
    files: Sequence[Path], target: Target, options: ReadOptions, *, quiet: bool
) -> list[tuple[Path, CarrelError]]:
    """Read every file; returns those that failed, each already named on stderr."""
    from carrel.reader import Reader

    reader = Reader(options, files)
    failures: list[tuple[Path, CarrelError]] = []
    first = True
    held: list[str] = []  # what there is to say of pages read under a progress bar
    with _progress(files, quiet=quiet) as advance:
        for file, name in zip(files, _output_names(files), strict=True):
            try:
                for page, stem in _read_file(reader, file, name, target):
                    _write(page, stem, target, first=first)
                    first = False
                    if advance is not None:
                        advance()
                        held.append(_summary(page, stem, target.review_below))
                    elif not quiet:
                        click.echo(_summary(page, stem, target.review_below), err=True)
            except InputError as error:
                click.echo(f"carrel: {error}", err=True)
                failures.append((file, error.with_traceback(None)))  # a traceback would keep the page in memory
    for summary in held:
        click.echo(summary, err=True)
    return failures


def _read_file(reader: Reader, file: Path, name: str, target: Target) -> Iterator[tuple[Page, str]]:
    """Pages of a file with the names of their results; writes what needs the scan."""
    count = count_pages(file)
    pages: list[Page] = []
    for index, scan in enumerate(open_scans(file, reader.options.max_megapixels, budget=reader.budget)):
        page = reader.read_scan(scan)
        stem = page_name(name, index, count)
        if target.folder is not None and target.overlay:
            write_file(target.folder / f"{stem}.overlay.png", draw_overlay(page, scan.gray, target.review_below))
        pages.append(page)
        yield page, stem
    if target.folder is not None and PDF in target.formats:
        contents = file.read_bytes()
        document = FORMATS[PDF].write_document([(page, contents) for page in pages])
        write_file(target.folder / f"{name}{FORMATS[PDF].suffix}", document)


def _write(page: Page, stem: str, target: Target, *, first: bool) -> None:
    for name in target.formats:
        if name == PDF:
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
            f"several files are named {twice[0]}: their results would overwrite each other; read them apart"
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
    return f"{stem}: {len(page.lines)} lines ({parts or 'none found'}){refused}{review}{missed}"


@contextmanager
def _progress(files: Sequence[Path], *, quiet: bool) -> Generator[Callable[[], None] | None]:
    """A progress bar over pages on a terminal, when there is more than one; None where there is no bar."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    total = sum(_pages_or_one(file) for file in files)
    if total < 2:
        yield None
        return
    with click.progressbar(length=total, label="reading", file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)


def _pages_or_one(file: Path) -> int:
    try:
        return count_pages(file)
    except InputError:
        return 1
