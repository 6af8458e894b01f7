"""``carrel apply``: corrected pages in every format that lies beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel_cli.common.paths import FOLDER

if TYPE_CHECKING:
    from carrel.review.apply import Applied


@click.command("apply")
@click.argument("folder", type=FOLDER)
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: in FOLDER]")
@click.option("--dry-run", is_flag=True, help="Only say how many pages hold corrections.")
def command(folder: Path, state: Path | None, dry_run: bool) -> None:
    """Write the corrected pages in FOLDER anew, in every format that lies there.

    ``carrel review --corrected`` does this itself; it is for pages that were corrected elsewhere, as at the desk. A file
    that somebody changed by hand is copied aside first, and named.
    """
    from carrel.batch.corrected import notes_of
    from carrel.review.apply import apply_stored, has_corrections
    from carrel.review.read_back import stored_pages

    with notes_of(folder, state, alone=not dry_run) as notes:
        stored = stored_pages(folder)
        corrected = {name: page for name, (_, page) in stored.items() if has_corrections(page)}
        click.echo(f"{len(corrected)} of {len(stored)} pages hold corrections")
        if dry_run:
            return
        done = apply_stored(stored)
        notes.wrote(done.written)
        notes.put_aside(done.aside)
        notes.corrected({stored[name][0].path(".json"): page for name, page in corrected.items()})
    report(done)


def report(done: Applied) -> None:
    """Print what was written, kept aside, and left as it was."""
    click.echo(f"{len(done.written)} files written")
    for path in done.aside:
        click.echo(f"{path}: what had been changed by hand is kept here", err=True)
    for reason in done.left:
        click.echo(reason, err=True)
