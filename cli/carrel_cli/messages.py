"""What the engine logs, as lines on stderr."""

from __future__ import annotations

import logging

import click


class _Stderr(logging.Handler):
    """Messages of the engine as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def show_messages(*, verbose: bool) -> None:
    """Write what the engine logs to stderr: what a user should know, or, ``verbose``, everything with its module."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("carrel: %(name)s: %(message)s" if verbose else "carrel: %(message)s"))
    logger = logging.getLogger("carrel")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
