"""``carrel warm``: what is done once for a machine, done ahead of the first page."""

from __future__ import annotations

import click


@click.command("warm")
def command() -> None:
    """Compile the kernels for this processor and try what networks run fastest on, so that no page waits for it."""
    from carrel.batch.plan import cache_folder
    from carrel.kernels.build import warm

    click.echo("compiling kernels for this processor (once, some 20 seconds) ...", err=True)
    warmed = warm([cache_folder()])
    if warmed.folder is None:
        click.echo("no private cache folder: kernels are compiled at each start", err=True)
        return
    kind = "a library" if warmed.library else "numba's cache (there is no linker for a library)"
    click.echo(f"compiled kernels are in {warmed.folder}, as {kind}", err=True)
    measure()


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
