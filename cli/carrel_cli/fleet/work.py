"""``carrel work``: one machine of many reads shard after shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from carrel.errors import InputError
from carrel.image.files import shown
from carrel.options import ReadOptions
from carrel_cli.common.messages import tell
from carrel_cli.common.paths import FOLDER
from carrel_cli.common.running import RUNNING_OPTIONS, running_of
from carrel_cli.common.signals import stop_on_signals

Command = Callable[..., Any]

_OPTIONS = (
    click.option("--workers", type=click.IntRange(min=1), help="Processes that read.  [default: one a core, as memory allows]"),
    click.option("--state", type=click.Path(path_type=Path), metavar="DIR", help="Folder on a local disk for journals.  [default: ~/.local/state/carrel/shards]"),
    click.option("--source", type=FOLDER, metavar="IN", help="The folder of scans, where this machine sees it elsewhere."),
    click.option("--machine", "name", default="", metavar="NAME", help="What this machine is called.  [default: its host name]"),
    click.option("--stop-after-failures", type=click.IntRange(min=1), metavar="N", help="Stop when N pages or files gave no results here."),
    click.option("--retry", is_flag=True, help="Try again the shards that were set aside."),
    click.option("--log-text", is_flag=True, help="Allow text and file names in messages."),
    *RUNNING_OPTIONS,
)  # fmt: skip


def here_options(command: Command) -> Command:
    """Add what one machine decides for itself."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given_running(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of `carrel.ReadOptions` that are a machine's own, as far as they were given on the command line.

    Parameters
    ----------
    values
        Those of `here_options`, or of `carrel_cli.common.reading.reading_options`.
    """
    context, read = click.get_current_context(), values.get("read")
    fields = {name: getattr(read, name) for name in _RUNNING.values()} if read else running_of(values)
    default = click.core.ParameterSource.DEFAULT
    return {field: fields[field] for name, field in _RUNNING.items() if context.get_parameter_source(name) != default}


def without_running(read: ReadOptions) -> ReadOptions:
    """Return options without what is a machine's own."""
    return replace(read, **{field: getattr(ReadOptions(), field) for field in _RUNNING.values()})


_RUNNING = {name: name for name in ("device", "threads", "precision", "backend")} | {"memory": "memory_bytes"}


def tell_finishing() -> None:
    """Say that the pages at work are being finished."""
    tell("finishing the pages at work; Ctrl-C again abandons them")


@click.command("work")
@click.argument("output", type=FOLDER, metavar="OUT")
@click.option(
    "--shard", metavar="NAME", help="Read this shard alone, such as 00012 or 12; one that is done is left alone."
)
@click.option("--most", type=click.IntRange(min=1), metavar="N", help="Read no more shards than so many.")
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="When the rest is at work elsewhere, wait and take over what dies.",
)
@here_options
@click.option("-q", "--quiet", is_flag=True, help="No messages on stderr.")
@click.pass_context
def command(
    ctx: click.Context, output: Path, shard: str | None, most: int | None, wait: bool, quiet: bool, **options: Any
) -> None:
    """Read the shards that carrel shard made in OUT, as many machines as there are, until none is left.

    Start it on each machine, and stop it as you like: Ctrl-C lets the pages at work finish and gives the shard back, and
    the shard of a machine that dies is taken over. Journals lie on the local disk of each machine; results appear in
    OUT/00001, OUT/00002 and so on, each whole. How far all are: carrel status OUT.
    """
    from carrel.fleet.here import Here, default_state
    from carrel.fleet.shards import open_fleet
    from carrel.fleet.work import Worker

    fleet = open_fleet(output)
    with stop_on_signals(tell_finishing) as signals:
        here = Here(
            options["state"] or default_state(),
            options["source"],
            options["workers"],
            given_running(options),
            machine_of(options["name"]),
            lambda: bool(signals),
            options["stop_after_failures"],
            log=(lambda line: None) if quiet else tell,
            show_stderr=options["log_text"],
        )
        worker = Worker(fleet, here)
        if shard is not None:
            outcome = worker.work_one(_name(shard), retry=options["retry"])
            told = {"held": "at work elsewhere, or set aside", "lost": "done by another machine"}.get(outcome, outcome)
            if not quiet:
                tell(f"shard {_name(shard)}: {told}")
        else:
            worker.work(wait=wait, most=most, retry=options["retry"])
    tally = worker.tally
    if not quiet:
        tell(f"{tally.done:,} shards, {tally.pages:,} pages read here; {tally.no_results:,} gave no results")
        for name in tally.aside:
            tell(f"shard {name} is set aside; carrel status {shown(output)} says why")
    if signals:
        ctx.exit(130)
    if tally.no_results or tally.failed or tally.aside:
        ctx.exit(InputError.exit_code)


def machine_of(name: str) -> Any:
    """Return this machine, by a name of its own where one is given."""
    from carrel.fleet.leases import Machine

    return Machine.here(name)


def _name(shard: str) -> str:
    return f"{int(shard):05d}" if shard.isdecimal() else shard
