"""``carrel read``: pages in, their text out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import CarrelError, InputError, UsageError
from carrel.formats import FORMATS, OF_PAGE_ALONE, formats_of
from carrel.image.files import shown
from carrel.image.overlay import OVERLAY, OVERLAY_SUFFIX, draw_overlay
from carrel.options import ReadOptions
from carrel.output import make_folder
from carrel.page import Page, expected_word_errors, page_needs_review
from carrel_cli.common.page_range import PageRange
from carrel_cli.common.reading import format_options, reading_options, review_option, was_given
from carrel_cli.common.streams import complain, counted, stdin_in_memory
from carrel_cli.common.targets import Outputs, name_results

if TYPE_CHECKING:
    from carrel.budget import Budget
    from carrel.forms.table import Row
    from carrel.forms.template import Form
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

PDF = "pdf"
"""Searchable PDF: one document for each file, the page itself with text on it."""
STDIN = Path("-")
UNCOVERED_INK = 0.25
"""Above this share of the ink outside all lines the summary says so; pictures and cut-off facing pages exceed it, too."""


@dataclass(frozen=True)
class Target:
    """Pages to read, places and formats of results; without a folder, to stdout. Lines under
    ``review_below`` are marked."""

    folder: Path | None
    formats: tuple[str, ...]
    review_below: float
    pages: PageRange
    force: bool = False
    is_table_alone: bool = False
    """The table of a form's fields goes to stdout, not the pages."""


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
@click.option(
    "--force",
    is_flag=True,
    help="Replace files that Carrel did not write, or that were changed since; never one that is read.",
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
    force: bool,
    quiet: bool,
) -> None:
    """Read scans and PDFs: FILES in, their text out. A file named - is read from stdin.

    With --form, the fields of all pages are written as one table, fields-NAME.csv and .json; without -o, the table as CSV goes
    to stdout instead of the text, unless a format is named.
    """
    alone = output is None and read.form is not None and not was_given(ctx, "formats")
    target = Target(output, formats, review_below, PageRange.parse(pages), force, alone)
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
    """Read every file; returns those of which a page failed, with its error, each already named on stderr.

    Raises
    ------
    OutputError
        A result would replace a file that is to be read, or that Carrel did not write; nothing has been read.
    """
    from carrel.loading import budget_for
    from carrel.workers.decoder import Decoder

    inputs = [_Input.of(file) for file in files]
    form = None
    if options.form is not None:
        from carrel.forms.template import load_form

        form = load_form(options.form)
    budget = budget_for(options)
    failures: dict[Path, CarrelError] = {}
    first = True
    held: list[str] = []  # what there is to say of pages read under a progress bar
    with Decoder(options, budget) as decoder:
        run = _Run(target, decoder, inputs, options, form)
        run.load(budget)
        with _progress(run.count, quiet=quiet) as advance:
            for entry, page, stem in run.pages():
                if isinstance(page, CarrelError):
                    complain(str(page).replace(str(entry.path), shown(entry.named)))
                    failures.setdefault(entry.named, page.with_traceback(None))  # which would keep the page in memory
                    continue
                run.write(page, stem, first=first)
                run.add_fields(page, stem)
                first = False
                if advance is not None:
                    advance()
                    held.append(_summary(page, stem))
                elif not quiet:
                    click.echo(_summary(page, stem), err=True)
    for summary in held:
        click.echo(summary, err=True)
    run.write_table(quiet=quiet)
    return list(failures.items())


@dataclass(frozen=True)
class _Input:
    """A file to read, and what it is called in messages and results."""

    path: Path
    named: Path

    @classmethod
    def of(cls, file: Path) -> _Input:
        """Return the file; ``-`` is all of stdin."""
        return cls(stdin_in_memory(), Path("stdin")) if file == STDIN else cls(file, file)


