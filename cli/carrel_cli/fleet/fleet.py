"""``carrel fleet``: shards through a Dask scheduler, or through processes of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from carrel.errors import InputError, UsageError
from carrel_cli.common.batch_options import page_options
from carrel_cli.common.messages import tell
from carrel_cli.common.paths import PATH, PLACE
from carrel_cli.common.signals import stop_on_signals
from carrel_cli.fleet.shard import make_shards, plan_options
from carrel_cli.fleet.work import given_running, tell_finishing

_TELL_EVERY_S = 60.0


@click.command("fleet")
@click.argument("source", type=PLACE, metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Folder for the results."
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask scheduler, such as tls://pc1:8786.")
@click.option("--local", type=click.IntRange(min=1), metavar="N", help="N processes of this machine instead.")
@click.option("--tls-ca", type=PATH, help="Certificate of the authority; all three files or none.")
@click.option("--tls-cert", type=PATH, help="Certificate of this client.")
@click.option("--tls-key", type=PATH, help="Its key.")
@page_options
@plan_options
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that read, for each worker of the cluster.  [default: one a core, as memory allows; with --local 1]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder on the local disk of each machine for journals.  [default: ~/.local/state/carrel/shards]",
)
@click.option(
    "--worker-source", type=click.Path(path_type=Path), metavar="IN", help="The folder of scans as the workers see it."
)
@click.option("--retry", is_flag=True, help="Try again the shards that were set aside.")
@click.option("-q", "--quiet", is_flag=True, help="No messages on stderr.")
@click.pass_context
def command(ctx: click.Context, source: Path | str, output: Path, quiet: bool, **options: Any) -> None:
    """List the scans below IN in shards, and read them on the workers of a Dask cluster, each of which sees IN and OUT.

    Needs the extra [fleet] on all machines. The scheduler opens sockets, here and on the workers: whoever reaches one can
    run programs there, so use TLS (tls:// and --tls-ca, --tls-cert, --tls-key) or a network of its own. Without Dask,
    carrel shard and carrel work do the same.
    """
    from carrel.fleet.cluster import Choices, read_all
    from carrel.fleet.picking import set_aside
    from carrel.fleet.status import status_of, told

    def log(line: str) -> None:
        if not quiet:
            tell(line)

    reach = _reach(options, log)
    fleet = make_shards(source, output, options)
    choices = Choices(
        str(options["state"].resolve()) if options["state"] else None,
        str(options["worker_source"]) if options["worker_source"] else None,
        options["workers"],
        tuple(given_running(options).items()),
        options["retry"],
    )
    next_s = time.monotonic() + _TELL_EVERY_S

    def look() -> None:
        nonlocal next_s
        if not quiet and time.monotonic() >= next_s:
            next_s = time.monotonic() + _TELL_EVERY_S
            for line in list(told(status_of(fleet), 0))[:3]:
                tell(line)

    with stop_on_signals(tell_finishing) as signals:
        read_all(fleet, reach, choices, log=log, stopping=lambda: bool(signals), look=look)
    status = status_of(fleet)
    if not quiet:
        for line in told(status, 0):
            tell(line)
    if signals:
        ctx.exit(130)
    if status.failed or set_aside(fleet):
        ctx.exit(InputError.exit_code)


def _reach(options: dict[str, Any], log: Callable[[str], None]) -> Any:
    """The way to the cluster.

    Raises
    ------
    UsageError
        Neither or both of a scheduler and local processes are named, or the files of TLS are not all.
    """
    from carrel.fleet.cluster import Reach

    scheduler, local = options["scheduler"], options["local"]
    if (scheduler is None) == (local is None):
        raise UsageError("name a scheduler, --scheduler ADDRESS, or a number of processes of this machine, --local N")
    files = [options[name] for name in ("tls_ca", "tls_cert", "tls_key")]
    if any(files) != all(files):
        raise UsageError("TLS needs all of --tls-ca, --tls-cert and --tls-key")
    if scheduler and "://" in scheduler and scheduler.startswith("tls://") != all(files):
        raise UsageError(
            f"{scheduler}: TLS needs an address that begins with tls:// and --tls-ca, --tls-cert, --tls-key"
        )
    if scheduler and not any(files):
        log(f"{scheduler} is reached without TLS: whoever else reaches it can run programs on all its machines")
    return Reach(scheduler, local, *files)
