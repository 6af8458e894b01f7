"""A network that goes on on the processor when its device fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from carrel.backends import Network, Tensors

log = logging.getLogger(__name__)

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

    def __init__(self, device: str, open_on_device: Callable[[], Network], open_on_cpu: Callable[[], Network]) -> None:
        self._device, self._open_on_cpu = device, open_on_cpu
        self._on_device: Network | None = None
        self._on_cpu: Network | None = None
        if device not in _dropped:
            try:
                self._on_device = open_on_device()
            except Exception as error:
                drop(device, error)

    def run(self, inputs: Tensors) -> Tensors:
        device = self._on_device
        if device is not None and self._device not in _dropped:
            try:
                return _in_halves(device, inputs)
            except Exception as error:  # drivers raise anything
                drop(self._device, error)
        return self._cpu().run(inputs)

    def _cpu(self) -> Network:
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
    """Tell whether a device has failed in this process."""
    return device in _dropped


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory, the device's or the machine's, has run out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)


def _in_halves(network: Network, inputs: Tensors) -> Tensors:
    """Outputs for a batch, along the first axis of every tensor; in two halves where memory runs out."""
    batch = min(map(len, inputs.values()))
    try:
        return network.run(inputs)
    except Exception as error:
        if batch < 2 or not is_out_of_memory(error):
            raise
    parts = (slice(None, batch // 2), slice(batch // 2, None))
    halves = [_in_halves(network, {name: array[part] for name, array in inputs.items()}) for part in parts]
    return {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}
