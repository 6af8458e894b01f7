"""``carrel purge``: delete what a batch or hot folder left behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from carrel.batch.folders import Folders
from carrel.batch.journal import Journal
from carrel.batch.purge import NO_PROMISE, Purged, expire, purge, purge_document, require_batch
from carrel.batch.status import told_jump
from carrel.errors import OutputError, UsageError
from carrel.image.files import shown
from carrel_cli.paths import require_folder


@click.command("purge")
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: OUT/.carrel]")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only results finished longer ago; journal and scans stay.",
)
@click.option("--document", metavar="NAME", help="Only one document, by the name of its results, such as 1902/deed.")
@click.option("--changed", is_flag=True, help="Also results that were changed since they were written.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    output: Path, state: Path | None, older_than: float | None, document: str | None, changed: bool, yes: bool
) -> None:
    """Delete the results in OUT, their journal, and everything else that Carrel wrote there.

    Says what was deleted, what is left, and what deleting cannot promise. Scans are never touched.
    """
    folders = Folders.of(require_folder(output), state)
    require_batch(folders)
    if older_than is not None and document is not None:
        raise UsageError("--older-than and --document: choose one")
    if not yes:
        what = f"the results of {document}" if document else "what Carrel wrote"
        click.confirm(f"Delete {what} in {shown(output)}?", abort=True, err=True)
    with folders.locked(), closing(Journal(folders.journal)) as journal:
        elsewhere = journal.elsewhere()
        purged: Purged | None = None
        if document is not None:
            purged = purge_document(folders, journal, document, changed=changed)
        elif older_than is not None:
            purged = expire(folders, journal, older_than, trust_clock=True)
    purged = purged or purge(folders, changed=changed)
    size = f"{purged.size_bytes / 1024:,.0f} KiB"
    click.echo(f"deleted: {purged.results:,} files of results, {purged.state_files:,} of journal and spool, {size}")
    if purged.jump:
        click.echo(told_jump(*purged.jump))
    if purged.changed:
        click.echo(f"kept: {len(purged.changed):,} results that were changed since Carrel wrote them")
    if purged.left and document is None:
        click.echo(f"left: {len(purged.left):,} files that Carrel did not write")
    for path in [*(map(str, purged.left) if document else ()), *elsewhere]:
        click.echo(f"left: {shown(Path(path))} may hold text of these pages; delete it yourself")
    click.echo(NO_PROMISE)
    if purged.failed:
        raise OutputError(f"{len(purged.failed):,} files could not be deleted; the first is {shown(purged.failed[0])}")
