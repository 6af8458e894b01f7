"""Options and loop that ``carrel batch`` and ``carrel watch`` share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from carrel.batch.folders import Folders
from carrel.batch.plan import make_cache, plan_workers
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.errors import UsageError
from carrel.options import ReadOptions
from carrel.system import require_workers
from carrel.workers import sandbox
from carrel.workers.messages import READ_PAGES
from carrel.workers.pool import Limits
from carrel_cli.common.messages import tell
from carrel_cli.common.reading import format_options, reading_options, review_option

Command = Callable[..., Any]
_MIB = 2**20

_RUN_OPTIONS = (
    click.option("--workers", type=click.IntRange(min=1), help="Processes that read.  [default: one a core, as memory allows]"),
    click.option("--state", type=click.Path(path_type=Path), help="Private folder for journal and spool.  [default: OUT/.carrel]"),
    click.option("--reread", is_flag=True, help="Read again what was read under other settings or by other models, but pages whose results were changed since."),
    click.option("--rebuild", is_flag=True, help="Put a damaged journal aside and take over results that are there."),
    click.option("--log-text", is_flag=True, help="Allow text and file names in messages."),
)  # fmt: skip
_PAGE_OPTIONS = (
    click.option("--page-timeout", type=click.FloatRange(min=1), default=300.0, show_default=True, metavar="S", help="A page that takes longer fails."),
    click.option("--decode-timeout", type=click.FloatRange(min=1), default=60.0, show_default=True, metavar="S", help="A file that takes longer to open or decode fails."),
    click.option("--max-pages", type=click.IntRange(min=1), default=5000, show_default=True, help="Files with more are refused."),
    click.option("--max-file", type=click.IntRange(min=1), default=2048, show_default=True, metavar="MIB", help="Larger files are refused."),
    click.option("--every-file", is_flag=True, help="Also try files whose names do not end like a scan's."),
    click.option("--pages-with", "entry", default=READ_PAGES, hidden=True, metavar="MODULE:FUNCTION"),
)  # fmt: skip


def batch_options(command: Command) -> Command:
    """Return everything about how pages are read and within what limits, and where and by how many processes."""
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return page_options(command)


def page_options(command: Command) -> Command:
    """Return everything about how pages are read and within what limits."""
    for option in reversed(_PAGE_OPTIONS):
        command = option(command)
    return format_options(reading_options(review_option(command)))


def make_batch(source: Path, output: Path, options: dict[str, Any], **more: Any) -> Batch:
    """Return a batch from the values of `batch_options`.

    Raises
    ------
    UsageError
        Input and output are one folder, the memory will not do, or the system has no workers.
    """
    require_workers(f"carrel {click.get_current_context().info_name}")
    folders = Folders.of(output, options["state"])
    root = source.resolve() if source.is_dir() else source.resolve().parent
    if folders.output == root or root.is_relative_to(folders.state):
        raise UsageError(f"{output}: results would lie among the scans; choose another folder with -o")
    read: ReadOptions = options["read"]
    plan = plan_workers(read, workers=options["workers"])
    settings = Settings(
        plan.options,
        options["formats"],
        review_below=options["review_below"],
        most_pages=options["max_pages"],
        most_bytes=options["max_file"] * _MIB,
        entry=options["entry"],
    )
    limits = Limits(options["page_timeout"], options["decode_timeout"], plan.promised_bytes)
    sandbox.forbid_dumps()
    return Batch(
        root,
        folders,
        settings,
        cache=make_cache(),
        workers=plan.workers,
        limits=limits,
        show_stderr=options["log_text"],
        reread=options["reread"],
        rebuild=options["rebuild"],
        **more,
    )


class Progress:
    """One line on a terminal, kept up to date; elsewhere a line a minute."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else 60)

    def show(self, batch: Batch) -> None:
        if self._quiet or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (0.5 if self._terminal else 60)
        line = progress_line(batch)
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, nl=not self._terminal, err=True)

    def log(self, line: str) -> None:
        if not self._quiet:
            self.clear()
            tell(line)

    def clear(self) -> None:
        if self._terminal and not self._quiet:
            click.echo("\r\x1b[K", nl=False, err=True)


def progress_line(batch: Batch) -> str:
    """Return for example ``reading: 41 of 120 pages, 12.3 a minute, 1 refused, 3 to review, 6 min left``."""
    from carrel.batch.status import pages_left

    counts = batch.counts()
    settled = counts.done + counts.failed
    left = batch.pace.minutes_left(counts)
    about = "about " if counts.waiting_files else ""
    parts = [
        f"{batch.doing}: {settled:,} of {about}{settled + pages_left(counts):,.0f} pages",
        f"{batch.pace.pages_per_minute:.1f} a minute",
        f"{counts.failed:,} refused",
        f"{counts.review:,} to review",
    ]
    return ", ".join(parts + ([f"{left:,.0f} min left"] if left is not None else []))
