"""``python -m carrel``: the ``carrel`` command, where no script of that name lies on the path."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command line, which is a package above this one.

    Its absence ends the process with exit code 1 and a line that says what to install.
    """
    try:
        command = import_module("carrel_cli.main")
    except ModuleNotFoundError as error:
        sys.exit(f"carrel: {error}; install Carrel whole: pip install carrel")
    command.main()


if __name__ == "__main__":
    main()