class _Run:
    """The files of one run: counted and their results named first, then read page by page."""

    def __init__(
        self,
        target: Target,
        decoder: Decoder,
        inputs: Sequence[_Input],
        options: ReadOptions,
        form: Form | None = None,
    ) -> None:
        self._target, self._decoder, self._inputs, self._options = target, decoder, inputs, options
        self._reader: Reader | None = None
        self._wanted: list[list[int] | InputError] = []
        self._form = form
        self._rows: list[Row] = []
        counts: list[tuple[Path, int]] = []
        for entry in inputs:
            count, wanted = self._count(entry)
            counts.append((entry.named, count))
            self._wanted.append(wanted)
        self._names = name_results(counts, target.formats, parted=options.split_spreads)
        self._outputs = self._claim() if target.folder is not None else None

    @property
    def count(self) -> int:
        """Number of pages that are to be read."""
        return sum(len(wanted) for wanted in self._wanted if not isinstance(wanted, InputError))

    def load(self, budget: Budget) -> None:
        """Load the recognizers, for the largest page."""
        from carrel.reader import Reader

        paths = [entry.path for entry in self._inputs]
        self._reader = Reader(self._options, budget=budget, largest=self._decoder.largest_page(paths))

    def pages(self) -> Iterator[tuple[_Input, Page | CarrelError, str]]:
        """Read page by page, or say why a file or page cannot be read; results' names come along."""
        for entry, wanted, names in zip(self._inputs, self._wanted, self._names, strict=True):
            if isinstance(wanted, InputError):
                yield entry, wanted, names.document
                continue
            pages: list[Page] = []
            for index in wanted:
                try:
                    pages.append(self._read(entry, index, names.pages[index]))
                except InputError as error:
                    yield entry, error, names.pages[index]
                else:
                    yield entry, pages[-1], names.pages[index]
            try:
                self._write_document(entry, pages, names.document)
            except InputError as error:
                yield entry, error, names.document

    def write(self, page: Page, stem: str, *, first: bool) -> None:
        """Write what needs the page alone."""
        if self._form is not None and self._target.is_table_alone:
            return
        forms = [form for name in self._target.formats if name in OF_PAGE_ALONE for form in formats_of(page, name)]
        for form in forms:
            contents = form.write(page, options=self._options)
            if self._outputs is not None:
                self._outputs.write(f"{stem}{form.suffix}", contents)
                continue
            if not first and form.name == "text":
                sys.stdout.buffer.write(b"\f")  # a page break, as plain text has it
            sys.stdout.buffer.write(contents)
            sys.stdout.buffer.flush()

    def add_fields(self, page: Page, stem: str) -> None:
        """Keep the fields of a page for the table; say why a page does not fit the form."""
        if self._form is None:
            return
        from carrel.forms.table import rows_of

        rows = list(rows_of(stem, page, self._form, self._target.review_below))
        self._rows += rows
        if rows and rows[0].refused:
            complain(f"{shown(Path(stem))}: read without the form: {rows[0].refused}")

    def write_table(self, *, quiet: bool) -> None:
        """Write the table of the fields of all pages."""
        if self._form is None:
            return
        from carrel.forms.table import csv_of, table_files

        if self._outputs is not None:
            for name, contents in table_files(self._rows, self._form, safe_cells=self._options.csv_safe).items():
                self._outputs.write(name, contents)
        elif self._target.is_table_alone:
            sys.stdout.buffer.write(csv_of(self._rows, self._form, safe_cells=self._options.csv_safe))
            sys.stdout.buffer.flush()
        if not quiet:
            review = sum(len(row.to_review) for row in self._rows)
            click.echo(
                f"{counted(len(self._rows), 'row')} of the form {self._form.template.name}; "
                f"{counted(review, 'field')} to review",
                err=True,
            )

    def _count(self, entry: _Input) -> tuple[int, list[int] | InputError]:
        try:
            count = self._decoder.count_pages(entry.path)
            return count, self._target.pages.of(count, entry.named)
        except InputError as error:
            return 1, error.with_traceback(None)

    def _claim(self) -> Outputs:
        results = {
            result: entry.named if entry.named == entry.path else None
            for entry, names, wanted in zip(self._inputs, self._names, self._wanted, strict=True)
            for result in names.results(
                self._target.formats,
                () if isinstance(wanted, InputError) else wanted,
                parted=self._options.split_spreads,
            )
        }
        assert self._target.folder is not None
        if self._form is not None:
            from carrel.forms.table import table_names

            results |= dict.fromkeys(table_names(self._form).values())
        inputs = [entry.path for entry in self._inputs]
        return Outputs(self._target.folder, results, inputs, force=self._target.force)

    def _read(self, entry: _Input, index: int, stem: str) -> Page:
        assert self._reader is not None
        scan = self._decoder.scan(entry.path, index)
        if scan.note:
            click.echo(f"{shown(Path(stem))}: {scan.note}", err=True)
        scan = replace(scan, source=replace(scan.source, file_name=entry.named.name))
        page = self._reader.read_scan(scan)
        if self._outputs is not None and OVERLAY in self._target.formats:
            self._outputs.write(f"{stem}{OVERLAY_SUFFIX}", draw_overlay(page, scan.gray, self._target.review_below))
        return page

    def _write_document(self, entry: _Input, pages: Sequence[Page], stem: str) -> None:
        if not pages or self._outputs is None or PDF not in self._target.formats:
            return
        document = self._decoder.document(entry.path, PDF, pages)
        name = f"{stem}{FORMATS[PDF].suffix}"
        self._outputs.write(name, document.data)
        for note in document.notes:
            click.echo(f"{shown(Path(name))}: {note}", err=True)


def _summary(page: Page, stem: str) -> str:
    kinds = Counter(line.writing.kind for line in page.lines)
    parts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("printed", "handwritten", "unknown") if kinds[kind])
    refused = f"; {len(page.refused)} not read" if page.refused else ""
    expected = f"; to review: {expected_word_errors(page):.0%} of the words expected wrong"
    review = expected if page_needs_review(page) else ""
    uncovered = page.uncovered_ink or 0.0
    missed = f"; {100 * uncovered:.0f} % of the ink lies outside all lines" if uncovered > UNCOVERED_INK else ""
    blurred = "; blurred, scan it again" if page.quality and page.quality.is_blurred else ""
    glare = "; glare, photograph it in another light" if page.quality and page.quality.has_glare else ""
    return f"{shown(Path(stem))}: {len(page.lines)} lines ({parts or 'none found'}){refused}{review}{missed}{blurred}{glare}"


@contextmanager
def _progress(pages: int, *, quiet: bool) -> Generator[Callable[[], None] | None]:
    """A progress bar over pages on a terminal, when there is more than one; None where there is no bar."""
    if quiet or pages < 2 or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=pages, label="reading", file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)
