"""The command in this process, as a shell would call it."""

from __future__ import annotations

import sys

import pytest

from carrel_cli.main import main


def exit_code_of(*arguments: object) -> int:
    """Run ``carrel`` with these arguments; return its exit code."""
    before = sys.argv
    sys.argv = ["carrel", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    assert isinstance(stop.value.code, int)
    return stop.value.code
