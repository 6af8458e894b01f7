"""``carrel check``: will importers take these files?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from carrel.errors import CarrelError


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> None:
    """Look in ALTO, PAGE, hOCR and JSON files for what importers reject or lose.

    A schema lets pass what importers do not: references to nothing, points outside the page, baselines without length,
    words that differ from their line. Prints one line a finding; the exit code is 1 if there was any, 3 if a file could
    not be read.
    """
    from carrel.formats.check.any_format import check
    from carrel.formats.read.any_format import load

    status, total = 0, 0
    for path in files:
        try:
            findings = check(load(path))
        except CarrelError as error:
            click.echo(f"{path}: {error}", err=True)
            status = max(status, error.exit_code)
            continue
        total += len(findings)
        for finding in findings:
            click.echo(f"{path}: {finding}")
    click.echo(f"{len(files)} files, {total} findings", err=True)
    sys.exit(status or int(total > 0))
