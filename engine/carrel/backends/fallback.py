"""A network that goes on on the processor when its device fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Backend

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

_OUT_OF_MEMORY = ("out of memory", "out_of_memory", "bad_alloc", "failed to allocate", "out_of_resources", "cudamalloc")
_dropped: set[str] = set()
_lock = threading.Lock()


class Fallback:
    """A network on a device, and the same on the processor.

    Out of memory first halves the batch. Any other failure, or one line alone being too much, drops the device for the
    rest of the process, for all networks on it, with one warning; what was at hand is done again.

    Parameters
    ----------
    device
        What the device is called; networks on one device share its fate.
    open_on_device, open_on_cpu
        Make the networks; the second is called when it is needed.
    """

    def __init__(self, device: str, open_on_device: Callable[[], Backend], open_on_cpu: Callable[[], Backend]) -> None:
        self._device, self._open_on_cpu = device, open_on_cpu
        self._on_device: Backend | None = None
        self._on_cpu: Backend | None = None
        if device not in _dropped:
            try:
                self._on_device = open_on_device()
            except Exception as error:
                drop(device, error)

    def run(self, array: Array) -> Array:
        device = self._on_device
        if device is not None and self._device not in _dropped:
            try:
                return _in_halves(device, array)
            except Exception as error:  # drivers raise anything
                drop(self._device, error)
        return self._cpu().run(array)

    def _cpu(self) -> Backend:
        with _lock:
            self._on_device = None  # its memory is needed now
            if self._on_cpu is None:
                self._on_cpu = self._open_on_cpu()
            return self._on_cpu


def drop(device: str, error: Exception) -> None:
    """Use a device no more; the first time, say so."""
    with _lock:
        told = device in _dropped
        _dropped.add(device)
    if not told:
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        log.warning("%s failed (%s); going on on the processor", device, reason)


def dropped(device: str) -> bool:
    """Whether a device has failed in this process."""
    return device in _dropped


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory, the device's or the machine's, has run out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)


def _in_halves(backend: Backend, array: Array) -> Array:
    try:
        return backend.run(array)
    except Exception as error:
        if len(array) < 2 or not is_out_of_memory(error):
            raise
    half = len(array) // 2
    return np.concatenate([_in_halves(backend, array[:half]), _in_halves(backend, array[half:])])
