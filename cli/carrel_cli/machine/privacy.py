"""``carrel privacy``: the proof sheet for whoever has to answer for the scans."""

from __future__ import annotations

from pathlib import Path

import click

import carrel
from carrel.batch.folders import Folders
from carrel.batch.privacy import proof_sheet


@click.command("privacy")
@click.argument("output", required=False, type=click.Path(path_type=Path), metavar="[OUT]")
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: OUT/.carrel]")
def command(output: Path | None, state: Path | None) -> None:
    """Print what is stored where and for how long, what is sent (nothing), and what was tried to prove it.

    With OUT, the folder of a batch's results, also what lies there now.
    """
    folders = Folders.of(output, state) if output is not None else None
    click.echo(f"Carrel {carrel.__version__}: pages are read on this machine; nothing is sent anywhere.")
    for section in proof_sheet(folders):
        click.echo(f"\n{section.title}")
        for line in section.lines:
            click.echo(f"  {line}")
