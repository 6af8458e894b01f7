"""``carrel purge``: delete what a batch or hot folder left behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from carrel.batch.folders import Folders, is_fleet
from carrel.batch.journal import Journal
from carrel.batch.purge import NO_PROMISE, Purged, expire, has_batch, purge, purge_document, purge_read_results
from carrel.batch.read_results import has_list
from carrel.batch.status import told_jump
from carrel.errors import InputError, OutputError, UsageError
from carrel.image.files import shown
from carrel_cli.common.paths import require_folder


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

    Says what was deleted, what is left, and what deleting cannot promise. Scans are never touched. Where OUT holds shards, that
    is all of them, with lists, leases, what carrel merge wrote, and results that were put into a store; --state then is
    that of carrel work.
    """
    folders = Folders.of(require_folder(output), state)
    if is_fleet(folders.output):
        _purge_fleet(folders.output, state, older_than, document, changed=changed, yes=yes)
        return
    batch = has_batch(folders)
    if not batch and not has_list(folders.output):
        raise InputError(f"{shown(output)}: neither a batch nor carrel read -o has written there")
    if older_than is not None and document is not None:
        raise UsageError("--older-than and --document: choose one")
    if not yes:
        what = f"the results of {document}" if document else "what Carrel wrote"
        click.confirm(f"Delete {what} in {shown(output)}?", abort=True, err=True)
    purged, elsewhere = Purged(), list[str]()
    if batch:
        purged, elsewhere = _of_batch(folders, older_than, document, changed=changed)
    purge_read_results(folders.output, purged, changed=changed, document=document, days=older_than)
    if document is not None and not batch and not (purged.results or purged.changed):
        raise InputError(f"{shown(output)}: no results of a document named {document}; name it like its results")
    _report(purged, elsewhere, document)


def _purge_fleet(
    output: Path, state: Path | None, older_than: float | None, document: str | None, *, changed: bool, yes: bool
) -> None:
    """Delete the results of all shards, or one document of them."""
    from carrel.fleet.here import default_state
    from carrel.fleet.purge import drop_merged, purge_fleet, shards_with
    from carrel.fleet.shards import open_fleet

    fleet = open_fleet(output)
    if older_than is not None:
        raise UsageError(f"--older-than is for the folder of one shard, such as {shown(output / '00001')}")
    found = [] if document is None else list(shards_with(fleet, document))
    if document is not None and not found:
        raise InputError(f"{shown(output)}: no results of a document named {document}; name it like its results")
    if not yes:
        what = f"the results of {document}" if document else "what Carrel wrote"
        click.confirm(f"Delete {what} in {shown(output)}?", abort=True, err=True)
    if document is None:
        _report(purge_fleet(fleet, state or default_state(), changed=changed), [], None)
        click.echo(
            "left: journals of shards that other machines had begun; carrel purge there, before here, deletes them"
        )
        return
    for shard in found:
        _report(*_of_batch(Folders.of(shard), None, document, changed=changed), document)
    for name in drop_merged(fleet, document):
        click.echo(f"left: {name} was changed, and may hold text of these pages; delete it yourself")


def _of_batch(
    folders: Folders, older_than: float | None, document: str | None, *, changed: bool
) -> tuple[Purged, list[str]]:
    """Delete what a batch wrote; also returns the files that it wrote elsewhere."""
    with folders.locked(), closing(Journal(folders.journal)) as journal:
        elsewhere = journal.elsewhere()
        if document is not None:
            return purge_document(folders, journal, document, changed=changed), []
        if older_than is not None:
            return expire(folders, journal, older_than, trust_clock=True), elsewhere
    return purge(folders, changed=changed), elsewhere


def _report(purged: Purged, elsewhere: list[str], document: str | None) -> None:
    size = f"{purged.size_bytes / 1024:,.0f} KiB"
    click.echo(f"deleted: {purged.results:,} files of results, {purged.state_files:,} of journal and spool, {size}")
    for path in purged.derived:
        click.echo(
            f"deleted with it: {shown(Path(path))}, or its lines there; carrel review and manifest make it again"
        )
    if purged.jump:
        click.echo(told_jump(*purged.jump))
    if purged.changed:
        click.echo(f"kept: {len(purged.changed):,} results that were changed since Carrel wrote them")
    if purged.left and document is None:
        click.echo(f"left: {len(purged.left):,} files that Carrel did not write")
    for path in [*(map(str, purged.left) if document else ()), *elsewhere]:
        there = "may hold text of these pages; delete it yourself"
        gone = "is not there any more: was it moved?"
        click.echo(f"left: {shown(Path(path))} {there if Path(path).exists() else gone}")
    click.echo(NO_PROMISE)
    if purged.failed:
        raise OutputError(f"{len(purged.failed):,} files could not be deleted; the first is {shown(purged.failed[0])}")
