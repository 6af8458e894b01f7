"""``carrel warm``: compile the kernels ahead of the first page."""

from __future__ import annotations

import click


@click.command("warm")
def command() -> None:
    """Compile the kernels for this processor now, so that the first page does not wait for them."""
    from carrel.batch.plan import cache_folder
    from carrel.kernels.build import warm

    click.echo("compiling kernels for this processor (once, some 20 seconds) ...", err=True)
    warmed = warm([cache_folder()])
    if warmed.folder is None:
        click.echo("no private cache folder: kernels are compiled at each start", err=True)
        return
    kind = "a library" if warmed.library else "numba's cache (there is no linker for a library)"
    click.echo(f"compiled kernels are in {warmed.folder}, as {kind}", err=True)
