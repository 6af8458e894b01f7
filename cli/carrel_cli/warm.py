"""``carrel warm``: compile the kernels ahead of the first page."""

from __future__ import annotations

import click


@click.command("warm")
def command() -> None:
    """Compile the kernels for this processor now, so that the first page does not wait for them."""
    from carrel.kernels.compiled import warm

    click.echo("compiling kernels for this processor (once, some 20 seconds) ...", err=True)
    folder = warm()
    place = (
        f"compiled kernels are in {folder}" if folder else "no private cache folder: kernels are compiled at each start"
    )
    click.echo(place, err=True)
