"""Every error that Carrel raises on purpose, with the exit code of the command line.

::

    CarrelError                 1   anything else
    +-- UsageError              2   options that cannot be met
    +-- InputError              3   a page that cannot be read
    |   +-- PageTimeoutError    3   a page that took too long
    +-- ModelError              4   a model, language or tessdata missing or damaged
    +-- OutputError             5   results that cannot be written
    +-- CancelledError          1   a page that its caller stopped

A message says what happened, where, and what to do about it.
"""

from __future__ import annotations

import errno


class CarrelError(Exception):
    """Base of the tree."""

    exit_code = 1


class UsageError(CarrelError):
    """Options that contradict each other or cannot be met."""

    exit_code = 2


class InputError(CarrelError):
    """A file that is missing, damaged, protected, too large, or no image."""

    exit_code = 3


class ModelError(CarrelError):
    """A model or language that is missing, damaged, or of an unknown format."""

    exit_code = 4


class OutputError(CarrelError):
    """A result that cannot be written."""

    exit_code = 5

    @property
    def disk_full(self) -> bool:
        """True where the disk has no space left for the result."""
        cause = self.__cause__
        return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


class PageTimeoutError(InputError):
    """A page that took longer than its time limit."""


class CancelledError(CarrelError):
    """A page that its caller stopped."""
