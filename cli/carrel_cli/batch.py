"""``carrel batch``: a folder of scans in, results out; stops and resumes as often as need be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from carrel.batch.fields import write_fields
from carrel.batch.folders import Folders
from carrel.batch.intake import Found, find_files, find_listed, read_list
from carrel.batch.journal import Journal
from carrel.batch.status import read_heartbeat, reconciliation, summary
from carrel.errors import CarrelError, InputError, UsageError
from carrel.image.files import shown
from carrel_cli.common.batch_options import Progress, batch_options, make_batch
from carrel_cli.common.paths import require_folder, require_path
from carrel_cli.common.signals import stop_on_signals
from carrel_cli.common.streams import counted


@click.command("batch")
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="IN")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="Folder for the results.")
@batch_options
@click.option(
    "--files",
    "listed",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="LIST",
    help="Read the files that LIST names, one path a line (or ended by NUL), below IN or else this folder; - is stdin.",
)
@click.option(
    "--stop-after-failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop when N pages or files gave no results.  [default: go on]",
)
@click.option("--retry", is_flag=True, help="Try again what was refused or put aside.")
@click.option("--status", type=click.Path(path_type=Path), metavar="OUT", help="How the batch into OUT is doing.")
@click.option("--list", "list_failures", is_flag=True, help="With --status: name the files that gave no results.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
@click.pass_context
def command(ctx: click.Context, /, source: Path | None, output: Path | None, quiet: bool, **options: Any) -> None:
    """Read all scans and PDFs below IN, or those that --files names, thousands if need be.

    A page's results are complete or absent. After Ctrl-C, a crash or a power cut the same command goes on where it
    stopped; no page is read twice. The first Ctrl-C lets running pages finish, the second abandons them.
    """
    if options["status"] is not None:
        show_status(Folders.of(require_folder(options["status"]), options["state"]), names=options["list_failures"])
        return
    if output is None or (source is None and options["listed"] is None):
        raise UsageError("name the folder of scans, or a list with --files, and, with -o, the folder for the results")
    ctx.exit(read_batch(source, output, options, quiet=quiet))


def read_batch(source: Path | None, output: Path, options: dict[str, Any], *, quiet: bool) -> int:
    """Read everything below ``source`` or that a list names; the exit code."""
    progress = Progress(quiet=quiet)
    if options["listed"] is None:
        assert source is not None
        batch = make_batch(require_path(source), output, options, log=progress.log)
        found = find_files(source.resolve(), batch.folders.output, every=options["every_file"])
        if not found.files and not (found.unreadable and source.is_dir()):
            raise InputError(f"{shown(source)}: no scans there that can be read; {_passed_over(found)}")
    else:
        root, paths = _listed(options["listed"], source)
        batch, found = make_batch(root, output, options, log=progress.log), find_listed(paths)
    with batch, stop_on_signals(batch.finish) as signals:
        if options["retry"]:
            batch.journal.retry_failed()
        batch.add(found)
        told, most = False, options["stop_after_failures"]
        while not batch.finished:
            batch.step()
            batch.stopping |= most is not None and batch.journal.failed(most) == most
            progress.show(batch)
            if signals and not told:
                told = True
                progress.log("finishing the pages at work; Ctrl-C again abandons them")
        rows = write_fields(batch.journal, batch.folders, batch.settings, progress.log) if options["read"].form else []
        counts, done = batch.counts(), batch.journal.reconciled()
    progress.clear()
    if not quiet:
        click.echo(f"carrel: {summary(counts)}; {reconciliation(done)}; {_passed_over(found)}", err=True)
        if rows:
            refused, review = sum(bool(row.refused) for row in rows), sum(len(row.to_review) for row in rows)
            click.echo(
                f"carrel: {counted(len(rows), 'row')} of fields, {review:,} to review; "
                f"{counted(refused, 'page')} {'does' if refused == 1 else 'do'} not fit the form",
                err=True,
            )
        if counts.failed and not signals:
            click.echo(f"carrel: what failed and why: carrel batch --status {shown(output)} --list", err=True)
    if signals:
        return 130
    if batch.stopping:
        progress.log(f"stopped after {most} failures; --retry tries them again, a higher --stop-after-failures goes on")
        return InputError.exit_code
    if not done.adds_up or done.found < len(found.files):
        raise CarrelError(
            f"{len(found.files)} files were found, and {done} is what the journal knows; please report this"
        )
    return InputError.exit_code if counts.failed else 0


def _listed(list_path: Path, source: Path | None) -> tuple[Path, list[Path]]:
    """The folder that results are named from, and the files; without a folder of scans, the one that all lie in."""
    root = require_folder(source).resolve() if source else Path.cwd()
    paths = read_list(list_path, root)
    if source is None:
        root = Path(os.path.commonpath([path.parent for path in paths]))
    outside = next((path for path in paths if not path.is_relative_to(root)), None)
    if outside is not None:
        raise UsageError(f"{shown(outside)}: is listed and does not lie in {shown(root)}; name a folder that holds all")
    return root, paths


def show_status(folders: Folders, *, names: bool) -> None:
    """Print how a batch is doing, whether it is at work or not.

    Raises
    ------
    InputError
        There never was one.
    """
    if not folders.journal.exists():
        raise InputError(f"{folders.output}: no batch has been there")
    journal = Journal(folders.journal, readonly=True)
    try:
        counts, failures = journal.counts(), journal.failures() if names else []
        equal = list(journal.duplicates()) if names else []
    finally:
        journal.close()
    status = read_heartbeat(folders)
    doing = f"{status.get('doing', 'at work')} (process {status.get('pid', '?')})" if status else "not at work"
    click.echo(f"{doing}: {summary(counts)}")
    if status:
        left = status.get("minutes_left")
        click.echo(f"{status.get('pages_per_minute')} pages a minute" + (f", {left} min left" if left else ""))
    for path, page_index, state, reason in failures:
        page = "" if page_index is None else f", page {page_index + 1}"
        click.echo(f"{state}: {shown(path)}{page}: {reason}")
    for path, first in equal:
        click.echo(f"equal: {shown(path)} to {shown(first)}; read once, each has its results")


def _passed_over(found: Found) -> str:
    return f"{found.others:,} other files passed over"
