"""``carrel warm``: what is done once for a machine, done ahead of the first page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from carrel.errors import OutputError


@click.command("warm")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the results there, for other users or an image of this machine: they read with XDG_CACHE_HOME=DIR.",
    metavar="DIR",
)
def command(folder: Path | None) -> None:
    """Try what networks run fastest on, and compile the kernels where Carrel brings none for this machine."""
    from carrel.batch.plan import cache_folder
    from carrel.kernels.build import warm
    from carrel.kernels.native import has_library

    if folder is not None:
        _keep_in(folder)
    if not has_library():
        click.echo("compiling kernels for this processor (once, some 20 seconds) ...", err=True)
    warmed = warm([cache_folder()])
    if warmed.folder is None:
        click.echo(
            "no private cache folder: kernels are compiled at each start; name one with --to or XDG_CACHE_HOME",
            err=True,
        )
        return
    kind = "a library" if warmed.library else "numba's cache (there is no linker for a library)"
    click.echo(f"compiled kernels are in {warmed.folder}, as {kind}", err=True)
    measure()


def _keep_in(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be created ({error.strerror}); name a folder that you may write"
        ) from error
    os.environ["XDG_CACHE_HOME"] = str(folder.absolute())


def measure() -> None:
    """Try the networks on every runtime that is installed, so that no page waits for that either."""
    from carrel.backends.facts import measured_facts, request_of
    from carrel.loading import network_models
    from carrel.options import ReadOptions

    click.echo("trying what networks run fastest on ...", err=True)
    measured = measured_facts(request_of(ReadOptions()), network_models(ReadOptions())).measured
    click.echo(
        f"{len(measured)} ways tried, {sum(bool(m.fault) for m in measured)} unfit; see carrel devices", err=True
    )
