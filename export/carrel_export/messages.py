"""Errors of the training and export commands as messages."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from zipfile import BadZipFile

from carrel.errors import CarrelError


@contextmanager
def told() -> Generator[None]:
    """Turn errors that are no fault of the program into one line on stderr and the exit code of ``carrel.errors``."""
    try:
        yield
    except CarrelError as error:
        message, code = str(error), error.exit_code
    except BadZipFile as error:
        message, code = f"no line pack or pack of pages ({error}); give .zip files", 3
    except OSError as error:
        message, code = f"{error.filename}: cannot be used ({error.strerror})" if error.filename else str(error), 3
    else:
        return
    print(f"carrel_export: {message}", file=sys.stderr)
    sys.exit(code)
