"""Messages of the engine and the commands, as lines on stderr."""

from __future__ import annotations

import json
import logging
import time

import click

_COMMANDS = logging.getLogger("carrel.command")


class _Stderr(logging.Handler):
    """Messages as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


class _Json(logging.Formatter):
    """A message as one JSON object in one line: time (UTC), level, module, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        fields = {"time": at, "level": record.levelname.lower(), "module": record.name, "message": record.getMessage()}
        return json.dumps(fields, ensure_ascii=False)


def show_messages(*, verbose: bool, as_json: bool = False) -> None:
    """Write what the engine logs to stderr: what a user should know, or, ``verbose``, everything with its module."""
    plain = logging.Formatter("carrel: %(name)s: %(message)s" if verbose else "carrel: %(message)s")
    handler = _Stderr()
    handler.setFormatter(_Json() if as_json else plain)
    logger = logging.getLogger("carrel")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


def tell(message: str, *, failed: bool = False) -> None:
    """Write a message of a command to stderr, as all others are written."""
    if not logging.getLogger("carrel").handlers:  # refused before the options were read
        show_messages(verbose=False)
    _COMMANDS.log(logging.ERROR if failed else logging.INFO, "%s", message)
