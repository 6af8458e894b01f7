"""A recognizer that is opened when the first line needs it: a printed page needs no handwriting network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import Recognition, Recognizer


class LateRecognizer:
    """A recognizer that opens another at the first line, once whatever the number of threads.

    Parameters
    ----------
    name
        The other recognizer's name.
    open_recognizer
        Makes it; what it raises is raised by `read`.
    """

    def __init__(self, name: str, open_recognizer: Callable[[], Recognizer]) -> None:
        self.name = name
        self._open = open_recognizer
        self._opened: Recognizer | None = None
        self._lock = threading.Lock()

    def opened(self) -> Recognizer:
        """Return the recognizer, ready to read."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def read(self, crops: Sequence[NDArray[np.uint8]], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Recognition]:
        return self.opened().read(crops, spread)
