"""``carrel status``: how far the shards of a folder are, on all machines."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from carrel_cli.common.paths import FOLDER


@click.command("status")
@click.argument("output", type=FOLDER, metavar="OUT")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a look.")
@click.option(
    "--watch", is_flag=True, help="Look again and again, until Ctrl-C or until all shards are done or set aside."
)
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds between looks.",
)
def command(output: Path, as_json: bool, watch: bool, every: float) -> None:
    """Say how far the shards in OUT are: pages, rates, failures by reason, time left, machines, lines to review.

    Only looks: nothing is written, and no journal is opened. How a single batch is doing: carrel batch --status OUT.
    """
    from carrel.fleet.shards import open_fleet
    from carrel.fleet.status import status_of, told

    fleet = open_fleet(output)
    while True:
        status = status_of(fleet)
        if watch and not as_json and sys.stdout.isatty():
            click.clear()
        click.echo(json.dumps(status.as_json(), ensure_ascii=False) if as_json else "\n".join(told(status)))
        if not watch or status.done + len(status.aside) == status.shards:
            return
        sys.stdout.flush()
        time.sleep(every)
