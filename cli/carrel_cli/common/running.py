"""Options that say what to run on and within what memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from carrel.backends.facts import BACKENDS, DEVICES, PRECISIONS
from carrel.process_memory import parse_memory

Command = Callable[..., Any]

RUNNING_OPTIONS = (
    click.option("--memory", metavar="SIZE", help="Stay within this, like 400M or 2G.  [default: four fifths of what is free]"),
    click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="What networks run on; gpu is Intel's."),
    click.option("--threads", type=click.IntRange(min=0), default=0, help="Lines read at a time.  [default: as processors and memory allow]"),
    click.option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True, help="Of the networks' arithmetic."),
    click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What runs the networks."),
)  # fmt: skip


def running_options(command: Command) -> Command:
    """Return ``--memory``, ``--device``, ``--threads``, ``--precision`` and ``--backend``."""
    for option in reversed(RUNNING_OPTIONS):
        command = option(command)
    return command


def running_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of `carrel.ReadOptions` from the values of `running_options`.

    Raises
    ------
    UsageError
        The memory is no amount of memory.
    """
    fields = {name: values[name] for name in ("device", "threads", "precision", "backend")}
    return {**fields, "memory_bytes": parse_memory(values["memory"]) if values["memory"] else None}
