"""What the engine logs reaches stderr, and stdout holds results alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from carrel_cli.common.messages import show_messages
from carrel_cli.main import cli


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    logger = logging.getLogger("carrel")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers, logger.level = handlers, level


@pytest.mark.parametrize(
    ("verbose", "lines"),
    [
        (False, ["carrel: a card failed"]),
        (True, ["carrel: carrel.backends.runtimes.fallback: a card failed", "carrel: carrel.budget: trimmed"]),
    ],
)
def test_messages_are_lines_on_stderr(verbose: bool, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # a second command in one process says nothing twice
        show_messages(verbose=verbose)
    logging.getLogger("carrel.backends.runtimes.fallback").warning("a card failed")
    logging.getLogger("carrel.budget").debug("trimmed")
    said = capsys.readouterr()
    assert said.err.splitlines() == lines
    assert said.out == ""


def test_command_takes_the_choice() -> None:
    CliRunner().invoke(cli, ["-v", "models"])
    assert logging.getLogger("carrel").level == logging.DEBUG
    CliRunner().invoke(cli, ["models"])
    assert logging.getLogger("carrel").level == logging.INFO
