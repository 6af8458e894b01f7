"""``carrel apply``: corrected pages in every format that lies beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from carrel.review.apply import Applied


@click.command("apply")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say how many pages hold corrections.")
def command(folder: Path, dry_run: bool) -> None:
    """Write the corrected pages in FOLDER anew, in every format that lies there.

    ``carrel review --corrected`` does this itself; it is for pages that were corrected elsewhere, as at the desk. A file
    that somebody changed by hand is copied aside first, and named.
    """
    from carrel.review.apply import apply_stored, has_corrections
    from carrel.review.read_back import stored_pages

    stored = stored_pages(folder)
    corrected = sum(has_corrections(page) for _, page in stored.values())
    click.echo(f"{corrected} of {len(stored)} pages hold corrections")
    if not dry_run:
        report(apply_stored(stored))


def report(done: Applied) -> None:
    """Print what was written, kept aside, and left as it was."""
    click.echo(f"{len(done.written)} files written")
    for path in done.aside:
        click.echo(f"{path}: what had been changed by hand is kept here", err=True)
    for reason in done.left:
        click.echo(reason, err=True)
