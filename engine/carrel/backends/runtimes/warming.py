"""A network that reads on the processor until its device has loaded and run once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from carrel.backends import Network, Tensors


class Warming:
    """A network on the processor now, on a device from when that is ready.

    What is read meanwhile agrees with what the device reads as far as the probe demands of it. The device is loaded in a
    thread; a process that ends before waits for it, as it would have waited at the start.

    Parameters
    ----------
    open_on_device
        Makes the network on the device; it must not raise (see `carrel.backends.runtimes.fallback.Fallback`).
    on_cpu
        The same on the processor, dropped once the device is ready.
    first
        Inputs to run once on the device before it counts as ready, for devices compile at the first run.
    """

    def __init__(self, open_on_device: Callable[[], Network], on_cpu: Network, first: Tensors) -> None:
        self._network = on_cpu
        self._thread = threading.Thread(target=self._warm, args=(open_on_device, first), name="carrel-warming")
        self._thread.start()

    def _warm(self, open_on_device: Callable[[], Network], first: Tensors) -> None:
        network = open_on_device()
        network.run(first)
        self._network = network

    def wait(self) -> None:
        """Wait until the device is ready."""
        self._thread.join()

    def run(self, inputs: Tensors) -> Tensors:
        return self._network.run(inputs)
