"""``carrel watch``: a hot folder that scanners drop their files into."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import click

from carrel.batch.purge import expire
from carrel.batch.run import Batch
from carrel.batch.status import summary, told_jump
from carrel.batch.watch import Watcher, WatchOptions
from carrel.errors import UsageError
from carrel_cli.common.batch_options import Progress, batch_options, make_batch
from carrel_cli.common.paths import require_folder
from carrel_cli.common.signals import stop_on_signals

RETENTION_EVERY_S = 3600.0


@click.command("watch")
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Folder for the results."
)
@batch_options
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Seconds between looks.",
)
@click.option(
    "--quiet-for",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="S",
    help="A file is taken when it has not changed for this long; on a network drive, where nobody tells who still writes,"
    " longer than a scanner ever pauses.",
)
@click.option("--marker", metavar="NAME", help="Take nothing from a folder before a file of this name is in it.")
@click.option(
    "--group",
    metavar="REGEX",
    help="Files of one document, by name: '(.+)_[0-9]+' puts deed_001 and deed_002 into deed/.",
)
@click.option(
    "--originals",
    type=click.Choice(["keep", "move", "delete"]),
    default="keep",
    show_default=True,
    help="What becomes of a file that was read.",
)
@click.option(
    "--done",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With --originals move: where files go that were read.",
)
@click.option(
    "--refused", type=click.Path(path_type=Path), metavar="DIR", help="With --originals move: where the others go."
)
@click.option(
    "--retain", type=click.FloatRange(min=0), metavar="DAYS", help="Delete results that are older.  [default: keep]"
)
@click.option("-q", "--quiet", is_flag=True, help="No messages on stderr.")
def command(source: Path, output: Path, quiet: bool, **options: Any) -> None:
    """Read every file that is dropped into IN, until stopped.

    Works on network drives: the folder is looked at, not listened to. Links, pipes and devices are left alone. SIGTERM
    or Ctrl-C lets the pages at work finish. How it is doing: carrel batch --status OUT.
    """
    require_folder(source)
    progress = Progress(quiet=quiet)
    group = _pattern(options["group"])
    batch = make_batch(source, output, options, log=progress.log, wait_for_disk=True, group=group)
    watch_options = _watch_options(options, batch)
    with batch, stop_on_signals(batch.finish):
        _watch(batch, Watcher(batch, watch_options), progress, options["retain"])
        counts = batch.counts()
    progress.clear()
    progress.log(summary(counts))


def _watch(batch: Batch, watcher: Watcher, progress: Progress, retain_days: float | None) -> None:
    next_expiry = time.monotonic()
    while not (batch.stopping and batch.finished):
        watcher.step()
        progress.show(batch)
        if retain_days is not None and time.monotonic() >= next_expiry:
            next_expiry = time.monotonic() + RETENTION_EVERY_S
            purged = expire(batch.folders, batch.journal, retain_days)
            if purged.jump:
                progress.log(told_jump(*purged.jump))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        pattern = re.compile(text) if text else None
    except re.error as error:
        raise UsageError(f"--group {text}: no regular expression ({error})") from None
    if pattern is not None and not pattern.groups:
        raise UsageError(f"--group {text}: needs a group in parentheses that names the document")
    return pattern


def _watch_options(options: dict[str, Any], batch: Batch) -> WatchOptions:
    done, refused = options["done"], options["refused"]
    if options["originals"] == "move" and done is None:
        raise UsageError("--originals move needs a folder to move to; add --done DIR")
    for folder in (done, refused):
        if folder is not None and folder.resolve().is_relative_to(batch.root):
            raise UsageError(f"{folder}: would be watched itself; choose a folder outside {batch.root}")
    return WatchOptions(
        every_s=options["every"],
        quiet_s=options["quiet_for"],
        marker=options["marker"],
        originals=options["originals"],
        done=done.resolve() if done else None,
        refused=refused.resolve() if refused else None,
        every_file=options["every_file"],
    )
