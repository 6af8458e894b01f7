"""Progress of a page, and what may stop it."""

from __future__ import annotations

import time
from collections.abc import Callable

from carrel.errors import CancelledError, PageTimeoutError

STAGES = ("prepare", "segment", "recognize", "assemble")
"""What is done to a page, in order; a page of doubtful orientation goes through some of it again."""


class Watch:
    """The callbacks and the time limit of one page.

    Parameters
    ----------
    progress
        Called with the name of each of `STAGES` as it begins, in the thread that reads.
    cancelled
        Asked between stages and before each line, perhaps from several threads; True stops the page.
    timeout_s
        Seconds after which the page is refused, None for no limit; looked at whenever ``cancelled`` is asked, so a page
        may take as much longer as its longest step.
    """

    def __init__(
        self,
        progress: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._progress, self._cancelled, self._timeout_s = progress, cancelled, timeout_s
        self._began_s = time.monotonic()

    def begin(self, stage: str) -> None:
        """Report that a stage begins, unless the page must stop."""
        self.check()
        if self._progress is not None:
            self._progress(stage)

    def check(self) -> None:
        """Raise where the page must stop.

        Raises
        ------
        CancelledError
            ``cancelled`` said so.
        PageTimeoutError
            The page has taken too long.
        """
        if self._cancelled is not None and self._cancelled():
            raise CancelledError("the page was cancelled; it has no result")
        if self._timeout_s is not None and time.monotonic() - self._began_s > self._timeout_s:
            raise PageTimeoutError(f"the page took longer than {self._timeout_s:g} s; raise page_timeout_s or split it")
