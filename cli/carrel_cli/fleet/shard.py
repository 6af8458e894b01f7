"""``carrel shard``: lists of scans, each to be read by one machine at a time."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from carrel.errors import UsageError
from carrel.workers.messages import Work
from carrel_cli.common.batch_options import page_options
from carrel_cli.common.paths import PLACE, require_folder
from carrel_cli.fleet.work import given_running, without_running

MOST_FILES = 10_000


def plan_options(command: Any) -> Any:
    """Add the options of lists: how large they are, and when a machine counts as dead."""
    for option in (
        click.option("--quiet-for", type=click.FloatRange(min=0), default=10.0, show_default=True, metavar="S", help="Leave files for the next time that changed within so many seconds."),
        click.option("--dead-after", type=click.FloatRange(min=1), default=180.0, show_default=True, metavar="S", help="Take over the shard of a machine that has told nothing for so long; on network drives 120 at least."),
        click.option("--results-to", default="", metavar="s3://BUCKET/FOLDER", help="Put results there instead of in OUT; needs carrel[s3].  [default: OUT]"),
        click.option("--size", type=click.IntRange(1, MOST_FILES), default=1000, show_default=True, help="Files in a shard."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("shard")
@click.argument("source", type=PLACE, metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Folder for the results."
)
@page_options
@plan_options
def command(source: Path | str, output: Path, **options: Any) -> None:
    """List the scans below IN in shards for carrel work on any number of machines that see IN and OUT.

    IN may be s3://BUCKET/FOLDER (needs carrel[s3]); OUT is a folder that all machines see, for lists and leases at least.
    Call it again, with the same options, when IN has grown: what is listed stays, new files become new shards. Memory,
    device and workers are each machine's own: see carrel work --help.
    """
    own = given_running(options)
    if own:
        raise UsageError(f"--{next(iter(own)).removesuffix('_bytes')} is each machine's own; give it to carrel work")
    make_shards(source, output, options)


def make_shards(source: Path | str, output: Path, options: dict[str, Any]) -> Any:
    """List what is new; returns the fleet."""
    from carrel.fleet.shards import Plan, begin_fleet, list_new
    from carrel.fleet.store.objects import ObjectFolder

    work = Work(
        without_running(options["read"]),
        options["review_below"],
        options["max_pages"],
        options["max_file"] * 2**20,
        options["entry"],
    )
    plan = Plan(
        secrets.token_hex(8),
        Path() if isinstance(source, str) else require_folder(source).resolve(),
        work,
        options["formats"],
        options["page_timeout"],
        options["decode_timeout"],
        options["dead_after"],
        scans_url=ObjectFolder(source).url if isinstance(source, str) else "",
        results_url=ObjectFolder(options["results_to"]).url if options["results_to"] else "",
    )
    fleet = begin_fleet(output, plan)
    listed = list_new(fleet, options["size"], every=options["every_file"], quiet_s=options["quiet_for"])
    parts = [f"{listed.files:,} new files in {listed.shards:,} shards, {listed.known:,} listed before"]
    parts += [f"{listed.too_new:,} changed just now and are left for the next time"] if listed.too_new else []
    parts += [f"{listed.others:,} other files passed over"]
    parts += [f"{listed.unreadable:,} folders could not be looked into"] if listed.unreadable else []
    click.echo(f"carrel: {'; '.join(parts)}", err=True)
    return fleet
