"""``carrel purge``: delete what a batch or hot folder left behind."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.batch.folders import Folders
from carrel.batch.journal import Journal
from carrel.batch.purge import NO_PROMISE, expire, purge
from carrel.errors import InputError, OutputError
from carrel.image.files import shown


@click.command("purge")
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: OUT/.carrel]")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only results finished longer ago; journal and scans stay.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(output: Path, state: Path | None, older_than: float | None, yes: bool) -> None:
    """Delete the results in OUT, their journal, and everything else that Carrel wrote there.

    Says what was deleted, what is left, and what deleting cannot promise. Scans are never touched.
    """
    folders = Folders.of(output, state)
    if not folders.journal.exists():
        raise InputError(f"{shown(output)}: no batch has been there")
    if not yes:
        click.confirm(f"Delete what Carrel wrote in {shown(output)}?", abort=True, err=True)
    if older_than is not None:
        with folders.locked():
            journal = Journal(folders.journal)
            try:
                purged = expire(folders, journal, older_than)
            finally:
                journal.close()
    else:
        purged = purge(folders)
    size = f"{purged.size_bytes / 1024:,.0f} KiB"
    click.echo(f"deleted: {purged.results:,} files of results, {purged.state_files:,} of journal and spool, {size}")
    if purged.left:
        click.echo(f"left: {len(purged.left):,} files that Carrel did not write")
    click.echo(NO_PROMISE)
    if purged.failed:
        raise OutputError(f"{len(purged.failed):,} files could not be deleted; the first is {shown(purged.failed[0])}")
